"""Parameters of ``notebooks/cafm_sims_overlay.ipynb``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from liscope.workflow.parameters import Input, Meaning, Parameters, Quantity

Mark = tuple[float, float, float, float]


class CafmSimsOverlay(Parameters):
    """C-AFM/SIMS overlay: whether the film conducts where the lithium is, and how sure that is."""

    sample: Annotated[str, Meaning("name of the sample, and of its results")] = "rf_lmo"
    sims: Annotated[str, Input("ion images of the field")] = "specimen:rf_lmo/sims"
    cafm: Annotated[str, Input("current map of the same field")] = "specimen:rf_lmo/cafm"
    cafm_again: Annotated[
        str | None, Input("a second current map, to see how well currents repeat; null: none")
    ] = "specimen:rf_lmo/cafm_later"
    lithium: Annotated[list[str], Meaning("ions that are summed as lithium, as the file says")] = (
        Field(["Li+"], min_length=1)
    )
    reference: Annotated[
        list[str], Meaning("ions that show the topography; empty: align by current on lithium")
    ] = Field(["total"])
    reference_without: Annotated[
        list[str], Meaning("ions taken off the reference, so that it holds no lithium")
    ] = Field(["Li+"])
    sims_width: Annotated[
        float | None, Quantity("um", "width of the ion images; null: as the file says")
    ] = Field(None, gt=0, le=1000)
    shots: Annotated[
        int | None, Meaning("shots of the ion beam a pixel; null: as the file says, if it does")
    ] = Field(None, ge=1)
    beam: Annotated[float, Quantity("um", "full width of the ion beam at half maximum")] = Field(
        0.07, gt=0, le=10
    )
    direction: Annotated[
        Literal["trace", "retrace", "unknown"], Meaning("scan direction of the C-AFM to analyse")
    ] = "trace"
    bias: Annotated[float | None, Quantity("V", "bias of the C-AFM; null: as the file says")] = (
        Field(None, ge=-100, le=100)
    )
    max_rotation: Annotated[
        float, Quantity("degree", "rotation to either side that is searched")
    ] = Field(30.0, ge=0, le=45)
    max_shift: Annotated[
        float, Quantity("um", "by which the middles of both fields may lie apart")
    ] = Field(2.0, gt=0, le=100)
    landmarks: Annotated[
        list[Mark],
        Quantity("um", "x, y in SIMS and x, y in C-AFM, a place a row: where to start"),
    ] = Field([])
    held_out: Annotated[
        list[Mark], Quantity("um", "more such places, which only check the registration")
    ] = Field([])
    drift_orders: Annotated[
        int, Meaning("polynomials of the C-AFM's drift beyond a steady one; 0: none")
    ] = Field(2, ge=0, le=6)
    current_from: Annotated[
        float | None, Quantity("nA", "current from which on a place conducts; null: Otsu")
    ] = Field(None, gt=0)
    lithium_from: Annotated[
        float | None, Meaning("counts a pixel from which on a place is rich in lithium; null: Otsu")
    ] = Field(None, gt=0)
    boxes: Annotated[
        list[Mark] | None,
        Quantity("um", "places to zoom (left, top, width, height); null: one of each kind"),
    ] = None

    @model_validator(mode="after")
    def _two_maps_and_enough_marks(self) -> Self:
        if self.cafm_again == self.cafm:
            raise ValueError(f"cafm_again: got {self.cafm_again!r}, the same map as cafm")
        if held := sorted(set(self.lithium) & set(self.reference)):
            raise ValueError(f"reference: got {held[0]!r}, which is summed as lithium")
        left = sorted(set(self.lithium) - set(self.reference_without))
        if self.reference and self.reference_without and left:
            raise ValueError(f"reference_without: lacks {left[0]!r}, which is summed as lithium")
        if len(self.landmarks) == 1:
            raise ValueError("landmarks: got 1; right is none, or two and more")
        return self
