"""A volume in three dimensions on paper: blocks with three faces, and shaded surfaces of phases.

Both are parallel projections with one scale along all three axes, so that one bar serves them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.transforms import Affine2D

from liscope.figures.volume_3d import HIDDEN, coarsening, shares_of, surface_of
from liscope.figures.volume_images import colour_bar
from liscope.figures.volume_sections import colouring, cuts_of, image_of
from liscope.figures.volume_style import (
    add_scale_bar,
    blank,
    blank_handles,
    channel_title,
    colour_of,
    legend_below,
    map_of,
    names_of,
    phase_handles,
    sides,
    unit_label,
)

SLANT = np.deg2rad(40.0)  # of the z axis in the drawing of a block
BUDGET = 200_000  # voxels of a shaded picture: some 100 000 triangles
# The reader stands before the first face, a little above and to the left of the middle.
TURN, TILT = np.deg2rad(-28.0), np.deg2rad(24.0)
LIGHT = np.array([-0.4, -0.7, -0.6]) / np.linalg.norm([-0.4, -0.7, -0.6])


def block_figure(panels: Mapping[str, xr.DataArray | xr.Dataset]) -> Figure:
    """Draw volumes as blocks, of which the first face, the top and the right side show; Fig. 5.

    The axis of milling runs backwards at 40 degrees in its full length. Of a lazy volume only the
    three faces are read, and nine slices for the scale of colours. What was not measured there, as
    at rims that drift took out of the field, is told below.

    Parameters
    ----------
    panels
        Channels (z, y, x) or phases by name.
    """
    first = image_of(next(iter(panels.values())))
    length = {dim: high - low for dim, (low, high) in sides(first).items()}
    wide = length["x"] + np.cos(SLANT) * length["z"]
    high = length["y"] + np.sin(SLANT) * length["z"]
    columns = min(len(panels), 3 if len(panels) > 4 else 2)
    rows = -(-len(panels) // columns)
    side = 9.6 / columns
    figure = Figure(figsize=(9.6, rows * ((side - 0.7) * high / wide + 0.35)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    told: list[Patch] = []
    for letter, axis, (name, volume) in zip("abcdefghi", axes, panels.items(), strict=False):
        drawn = _block(axis, volume, map_of(name))
        axis.set_title(f"{letter}   {channel_title(name)}")
        if isinstance(volume, xr.DataArray):
            colour_bar(axis, drawn, unit_label(volume))
            told += blank_handles(axis.images)
        else:
            unlabelled = any((one.get_array() == 0).any() for one in axis.images)
            told += phase_handles(names_of(volume), unlabelled)
    for axis in axes[len(panels) :]:
        axis.remove()
    legend_below(figure, list({one.get_label(): one for one in told}.values()))
    return figure


def _block(axis: Axes, volume: xr.DataArray | xr.Dataset, channel_map: str) -> Any:
    """Draw three faces, each sheared to where it lies."""
    image, (norm, colours) = image_of(volume), colouring(volume)
    colours = channel_map if isinstance(volume, xr.DataArray) else colours
    faces = sides(image)
    (z0, z1), (y0, y1), (x0, x1) = (faces[dim] for dim in "zyx")
    along = np.array([np.cos(SLANT), -np.sin(SLANT)])  # of one um in z
    first = {dim: float(image[dim][0]) for dim in "zyx"}
    last_x = {"x": float(image["x"][-1])}
    views = {
        # view, and how (across, down) of the cut lie in the drawing: matrix and offset
        "xy": (first, np.eye(2), np.zeros(2)),
        "xz": (first, np.array([[1, along[0]], [0, along[1]]]), np.array([0, y0]) - z0 * along),
        "yz": (last_x, np.array([[along[0], 0], [along[1], 1]]), np.array([x1, 0]) - z0 * along),
    }
    cuts = cuts_of(image, {view: places for view, (places, _, _) in views.items()})
    for view, (_, matrix, offset) in views.items():
        values = cuts[view]
        (top, bottom), (left, right) = (faces[str(dim)] for dim in values.dims)
        drawn = axis.imshow(
            values.to_numpy(), norm=norm, cmap=colours, extent=(left, right, bottom, top)
        )
        placed = Affine2D(np.array([[*matrix[0], offset[0]], [*matrix[1], offset[1]], [0, 0, 1]]))
        drawn.set_transform(placed + axis.transData)
        corners = np.array(
            [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        )
        outline = corners @ matrix.T + offset
        axis.fill(*outline.T, fc=blank(colours), lw=0, zorder=-1)
        axis.plot(*outline.T, color="black", lw=0.5)
    depth = (z1 - z0) * along
    room = 0.02 * (x1 - x0)
    axis.set(
        xlim=(x0 - room, x1 + depth[0] + room), ylim=(y1 + room, y0 + depth[1] - room),
        aspect="equal", facecolor="white",
    )  # fmt: skip
    axis.axis("off")
    add_scale_bar(axis)
    return drawn


def surface_figure(phases: xr.Dataset, budget: int = BUDGET) -> Figure:
    """Draw the surfaces of the phases as :func:`render_volume` shows them, for print.

    Parameters
    ----------
    phases
        ``label`` (z, y, x) and coordinate ``phase``; carbon, which surrounds the others, is left
        out, and so is what is thinner than the voxels drawn.
    budget
        Largest number of voxels; where there are more, neighbours are averaged.
    """
    names = [name for name in names_of(phases) if name not in HIDDEN]
    shares = shares_of(phases, coarsening(phases, budget))
    corners, shades, seen = [], [], []
    for name in names:
        if surface := surface_of(shares[name]):
            seen.append(name)
            corners.append(surface[0][surface[1]])
            shades.append(_shaded(surface, to_rgb(colour_of(name, names_of(phases)))))
    figure = Figure(figsize=(7.6, 5.0), layout="constrained")
    axis = figure.subplots()
    _draw_triangles(axis, corners, shades)
    _draw_box(axis, sides(phases))
    axis.set(aspect="equal")
    (left, right), (top, bottom) = axis.get_xlim(), axis.get_ylim()
    axis.set(ylim=(bottom + 0.08 * (right - left), top))  # y downwards, and room for the bar
    axis.axis("off")
    add_scale_bar(axis)
    figure.legend(
        handles=phase_handles(seen), loc="outside lower center", ncols=6, frameon=False, fontsize=8
    )
    return figure


def projected(points: np.ndarray) -> np.ndarray:
    """Return points (..., 3: x, y, z) as the reader sees them: right, down, and away; um."""
    turn = np.array([[np.cos(TURN), 0, np.sin(TURN)], [0, 1, 0], [-np.sin(TURN), 0, np.cos(TURN)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(TILT), -np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]])
    return np.asarray(points @ (tilt @ turn).T)


def _shaded(surface: tuple[np.ndarray, ...], colour: tuple[float, ...]) -> np.ndarray:
    _, triangles, normals = surface
    facing = normals[triangles].mean(1)
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-9)
    light = 0.55 + 0.45 * np.clip(facing @ LIGHT, -0.4, 1)
    return np.asarray(np.clip(np.array(colour) * light[:, None] + 0.08 * light[:, None], 0, 1))


def _draw_triangles(axis: Axes, corners: list[np.ndarray], shades: list[np.ndarray]) -> None:
    """Draw triangles from the back to the front."""
    if not corners:
        return
    seen, colours = projected(np.concatenate(corners)), np.concatenate(shades)
    order = np.argsort(-seen[..., 2].mean(1))
    axis.add_collection(
        PolyCollection(
            list(seen[order, :, :2]), facecolors=colours[order], edgecolors=colours[order],
            linewidths=0.3, rasterized=True,
        )
    )  # fmt: skip
    axis.autoscale_view()


def _draw_box(axis: Axes, faces: dict[str, tuple[float, float]]) -> None:
    """Draw the edges of the volume; those behind are thinner."""
    ends = np.array([[x, y, z] for x in faces["x"] for y in faces["y"] for z in faces["z"]])
    hidden = projected(ends)[:, 2].argmax()
    for one in range(8):
        for other in range(one + 1, 8):
            if (ends[one] != ends[other]).sum() == 1:
                behind = hidden in (one, other)
                line = projected(ends[[one, other]])
                axis.plot(
                    line[:, 0], line[:, 1], color="#888888", lw=0.6 if behind else 0.9,
                    ls=":" if behind else "-", zorder=0 if behind else 3,
                )  # fmt: skip
