"""Parameters of ``notebooks/iv_hysteresis.ipynb``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from liscope.workflow.parameters import Input, Meaning, Parameters, Quantity


class IVHysteresis(Parameters):
    """I-V hysteresis: how far loops open, before and after the ions were driven away."""

    sample: Annotated[str, Meaning("name of the sample, and of its results")] = "rf_lmo_iv"
    curves: Annotated[str, Input("I-V curves, of all groups or of the first one")] = (
        "specimen:rf_lmo_iv/curves"
    )
    preconditioned: Annotated[
        str | None, Input("curves of the second group, where a file of its own holds them")
    ] = None
    rates: Annotated[
        str | None, Input("curves at several sweep rates, to tell displacement current")
    ] = "specimen:rf_lmo_iv/rates"
    reversal: Annotated[str | None, Input("loops of rising maximal bias (FORC-IV)")] = (
        "specimen:rf_lmo_iv/reversal"
    )
    groups: Annotated[
        tuple[str, str], Meaning("the two groups; the second is compared with the first")
    ] = ("pristine", "preconditioned")
    area: Annotated[
        Literal["enclosed_V", "unsigned_V", "positive_V", "negative_V"],
        Meaning("loop area on which the comparison and its verdict rest"),
    ] = "enclosed_V"
    sweep_rate: Annotated[
        float | None,
        Quantity("Hz", "cycles of the bias a second, but for `rates`; null: as the files say"),
    ] = Field(None, gt=0, le=1e6)
    quoted_curves: Annotated[int | None, Meaning("number of curves that the paper quotes")] = Field(
        145, ge=1
    )
    quoted_rate: Annotated[float | None, Quantity("Hz", "sweep rate that the paper quotes")] = (
        Field(0.2, gt=0, le=1e6)
    )

    @model_validator(mode="after")
    def _two_groups(self) -> Self:
        if self.groups[0] == self.groups[1]:
            raise ValueError(
                f"groups: got {self.groups[0]!r} twice; two different names are needed"
            )
        if self.preconditioned == self.curves:
            raise ValueError(f"preconditioned: got {self.curves!r}, the same data as curves")
        return self
