"""Plots any column of a sweep's table against any other; for the notebook beside the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liscope.errors import DataError

if TYPE_CHECKING:
    import holoviews as hv
    import pandas as pd
    from matplotlib.figure import Figure

_WORDS = ("workflow", "sample", "key", "state", "error")  # a key such as 12e456789012 is no number
_NO_FORMULA = r"^'(?=[=+\-@\t\r])"  # what a table has before a text that is no formula


def read_table(file: str | Path) -> pd.DataFrame:
    """Return the runs of a sweep that were done, from its table.

    Raises
    ------
    DataError
        If there is no such table, or no run in it was done.
    """
    import pandas as pd

    try:
        # "NA" and "None" are words here; only an empty cell is no value.
        runs = pd.read_csv(
            file, dtype=dict.fromkeys(_WORDS, str), keep_default_na=False, na_values=[""]
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: no table of a sweep ({error})") from None
    runs = runs.replace(_NO_FORMULA, "", regex=True)
    done = runs[runs["state"] == "done"].drop(columns=["state", "error"]).dropna(axis=1, how="all")
    if done.empty:
        raise DataError(f"{file}: no run was done; index.html says why")
    return done.reset_index(drop=True)


def shown_columns(runs: pd.DataFrame, varied: Iterable[str], y: str) -> list[str]:
    """Return which columns tell the runs apart: what varied, and `y`.

    Raises
    ------
    DataError
        If there is no column `y`.
    """
    if y:
        _check_columns(runs, [y])
    return [name for name in dict.fromkeys([*varied, y]) if name in runs]


def plot(
    runs: pd.DataFrame, x: str, y: str, colour: str = "", units: Mapping[str, str] | None = None
) -> Figure:
    """Return a figure of one column against another.

    Parameters
    ----------
    runs
        One row a run.
    x
        A column of numbers or of words.
    y
        A column of numbers.
    colour
        A column whose values share a colour; nothing for one colour.
    units
        Units of columns; a summary number has its own in its name.

    Returns
    -------
    A point a run, with a line from the lower to the upper end of `y` where these are columns.

    Raises
    ------
    DataError
        If there is no such column, or `y` holds no numbers.
    """
    from matplotlib.figure import Figure

    chosen = _chosen(runs, x, y, colour)
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    for (name, group), marker in zip(_groups(chosen, colour), cycle("osD^vP"), strict=False):
        line = "-" if _numeric(runs, x) and group[x].is_unique else ""
        # Hollow, so that a point does not hide another.
        (points,) = axes.plot(group[x], group[y], f"{marker}{line}", label=name, fillstyle="none")
        if ends := _ends(runs, y):
            axes.vlines(group[x], *(group[end] for end in ends), color=points.get_color(), lw=1)
    axes.set(xlabel=_with_unit(x, units), ylabel=_with_unit(y, units))
    if not _numeric(runs, x):
        axes.tick_params(axis="x", rotation=30)
    if colour:
        axes.legend(title=_with_unit(colour, units), frameon=False)
    return figure


def explore(
    runs: pd.DataFrame, x: str, y: str, colour: str = "", units: Mapping[str, str] | None = None
) -> hv.Element:
    """Return the same points to hover over, for JupyterLab.

    Hovering tells sample and key of each run, and the ends of `y` where these are columns.

    Raises
    ------
    DataError
        As for `plot`.
    """
    import hvplot.pandas  # noqa: F401  (it adds .hvplot)

    chosen = _chosen(runs, x, y, colour)
    told = ("sample", "key", *_ends(runs, y))
    hover = [name for name in told if name not in (x, y, colour)]
    by = {"by": colour} if colour else {}
    return chosen.hvplot.scatter(
        x=x,
        y=y,
        hover_cols=hover,
        size=60,
        width=700,
        height=420,
        legend="right",
        xlabel=_with_unit(x, units),
        ylabel=_with_unit(y, units),
        **by,
    )


def _with_unit(name: str, units: Mapping[str, str] | None) -> str:
    unit = (units or {}).get(name, "")
    return f"{name} ({unit})" if unit else name


def _ends(runs: pd.DataFrame, y: str) -> list[str]:
    """Return the columns of the ends of `y`: called like it, with "low" and "high" in the name."""
    words = _words(y, "value")
    names = [str(name) for name in runs.columns if name != y]
    found = [
        [name for name in names if end in name.split("_") and _words(name, "value", end) == words]
        for end in ("low", "high")
    ]
    both = [columns[0] for columns in found if columns and _numeric(runs, columns[0])]
    return both if len(both) == len(found) else []


def _words(name: str, *without: str) -> list[str]:
    return [word for word in name.split("_") if word not in without]


def _numeric(runs: pd.DataFrame, name: str) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return bool(is_numeric_dtype(runs[name]) and not is_bool_dtype(runs[name]))


def _chosen(runs: pd.DataFrame, x: str, y: str, colour: str) -> pd.DataFrame:
    _check_columns(runs, filter(None, (x, y, colour)))
    if not y or not _numeric(runs, y):
        numbers = [str(name) for name in runs.columns if _numeric(runs, name)]
        raise DataError(f"y: got '{y}'; right is a column of numbers: {', '.join(numbers)}")
    chosen = runs.dropna(subset=[x, y])
    words = [name for name in filter(None, (x, colour)) if not _numeric(runs, name)]
    chosen = chosen.assign(**{name: chosen[name].astype(str) for name in words})
    return chosen.sort_values(x) if _numeric(runs, x) else chosen


def _check_columns(runs: pd.DataFrame, names: Iterable[str]) -> None:
    columns = [str(name) for name in runs.columns]
    for name in names:
        if name not in columns:
            raise DataError(f"no column '{name}'; there are {', '.join(columns)}")


def _groups(runs: pd.DataFrame, colour: str) -> list[tuple[str, Any]]:
    if not colour:
        return [("", runs)]
    return [(str(name), group) for name, group in runs.groupby(colour, sort=True)]
