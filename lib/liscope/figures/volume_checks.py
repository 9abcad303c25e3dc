"""Where the slices lie, and how well that is known: drift, depths, one instrument on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Patch
from scipy.stats import chi2

from liscope.figures.style import BLUE, GREY, ORANGE
from liscope.figures.volume_style import NOTHING, add_scale_bar, bare, sides

if TYPE_CHECKING:
    from liscope.volume.drift import Drift

LEVEL = 1.96  # standard deviations on either side: 95 %
# Two colours that sum to white: where both pictures agree it is grey, whichever cones an eye has.
FIXED, MOVING = (1.0, 0.55, 0.0), (0.0, 0.45, 1.0)


def slice_drift_figure(drift: Drift, truth: np.ndarray | None = None) -> Figure:
    """Draw where each picture lies against the mean of all, with 95 % bands and the bad slices.

    Parameters
    ----------
    drift
        From :func:`liscope.volume.slice_drift`.
    truth
        (slice, 2: y, x), um, where it is known; drawn as dots against its own mean.
    """
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    axis = figure.subplots()
    for column, (dim, colour) in enumerate((("y", ORANGE), ("x", BLUE))):
        shift, sigma = 1e3 * drift.shift[:, column], 1e3 * drift.sigma[:, column]
        axis.fill_between(
            drift.slices, shift - LEVEL * sigma, shift + LEVEL * sigma, color=colour, alpha=0.25,
            lw=0,
        )  # fmt: skip
        axis.plot(drift.slices, shift, color=colour, lw=1.2, label=f"{dim}, with 95 % band")
        if truth is not None:
            known = 1e3 * (truth[:, column] - np.mean(truth[:, column]))
            axis.plot(drift.slices, known, ".", color=colour, ms=3, label=f"{dim}, truth")
    _mark(axis, drift.slices[drift.bad], "bad slice")
    axis.set(xlabel="slice", ylabel="picture's place / nm")
    axis.legend(frameon=False, fontsize=8, ncols=2, loc="best")
    return figure


def _mark(axis: Axes, numbers: np.ndarray, label: str) -> None:
    """Shade slices, and tell in the legend why."""
    for count, number in enumerate(numbers):
        axis.axvspan(
            number - 0.5, number + 0.5, color="#CC79A7", alpha=0.35, lw=0,
            label=None if count else label,
        )  # fmt: skip


def depth_figure(depths: xr.Dataset, recorded: np.ndarray | None = None) -> Figure:
    """Draw the thickness of each slice, and how far its depth is from that of even slices.

    Parameters
    ----------
    depths
        From :func:`liscope.volume.slice_depths`: over ``slice``, ``thickness`` (nm) and ``depth``
        (um), each with ``_low`` and ``_high``.
    recorded
        Numbers of the slices that were recorded; the others are marked.
    """
    figure = Figure(figsize=(9.0, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    number = depths["slice"].to_numpy()
    _interval(left, number, depths, "thickness", 1.0)
    mean = float(depths.attrs.get("mean_thickness", depths["thickness"].mean()))
    left.axhline(mean, color=GREY, lw=0.8, ls="--", label=f"mean {mean:.1f} nm")
    left.set(xlabel="slice", ylabel="thickness / nm", ylim=(0, None))
    even = mean * (number - number[0]) / 1e3
    _interval(right, number, _against(depths, even), "depth", 1e3)
    right.axhline(0, color=GREY, lw=0.8, ls="--", label="slices all alike")
    right.set(xlabel="slice", ylabel="depth beyond even slices' / nm")
    absent = np.setdiff1d(number, number if recorded is None else recorded)
    for axis in (left, right):
        _mark(axis, absent, "not recorded")
        axis.legend(frameon=False, fontsize=8)
    told = depths.attrs.get("told_by", "")
    figure.suptitle(f"told by {told}" if told else "", fontsize=8, x=0.01, ha="left")
    return figure


def _against(depths: xr.Dataset, even: np.ndarray) -> xr.Dataset:
    names = ["depth", "depth_low", "depth_high"]
    return depths[names] - xr.DataArray(even, dims="slice")


def _interval(axis: Axes, number: np.ndarray, table: xr.Dataset, name: str, scale: float) -> None:
    low, value, high = (scale * table[f"{name}{end}"].to_numpy() for end in ("_low", "", "_high"))
    axis.fill_between(number, low, high, step="mid", color=BLUE, alpha=0.25, lw=0, label="95 %")
    axis.step(number, value, where="mid", color=BLUE, lw=1.2)


def registration_figure(
    fixed: xr.DataArray,
    before: xr.DataArray,
    after: xr.DataArray,
    covariance: np.ndarray,
    pixel: float,
    names: tuple[str, str] = ("fixed", "moving"),
) -> Figure:
    """Draw one instrument over the other before and after, and how well their shift is known.

    Orange is the fixed picture, blue the moving one; where both are bright it is white, so that a
    shift shows as coloured rims.

    Parameters
    ----------
    fixed, before, after
        Images (y, x) of one grid, coordinates in um: of the fixed instrument, and of the moving one
        as first supposed and as registered. NaN: not seen.
    covariance
        (2, 2: y, x) of the shift, um2.
    pixel
        Of the moving instrument, nm; a third of it is drawn for comparison.
    names
        Of what the fixed and the moving pictures show.
    """
    high, wide = (np.ptp(side) for side in sides(fixed).values())
    figure = Figure(figsize=(10.2, 3.7 * high / wide + 0.8), layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=[3.7, 3.7, 2.2])
    for axis, title, moving in zip(axes, ("before", "after"), (before, after), strict=False):
        (top, bottom), (left, right) = (sides(fixed)[dim] for dim in "yx")
        axis.imshow(blend(fixed, moving), extent=(left, right, bottom, top))
        bare(axis, title)
        add_scale_bar(axis)
    told = dict(zip(names, (FIXED, MOVING), strict=True))
    hidden = any(bool(one.isnull().any()) for one in (fixed, before, after))
    told |= {"not seen by both": to_rgb(NOTHING)} if hidden else {}
    axes[0].legend(
        handles=[Patch(color=colour, label=name) for name, colour in told.items()],
        loc="upper right", fontsize=7,
    )  # fmt: skip
    _ellipse(axes[2], np.asarray(covariance, float), pixel)
    return figure


def blend(fixed: xr.DataArray, moving: xr.DataArray) -> np.ndarray:
    """Return (y, x, 3) where both pictures, made alike in contrast, add up in their colours.

    Grey where one of them shows nothing.
    """
    one, other = (_levelled(image)[..., None] for image in (fixed, moving))
    seen = np.clip(one * np.array(FIXED) + other * np.array(MOVING), 0, 1)
    return np.where(np.isfinite(seen), seen, to_rgb(NOTHING))


def _levelled(image: xr.DataArray) -> np.ndarray:
    values = image.transpose("y", "x").to_numpy().astype(float)
    if not np.isfinite(values).any():
        return np.zeros_like(values)
    low, high = np.nanquantile(values, [0.02, 0.98])
    return np.asarray(np.clip((values - low) / ((high - low) or 1.0), 0, 1))


def _ellipse(axis: Axes, covariance: np.ndarray, pixel: float) -> None:
    """Draw the region that holds the error of the shift with 95 %, nm."""
    width, angle = ellipse_of(covariance)
    axis.add_patch(
        Ellipse(
            (0, 0), *(2e3 * width), angle=angle, fc=BLUE, alpha=0.3, ec=BLUE, lw=1.2,
            label="95 % of the shift's error",
        )
    )  # fmt: skip
    third = Ellipse(
        (0, 0),
        2 * pixel / 3,
        2 * pixel / 3,
        fill=False,
        ec=GREY,
        ls="--",
        label="a third of a pixel",
    )
    axis.add_patch(third)
    reach = 1.25 * max(1e3 * float(width.max()), pixel / 3)
    axis.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
    axis.axhline(0, color=GREY, lw=0.5)
    axis.axvline(0, color=GREY, lw=0.5)
    axis.set(xlabel="x / nm", ylabel="y / nm")
    axis.legend(frameon=False, fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def ellipse_of(covariance: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the half axes (2,) of the 95 % ellipse, and the angle of the first, degrees.

    The covariance is in the order y, x; the angle is from x to y.
    """
    values, vectors = np.linalg.eigh(covariance)
    along_y, along_x = vectors[:, 0]
    half = np.sqrt(np.maximum(values, 0) * chi2.ppf(0.95, 2))
    return half, float(np.degrees(np.arctan2(along_y, along_x)))
