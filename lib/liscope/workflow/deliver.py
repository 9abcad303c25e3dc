"""The one call through which everything leaves a notebook."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liscope.errors import RunError
from liscope.ome_zarr_files import OME_ZARR, write_volume
from liscope.workflow.interactive import FOLDER as INTERACTIVE
from liscope.workflow.interactive import write_interactive
from liscope.workflow.parameters import Parameters, short

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

KERNEL_NOTE = ".kernel.json"
SUMMARY = "summary.json"
CAPTIONS = "captions.json"
VOLUMES = "volumes"  # the folder of the OME-Zarr folders
_LONGEST = 5_000_000  # bytes of an animation: its page holds it whole


def deliver(
    parameters: Parameters,
    *,
    figures: Mapping[str, Figure | bytes | tuple[Figure | bytes, str]] | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    arrays: Mapping[str, xr.Dataset] | None = None,
    volumes: Mapping[str, xr.DataArray | xr.Dataset] | None = None,
    summary: Mapping[str, object] | None = None,
    interactive: Mapping[str, object | tuple[object, str]] | None = None,
) -> pd.DataFrame:
    """Hand over the results of a notebook; its last cell calls this once.

    Under ``liscope run`` they are written beside the record; by hand nothing is written.

    Parameters
    ----------
    parameters
        The parameters of the notebook.
    figures
        Matplotlib figures by name, each alone or with its caption: ``(figure, "caption")``; or
        animations, each the bytes of a GIF of at most 5 MB.
    tables
        Data frames by name; written with ten significant digits.
    arrays
        Datasets by name; written as NetCDF.
    volumes
        Volumes (channel, z, y, x) or (z, y, x) by name, or phases as `identify` gives them; written
        as OME-Zarr, block by block where they are lazy, for napari and others.
    summary
        One number, text, truth value or None by name; NaN and infinity become None.
    interactive
        Plots of bokeh or HoloViews, or scenes of k3d, by name, each alone or with its caption;
        written as pages that open without a network.

    Returns
    -------
    pandas.DataFrame
        The summary, to look at.

    Raises
    ------
    RunError
        If a name is not a plain one, or a value is of a type that has no place here.
    DataError
        If the axes of a volume are not evenly spaced lengths, or it holds no numbers.
    """
    import pandas as pd  # here, as is matplotlib below: `liscope run` imports this module too

    plain = {_checked(name): _plain(name, value) for name, value in (summary or {}).items()}
    given: dict[str, Mapping[str, Any]] = {
        "figures": figures or {},
        "tables": tables or {},
        "arrays": arrays or {},
        VOLUMES: volumes or {},
        INTERACTIVE: interactive or {},
    }
    for names in given.values():
        for name in names:
            _checked(name)
    if folder := os.environ.get("LISCOPE_RUN"):
        _write(Path(folder), given, plain)
    else:
        _say_how_to_run(parameters)
    return pd.Series(plain, dtype=object, name="value").to_frame()


def plain_name(text: str) -> str:
    """Return a name of letters, digits and underscores, as `deliver` takes it, for any text."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    return (plain if plain[:1].isalpha() else f"_{plain}")[:64]


def _write(folder: Path, given: Mapping[str, Mapping[str, Any]], plain: dict[str, Any]) -> None:
    if (folder / KERNEL_NOTE).exists():
        raise RunError("deliver was called twice; hand everything over in one call")
    writers: dict[str, Callable[[Path, Any], None]] = {
        "figures": _figure,
        "tables": _table,
        "arrays": _array,
        VOLUMES: _volume,
        INTERACTIVE: _page,
    }
    for kind, items in given.items():
        for name, item in items.items():
            (folder / kind).mkdir(exist_ok=True)
            writers[kind](folder / kind / name, item)
    for kind in ("figures", INTERACTIVE):
        captions = {name: _with_caption(item)[1] for name, item in given[kind].items()}
        if captions:
            (folder / kind / CAPTIONS).write_text(_json(captions), encoding="utf-8")
    (folder / SUMMARY).write_text(_json(plain), encoding="utf-8")
    (folder / KERNEL_NOTE).write_text(_json({"peak_memory_MiB": _peak_memory()}), encoding="utf-8")


def _figure(path: Path, item: Figure | bytes | tuple[Figure | bytes, str]) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure, _ = _with_caption(item)
    if isinstance(figure, bytes):
        return _animation(path, figure)
    if not isinstance(figure, Figure):
        raise RunError(f"figure '{path.name}' is {type(figure).__name__}, not a matplotlib Figure")
    figure.savefig(f"{path}.png", dpi=150, bbox_inches="tight", metadata={"Software": None})
    # Without these two, the file would hold the time and random names.
    with mpl.rc_context({"svg.hashsalt": path.name}):
        figure.savefig(f"{path}.svg", bbox_inches="tight", metadata={"Date": None})


def _animation(path: Path, gif: bytes) -> None:
    if not gif.startswith((b"GIF87a", b"GIF89a")):
        raise RunError(f"figure '{path.name}' is bytes, but no GIF")
    if len(gif) > _LONGEST:
        raise RunError(
            f"animation '{path.name}' has {len(gif) / 1e6:.1f} MB, more than 5; make it smaller"
        )
    Path(f"{path}.gif").write_bytes(gif)


def _page(path: Path, item: object) -> None:
    write_interactive(path, *_with_caption(item))


def _with_caption(item: Any) -> tuple[Any, str]:
    return item if isinstance(item, tuple) else (item, "")


def _table(path: Path, table: pd.DataFrame) -> None:
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise RunError(f"table '{path.name}' is {type(table).__name__}, not a pandas DataFrame")
    numbered = isinstance(table.index, pd.RangeIndex) and table.index.name is None
    table.to_csv(
        f"{path}.csv",
        index=not numbered,
        float_format="%.10g",
        lineterminator="\n",
        encoding="utf-8",
    )


def _array(path: Path, array: xr.Dataset) -> None:
    import xarray as xr

    if not isinstance(array, xr.Dataset):
        raise RunError(f"array '{path.name}' is {type(array).__name__}, not an xarray Dataset")
    array.to_netcdf(f"{path}.nc", engine="h5netcdf")


def _volume(path: Path, volume: xr.DataArray | xr.Dataset) -> None:
    import xarray as xr

    if not isinstance(volume, xr.DataArray | xr.Dataset):
        kind = type(volume).__name__
        raise RunError(f"volume '{path.name}' is {kind}, not an xarray DataArray or phases")
    write_volume(volume, Path(f"{path}{OME_ZARR}"))


def _checked(name: object) -> str:
    """Return a name that is safe in a path and in a table's head."""
    if not (isinstance(name, str) and name.isidentifier() and name.isascii() and len(name) <= 64):
        raise RunError(f"{short(name)} is no name for a result: use letters, digits and '_'")
    return name


def _plain(name: object, value: Any) -> float | int | str | bool | None:
    """Return a value as JSON knows it."""
    if getattr(value, "size", None) == 1 and hasattr(value, "item"):
        value = value.item()  # a number of numpy or of an array of one value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, float):
        return float(f"{value:.10g}")  # as in the tables: the last digits differ between processors
    if value is None or isinstance(value, bool | int | str):
        return value
    raise RunError(f"summary {short(name)} is {short(value)}: use a number, text, bool or None")


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _peak_memory() -> float | None:
    """Return the most memory that this process has held, in MiB."""
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    import sys

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def _say_how_to_run(parameters: Parameters) -> None:
    import click

    from liscope.workflow.project import SCRATCH, Project

    declared = f"{type(parameters).__module__}:{type(parameters).__name__}"
    try:
        found = [w for w in Project.here().workflows() if w.declared == declared]
    except RunError:
        found = []
    command = f"liscope run {found[0].name if found else '<workflow>'}"
    if found and parameters.sample in [file.stem for file in found[0].samples]:
        command += f" {parameters.sample}"
    click.echo(f"Nothing was written: '{command}' keeps figures, tables and record in results/.")
    notebook = Path(os.environ.get("JPY_SESSION_NAME", ""))  # JupyterLab says which one it is
    if notebook.parent.name == SCRATCH:
        click.echo(f"'liscope keep results/{SCRATCH}/{notebook.name}' keeps these parameters.")
