"""Parameters of ``notebooks/astar_grain_statistics.ipynb``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from liscope.workflow.parameters import Input, Meaning, Parameters, Quantity


class AstarGrainStatistics(Parameters):
    """ASTAR grain statistics: orientation, phase, grains, texture and epitaxy from 4D-STEM."""

    sample: Annotated[str, Meaning("name of the sample, and of its results")] = "lmno_roi1"
    scan: Annotated[str, Input("diffraction scan, or an orientation map (.ang, .ctf, .h5)")] = (
        "specimen:lmno_pristine/scan"
    )
    cycled: Annotated[
        str | None, Input("the same after cycling, to compare with; null: there is none")
    ] = "specimen:lmno_cycled_roi1/scan"
    film: Annotated[
        str,
        Meaning("crystal of the film: lmno, pt, or a CIF file; of an orientation map, its phase"),
    ] = "lmno"
    collector: Annotated[
        str | None, Meaning("the same of the current collector; null: there is none")
    ] = "pt"
    pixel: Annotated[
        float | None,
        Quantity("1/angstrom", "of the camera; null: from the rings, starting as the file says"),
    ] = Field(None, gt=0, le=1)
    rotation: Annotated[
        float | None,
        Quantity("degree", "from the scan's x to the camera's; null: as the file says"),
    ] = Field(None, ge=-180, le=180)
    voltage: Annotated[float | None, Quantity("kV", "of the beam; null: as the file says")] = Field(
        None, ge=20, le=3000
    )
    precession: Annotated[float, Quantity("degree", "semi-angle of the precessing beam")] = Field(
        0.7, ge=0, le=5
    )
    thickness: Annotated[float, Quantity("nm", "of the lamella's crystals, roughly")] = Field(
        12.5, ge=2, le=500
    )
    step: Annotated[float, Quantity("degree", "between templates")] = Field(1.0, ge=0.3, le=5)
    neighbours: Annotated[bool, Meaning("let neighbours in the scan have a say")] = True
    intensity: Annotated[
        float,
        Quantity(
            "grey level", "summed within 0.1 1/angstrom of the beam, below which a point is out"
        ),
    ] = Field(0.0, ge=0)
    reliability: Annotated[
        float, Meaning("probability of an orientation below which a point is left out of grains")
    ] = Field(0.3, ge=0, le=1)
    threshold: Annotated[float, Quantity("degree", "misorientation that parts two grains")] = Field(
        5.0, ge=0.5, le=15
    )
    smallest: Annotated[int, Meaning("points of the smallest grain that counts")] = Field(4, ge=1)
    growth: Annotated[Literal["x", "y"], Meaning("axis of the map along which the film grew")] = "y"
