"""A volume in three dimensions, to turn: surfaces of phases, or one channel as a cloud."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from liscope.errors import DataError
from liscope.figures.volume_style import (
    COUNTS,
    between,
    colour_of,
    names_of,
    scale_of,
    sides,
    step_of,
)
from liscope.units import to_units

if TYPE_CHECKING:
    import k3d

BUDGET = 500_000  # voxels: some 500 000 triangles, 6 MB of page
HIDDEN = ("carbon",)  # it surrounds all others; the menu shows it
AXES = ("z", "y", "x")


def render_volume(volume: xr.DataArray | xr.Dataset, budget: int = BUDGET) -> k3d.Plot:
    """Return a volume to turn, in JupyterLab or, through ``deliver``, in a page of its own.

    Phases become surfaces in their fixed colours (carbon, which surrounds the others, waits in the
    menu); a channel becomes a cloud, clearer where there are fewer counts. The section's first face
    looks at the reader; lengths are those of the specimen.

    Parameters
    ----------
    volume
        Phases, a Dataset with ``label`` (z, y, x) and coordinate ``phase``; or one channel of a
        volume, a DataArray (z, y, x). Lazy ones are read block by block.
    budget
        Largest number of voxels drawn. Where there are more, neighbours are averaged, along the
        axes with the smallest voxels first; the text in the picture says how many became one.

    Raises
    ------
    DataError
        If it is neither, or has no coordinates in a unit of length.
    """
    import k3d

    if set(AXES) != set(_shape(volume)):
        raise DataError("to be turned, a volume needs the axes z, y and x; choose one channel")
    factors = coarsening(volume, budget)
    plot = k3d.plot(
        height=520, camera_auto_fit=False, grid_auto_fit=False, grid_visible=True,
        axes=[r"x / \mu m", r"y / \mu m", r"z / \mu m"], camera_fov=30,
        background_color=0xFFFFFF, lighting=2.0, fps=60,
    )  # fmt: skip
    shares = shares_of(volume, factors) if isinstance(volume, xr.Dataset) else {}
    drawn = _surfaces(shares) if isinstance(volume, xr.Dataset) else [_cloud(volume, factors)]
    for one in (*drawn, *_scale_bar(sides(volume)), _words(volume, factors, shares)):
        plot += one
    plot.grid, plot.camera = _grid(sides(volume)), camera(sides(volume))
    return plot


def _shape(volume: xr.DataArray | xr.Dataset) -> dict[str, int]:
    if isinstance(volume, xr.Dataset) and not {"label", "phase"} <= set(volume.variables):
        raise DataError("these are no phases: they need 'label' (z, y, x) and coordinate 'phase'")
    image = volume["label"] if isinstance(volume, xr.Dataset) else volume
    return {str(dim): size for dim, size in image.sizes.items()}


def coarsening(volume: xr.DataArray | xr.Dataset, budget: int) -> dict[str, int]:
    """Return how many voxels become one along each axis, for at most ``budget`` of them."""
    shape = _shape(volume)
    steps = {dim: abs(step_of(to_units(volume[dim], "um").to_numpy())) for dim in AXES}
    factors = dict.fromkeys(AXES, 1)
    while np.prod([shape[dim] // factors[dim] for dim in AXES]) > budget:
        several = [dim for dim in AXES if shape[dim] > factors[dim]]
        finest = min(several, key=lambda dim: (steps[dim] * factors[dim], -shape[dim]))
        factors[finest] += 1
    return factors


def coarse(image: xr.DataArray, factors: dict[str, int]) -> xr.DataArray:
    """Return means over blocks of voxels; what is left over at the far faces is left out."""
    return image.coarsen(dict(factors), boundary="trim").mean()


def _surfaces(shares: dict[str, xr.DataArray]) -> list[Any]:
    import k3d

    drawn = []
    for name, share in shares.items():
        if surface := surface_of(share):
            vertices, indices, _ = surface
            mesh = k3d.mesh(
                vertices, indices, flat_shading=False, side="double", roughness=0.8,
                color=_packed(colour_of(name, list(shares))), name=name,
                visible=name not in HIDDEN,
            )  # fmt: skip
            drawn.append(mesh)
    return drawn


def shares_of(phases: xr.Dataset, factors: dict[str, int]) -> dict[str, xr.DataArray]:
    """Return the share of each phase in blocks of voxels (z, y, x), all from one pass."""
    from dask.base import compute

    names = names_of(phases)
    label = phases["label"].transpose(*AXES)
    lazy = [coarse((label == n).astype(np.float32), factors) for n in range(1, len(names) + 1)]
    return dict(zip(names, compute(*lazy), strict=True))


def surface_of(share: xr.DataArray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return vertices (x, y, z; um), triangles and normals where a share passes one half.

    It is closed at the faces of the volume. None where there is nothing inside.
    """
    from skimage.measure import marching_cubes

    values = np.pad(share.transpose(*AXES).to_numpy(), 1)
    if values.max() <= 0.5:
        return None
    centres = [to_units(share[dim], "um").to_numpy() for dim in AXES]
    spacing = [step_of(one) for one in centres]
    vertices, triangles, normals, _ = marching_cubes(values, 0.5, spacing=spacing)
    start = [one[0] - step for one, step in zip(centres, spacing, strict=True)]
    placed = (vertices + start)[:, ::-1].astype(np.float32)
    return placed, triangles.astype(np.uint32), normals[:, ::-1].astype(np.float32)


def _cloud(channel: xr.DataArray, factors: dict[str, int]) -> Any:
    import k3d

    values = coarse(channel.transpose(*AXES).astype(np.float32), factors).compute()
    # 256 steps are what eyes tell apart, and are written in a third of the room.
    steps = between(values.to_numpy(), scale_of(values))
    bounds = [side for dim in "xyz" for side in sides(values)[dim]]
    return k3d.volume(
        np.nan_to_num(np.round(steps * 255) / 255).astype(np.float32),
        color_map=_colour_map(), color_range=[0, 1], bounds=bounds, alpha_coef=40,
        opacity_function=[0, 0, 0.25, 0, 1, 1], name=str(channel.name or "counts")
    )  # fmt: skip


def _colour_map() -> list[float]:
    places = np.linspace(0, 1, 32)
    return [float(v) for p in places for v in (p, *colormaps[COUNTS](p)[:3])]


def _scale_bar(faces: dict[str, tuple[float, float]]) -> list[Any]:
    import k3d

    left, right = faces["x"]
    length = round_length(0.25 * (right - left))
    y, z = faces["y"][1] + 0.06 * (right - left), faces["z"][0]
    ends = np.array([[left, y, z], [left + length, y, z]], dtype=np.float32)
    width = 0.008 * (right - left)
    bar = k3d.line(ends, shader="mesh", width=width, color=0, name="scale bar")
    text = k3d.text(
        rf"{length:g}\,\mu m", position=(left + length / 2, y + 2 * width, z), color=0, size=1.0,
        reference_point="ct", label_box=False, name="length of the scale bar",
    )  # fmt: skip
    return [bar, text]


def round_length(most: float) -> float:
    """Return the longest of 1, 2, 5, 10, ... that is not longer."""
    power = 10.0 ** np.floor(np.log10(most))
    return float(max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9)))


def _words(
    volume: xr.DataArray | xr.Dataset, factors: dict[str, int], shares: dict[str, xr.DataArray]
) -> Any:
    """Return the legend, and what was averaged."""
    import k3d

    names = list(shares)
    lines = [
        f"{_square(colour_of(name, names))} {escape(name)}{_remark(name, share)}"
        for name, share in shares.items()
    ]
    together = int(np.prod(list(factors.values())))
    shape = _shape(volume)
    voxels = " x ".join(str(shape[dim] // factors[dim]) for dim in "xyz")
    lines.append(f"{voxels} voxels" + (f", each the mean of {together}" if together > 1 else ""))
    return k3d.text2d(
        "<br>".join(lines), position=(0.015, 0.03), color=0, size=0.9, is_html=True,
        label_box=False, name="legend",
    )  # fmt: skip


def _remark(name: str, share: xr.DataArray) -> str:
    if name in HIDDEN:
        return " (hidden, see Objects)"
    thin = float((share > 0.5).sum()) < 0.5 * float(share.sum())
    return " (mostly thinner than what is drawn)" if thin else ""


def _square(colour: str) -> str:
    style = f"display:inline-block;width:.8em;height:.8em;background:{colour}"
    return f'<span style="{style};border:1px solid #888"></span>'


def _grid(faces: dict[str, tuple[float, float]]) -> list[float]:
    """Return where the grid begins and ends: at whole um, which K3D counts without decimals."""
    low = [float(np.round(faces[dim][0])) for dim in "xyz"]
    high = [max(float(np.round(faces[dim][1])), low[i] + 1) for i, dim in enumerate("xyz")]
    return [*low, *high]


def camera(faces: dict[str, tuple[float, float]]) -> list[float]:
    """Return a place before the first face, from which x runs to the right and y downwards."""
    middle = np.array([np.mean(faces[dim]) for dim in "xyz"])
    reach = float(np.linalg.norm([np.ptp(faces[dim]) for dim in "xyz"]))
    away = np.array([-0.45, -0.55, -1.0])
    place = middle + 1.95 * reach * away / np.linalg.norm(away)
    return [*map(float, place), *map(float, middle), 0.0, -1.0, 0.0]


def _packed(colour: str) -> int:
    red, green, blue = (round(255 * part) for part in to_rgb(colour))
    return (red << 16) + (green << 8) + blue
