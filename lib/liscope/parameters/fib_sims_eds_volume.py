"""Parameters of ``notebooks/fib_sims_eds_volume.ipynb``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from liscope.workflow.parameters import Input, Meaning, Parameters, Quantity

Line = tuple[float, float, float, float, float]
Reach = Annotated[float, Field(ge=0, le=5000)]  # nm
Density = Annotated[float, Field(ge=0.1, le=25)]  # g/cm3
Side = Annotated[float, Field(ge=1, le=10_000)]  # nm


class FibSimsEdsVolume(Parameters):
    """FIB-SIMS-EDS volume: phases, lithium and microstructure in 3D from slices."""

    sample: Annotated[str, Meaning("name of the sample, and of its results")] = "llzto_lco"
    eds: Annotated[
        str | None, Input("EDS maps of the slices: a file, or a folder with stack.yaml; null: none")
    ] = "specimen:llzto_lco/eds"
    sims: Annotated[str | None, Input("ion images of the same slices; null: there are none")] = (
        "specimen:llzto_lco/sims"
    )
    segmented: Annotated[
        str | None, Input("a volume of labels instead of eds and sims: a TIFF of many pages")
    ] = None
    lithium: Annotated[list[str], Meaning("ions that are summed as lithium, as the file says")] = (
        Field(["6Li+"], min_length=1)
    )
    phases: Annotated[
        list[tuple[str, str]],
        Meaning("name of each phase, and the element (of labels: the number) that marks it"),
    ] = Field([("LLZTO", "Zr"), ("LCO", "Co"), ("carbon", "C"), ("alumina", "Al")], min_length=2)
    coats: Annotated[
        list[str], Meaning("phases thinner than what EDS resolves: their share is bounded only")
    ] = Field(["alumina"])
    host: Annotated[str, Meaning("phase whose edges may have lost lithium")] = "LLZTO"
    particles: Annotated[
        list[str], Meaning("phases that consist of particles, which are parted and measured")
    ] = Field(["LLZTO", "LCO"], min_length=1)
    missing: Annotated[
        Literal["refuse", "leave out"],
        Meaning("what to do about slices that are missing or whose file is damaged"),
    ] = "leave out"
    bad_slices: Annotated[
        Literal["leave out", "keep"],
        Meaning("what to do about slices that the drift step calls bad"),
    ] = "leave out"
    thickness: Annotated[float | None, Quantity("nm", "of a slice; null: as the file says")] = (
        Field(None, gt=0, le=10_000)
    )
    total_depth: Annotated[
        float | None, Quantity("um", "of all slices, from ion-beam images; null: as the file says")
    ] = Field(None, gt=0, le=1000)
    tilt: Annotated[
        float | None,
        Quantity("degree", "of the section's normal to the electron beam; null: as the file says"),
    ] = Field(None, gt=-85, lt=85)
    corrections: Annotated[
        list[Literal["tilt", "drift", "fiducials"]],
        Meaning("what is taken out, or used for the depths; empty: nothing"),
    ] = Field(["tilt", "drift", "fiducials"])
    max_shift: Annotated[
        float, Quantity("um", "by which the middles of both instruments' fields may lie apart")
    ] = Field(6.0, gt=0, le=100)
    max_rotation: Annotated[
        float, Quantity("degree", "of one instrument's field against the other's")
    ] = Field(5.0, ge=0, le=30)
    voxel: Annotated[
        tuple[Side, Side, Side] | None,
        Quantity("nm", "z, y, x of the common grid; null: the EDS pixels and mean thickness"),
    ] = (60.0, 81.4, 81.4)
    interpolation: Annotated[
        Literal["linear", "lanczos"], Meaning("linear keeps counts from turning negative")
    ] = "linear"
    beam: Annotated[
        float | None,
        Quantity("um", "full width of the ion beam at half maximum; null: measured at edges"),
    ] = Field(None, gt=0, le=10)
    x_rays: Annotated[
        tuple[Reach, Reach],
        Quantity("nm", "where X-rays come from at 5 kV: sideways (sd), and mean depth at 5 g/cm3"),
    ] = (80.0, 65.0)
    densities: Annotated[
        list[tuple[str, Density]],
        Quantity("g/cm^3", "of phases: X-rays come from deeper in a light one; others count as 5"),
    ] = Field([("LLZTO", 5.4), ("LCO", 5.05), ("carbon", 1.9)])
    line: Annotated[
        Line | None,
        Quantity("um", "z and two ends (y, x) of a profile; null: across the largest particle"),
    ] = None
    keep_volumes: Annotated[
        bool, Meaning("whether the aligned counts and the phases are kept as OME-Zarr")
    ] = True
    radius: Annotated[
        float, Quantity("um", "of the largest particle, at least: how far parting them looks")
    ] = Field(4.0, gt=0, le=1000)

    @model_validator(mode="after")
    def _names_are_those_of_phases(self) -> Self:
        names = [name for name, _ in self.phases]
        if len(set(names)) < len(names):
            raise ValueError(f"phases: got {names}; right are distinct names")
        if len(set(self.lithium)) < len(self.lithium):
            raise ValueError(f"lithium: got {self.lithium}; right is each ion once")
        for field, given in (("host", [self.host]), ("coats", self.coats)):
            self._among_phases(field, given)
        return self

    @model_validator(mode="after")
    def _host_and_line_are_there(self) -> Self:
        if self.host in self.coats:
            raise ValueError(f"host: got {self.host!r}, which is listed in coats")
        if self.line and self.line[1:3] == self.line[3:]:
            raise ValueError("line: its two ends are the same place; right are two")
        return self

    @model_validator(mode="after")
    def _either_measured_or_segmented(self) -> Self:
        if self.segmented is None and self.eds is None:
            raise ValueError("eds: got null; right is a stack, unless segmented is given")
        if self.segmented is not None:
            if self.eds or self.sims:
                raise ValueError("segmented: goes without eds and sims; set these to null")
            if self.voxel is None:
                raise ValueError("voxel: got null; segmented needs its sides z, y, x in nm")
            if strange := [mark for _, mark in self.phases if not mark.isdecimal()]:
                raise ValueError(f"phases: got {strange[0]!r}; segmented needs whole numbers")
        if self.eds is not None and self.sims == self.eds:
            raise ValueError(f"sims: got {self.sims!r}, the same as eds")
        return self

    @model_validator(mode="after")
    def _particles_are_phases(self) -> Self:
        self._among_phases("particles", self.particles)
        return self

    def _among_phases(self, field: str, given: list[str]) -> None:
        names = [name for name, _ in self.phases]
        if strange := sorted(set(given) - set(names)):
            none = "; or none: coats: []" if field == "coats" else ""
            right = f"right is one of {', '.join(names)}{none}"
            raise ValueError(f"{field}: got {strange[0]!r}; {right}")
