"""Parameters of ``notebooks/tip_stress_maps.ipynb``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from liscope.workflow.parameters import Input, Meaning, Parameters, Quantity

Rectangle = tuple[float, float, float, float]


class TipStressMaps(Parameters):
    """Tip-stress maps: how a voltage applied by the C-AFM tip changes local conduction."""

    sample: Annotated[str, Meaning("name of the sample, and of its results")] = "lmo"
    stressed: Annotated[str, Input("current map after the stress, or the only one there is")] = (
        "specimen:lmo/stressed"
    )
    pristine: Annotated[str | None, Input("map of the same place before the stress, if any")] = (
        "specimen:lmo/pristine"
    )
    direction: Annotated[
        Literal["trace", "retrace", "unknown"], Meaning("scan direction to analyse")
    ] = "trace"
    bias: Annotated[float | None, Quantity("V", "read-out bias; null: as the file says")] = Field(
        None, ge=-100, le=100
    )
    bias_side: Annotated[
        Literal["sample", "tip", "unknown"] | None,
        Meaning("where the bias is applied; null: as the file says"),
    ] = None
    areas: Annotated[
        list[Rectangle] | None,
        Quantity("um", "stressed rectangles (left, top, width, height); null: find them"),
    ] = Field([(0.35, 2.25, 1.5, 1.5), (2.25, 2.25, 1.5, 1.5), (4.15, 2.25, 1.5, 1.5)])
    area_names: Annotated[
        list[str], Meaning("names in the order of `areas`; found ones: left to right")
    ] = Field(["3 V", "5 V", "10 V"])
    quoted: Annotated[
        list[float | None], Quantity("percent", "change that the paper quotes for each area")
    ] = Field([69.0, 160.0, None])
    margin: Annotated[
        float, Quantity("um", "left out on both sides of an area's edge, blurred by drift")
    ] = Field(0.08, ge=0, le=5)
    path_factor: Annotated[
        float, Meaning("a path carries this many times the median current of the film")
    ] = Field(5.0, gt=1, le=1000)

    @model_validator(mode="after")
    def _areas_fit_together(self) -> Self:
        if self.areas is not None and len(self.areas) != len(self.area_names):
            raise ValueError(
                f"areas: got {len(self.areas)} rectangles for {len(self.area_names)} area_names"
            )
        if self.pristine == self.stressed:
            raise ValueError(f"pristine: got {self.pristine!r}, the same map as stressed")
        sides = [side for area in self.areas or [] for side in area[2:]]
        if sides and 2 * self.margin >= min(sides):
            raise ValueError(
                f"margin: got {self.margin:g} um; right is less than {min(sides) / 2:g}, "
                "or nothing is left of an area"
            )
        if len(self.quoted) > len(self.area_names):
            raise ValueError(
                f"quoted: got {len(self.quoted)} values for {len(self.area_names)} area_names"
            )
        return self
