"""The sidecar ``stack.yaml`` of a folder of slice files: what plain pictures do not tell.

::

    kind: sims                          # or eds
    channels: {6Li+: "li_{slice}.tif"}  # name: the files of its slices, within the folder
    pixel_size: 0.072                   # um, or [y, x]
    slice_thickness: 60                 # nm, nominal
    tilt: 0                             # degrees between the beam and the section's normal; above
                                        # 0 where the beam goes down the picture as it goes deeper

``{slice}`` stands for the number in a file's name, with zeros before it or without, ``{channel}``
for the channel's name. Channels with the same file names are pages of one file, in the order given;
a name without ``{slice}`` is one file of all slices, page by page. EDS files (.bcf, .emd, .h5oina,
.pts) hold one slice each; a channel is a map of that name, or a window around that element's X-ray
line. Further keys are in `Sidecar`.
A name is compared letter by letter: it is no regular expression, and cannot lead out of the folder.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from liscope.errors import ReaderError
from liscope.readers.common import one_line
from liscope.readers.slice_files import MAX_SLICES, NAME, PICTURES, TABLES
from liscope.readers.slice_spectra import SPECTRA

_MAX_BYTES = 1 << 18
_MAX_LISTS = 100  # one within the other they take minutes
_NEEDED = "kind, channels, pixel_size, slice_thickness and tilt (see docs/formats.md)"

Length = Annotated[float, Field(gt=0, lt=1e6)]
Pixel = Annotated[float, Field(gt=0, le=20)]  # um: nobody looks at a section with larger ones
Thickness = Annotated[float, Field(ge=1, le=20_000)]  # nm
Tilt = Annotated[float, Field(gt=-85, lt=85)]  # degrees; the cosine stays far from 0
Number = Annotated[int, Field(ge=0, lt=10**9)]


class Sidecar(BaseModel):
    """What ``stack.yaml`` says.

    Attributes
    ----------
    kind, channels, pixel_size, slice_thickness, tilt
        See the module's docstring; needed.
    first, last, count
        Numbers of the first and the last slice, or how many there are; without them, from the
        lowest to the highest number of any file. A number between them without a file is missing.
    units, dwell_time
        Of the values; rates (count/s) are multiplied by the dwell time (s a pixel).
    total_depth, total_depth_error
        Of all slices, um, from ion-beam images.
    bse
        File names of the backscattered-electron image of each slice, on the same pixels.
    fiducial_angle, fiducial_gap
        Full angle between the converging trench lines, degrees; slice number: their gap, nm.
    notes
        Instrument, settings, whatever should be kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    kind: Literal["eds", "sims"]
    channels: dict[str, str] = Field(min_length=1, max_length=256)
    pixel_size: Pixel | Annotated[list[Pixel], Field(min_length=2, max_length=2)]
    slice_thickness: Thickness
    tilt: Tilt
    first: Number | None = None
    last: Number | None = None
    count: int | None = Field(None, ge=1, le=MAX_SLICES)
    units: Literal["count", "count/s"] = "count"
    dwell_time: float | None = Field(None, gt=0, lt=1e6)
    total_depth: Length | None = None
    total_depth_error: float | None = Field(None, ge=0, lt=1e6)
    bse: str | None = None
    fiducial_angle: float | None = Field(None, gt=0, lt=180)
    fiducial_gap: dict[Number, Length] = Field(default_factory=dict, max_length=MAX_SLICES)
    notes: str | dict[str, str | float | int | bool] = ""

    @field_validator("channels")
    @classmethod
    def _safe_channels(cls, channels: dict[str, str]) -> dict[str, str]:
        for name, pattern in channels.items():
            if not name or len(name) > 80 or one_line(name) != name:
                raise ValueError("a channel's name is one line of 1 to 80 characters")
            check_pattern(pattern.replace("{channel}", name))
        if len({"{slice}" in pattern for pattern in channels.values()}) > 1:
            raise ValueError("give '{slice}' in the file names of all channels, or of none")
        return channels

    @field_validator("bse")
    @classmethod
    def _safe_bse(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            check_pattern(pattern)
        return pattern

    @model_validator(mode="after")
    def _consistent(self) -> Sidecar:
        spectra = [one for one in self.channels.values() if one.lower().endswith(SPECTRA)]
        if spectra and (self.kind != "eds" or self.units != "count"):
            raise ValueError(f"'{spectra[0]}' is an EDS file: kind is eds, and units are count")
        if self.bse and self.bse.lower().endswith(SPECTRA):
            raise ValueError("bse is no EDS file; export its pictures as TIFF")
        if self.units == "count/s" and self.dwell_time is None:
            raise ValueError("rates need dwell_time (s a pixel) to become counts")
        if self.last is not None and self.count is not None:
            raise ValueError("give last or count, not both")
        if self.last is not None and not 0 <= self.last - (self.first or 0) < MAX_SLICES:
            raise ValueError(f"the last slice comes 0 to {MAX_SLICES - 1} behind the first")
        return self

    def pixel(self) -> tuple[float, float]:
        """Return height and width of a pixel, um."""
        size = self.pixel_size
        return (size[0], size[1]) if isinstance(size, list) else (size, size)

    def patterns(self) -> dict[str, str]:
        """Return the name pattern of each channel, with its name filled in; ``bse`` as ''."""
        named = {name: one.replace("{channel}", name) for name, one in self.channels.items()}
        return named | ({"": self.bse} if self.bse else {})


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that is no plain file name below the folder.

    Raises
    ------
    ValueError
        With what is wrong.
    """
    shown = one_line(pattern)[:80]
    path = PurePosixPath(pattern)
    plain = re.sub(r"\{slice\}", "", pattern)
    if len(pattern) > 200 or not plain.isprintable() or set(plain) & set('\\:{}*?"<>|'):
        raise ValueError(f"'{shown}' is no file name; it may hold {{slice}} and {{channel}}")
    if path.is_absolute() or any(part.startswith(".") for part in pattern.split("/")):
        raise ValueError(f"'{shown}' leads out of the folder or to a hidden file")
    if pattern.count("{slice}") > 1 or "{slice}" in pattern.rpartition("/")[0]:
        raise ValueError(f"'{shown}' has '{{slice}}' in a folder's name, or twice")
    kind = path.suffix.lower()
    if kind not in PICTURES + TABLES + SPECTRA:
        known = " ".join(PICTURES + TABLES + SPECTRA)
        raise ValueError(f"'{shown}' is neither TIFF nor a table nor an EDS file ({known})")
    if "{slice}" not in pattern and kind not in PICTURES:
        raise ValueError(f"'{shown}' holds one slice; its name needs '{{slice}}'")


def read_sidecar(folder: Path) -> Sidecar:
    """Return what ``stack.yaml`` in `folder` says.

    Raises
    ------
    ReaderError
        If there is none, or it is no such file; with the key's name.
    """
    path = folder / NAME
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise ReaderError(f"has no {NAME} of its own; write one with {_NEEDED}")
    if path.stat().st_size > _MAX_BYTES:
        raise ReaderError(f"has a {NAME} of {path.stat().st_size} bytes, which is none")
    try:
        text = path.read_text(encoding="utf-8")
        if text.count("[") > _MAX_LISTS:
            raise ValueError("too many lists")
        told: Any = YAML(typ="safe", pure=True).load(text)
        return Sidecar.model_validate(told)
    except ValidationError as error:
        raise ReaderError(f"has a {NAME} with {_first(error)}") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise ReaderError(f"has a {NAME} that is no YAML ({one_line(str(error))[:120]})") from None


def _first(error: ValidationError) -> str:
    """Return the first fault as key: what is wrong."""
    fault = error.errors(include_url=False, include_input=False)[0]
    key = one_line(".".join(str(part) for part in fault["loc"]))[:60] or "no keys"
    if fault["type"] == "extra_forbidden":
        known = ", ".join(Sidecar.model_fields)
        return f"an unknown key '{key}'; it may have {known}"
    if fault["type"] == "missing":
        return f"no '{key}'; it needs {_NEEDED}"
    why = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return f"a contradiction: {why}"
    unit = {"pixel_size": " (um)", "slice_thickness": " (nm)"}.get(str(fault["loc"][0]), "")
    return f"a wrong '{str(fault['loc'][0]) if unit else key}'{unit}: {why}"
