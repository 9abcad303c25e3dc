"""What moves and counts voxels, beside SimpleITK, scipy, scikit-image, numpy and dask in one run.

    python benchmarks/volume_kernels.py [--slices 10] [--rows 500] [--columns 750] [--repeat 3]
                                        [--dask-image PYTHON]

A stack of Poisson counts is brought onto a grid that is turned by 1.5 degrees and a little finer
(on a coarser one only ours would widen the window), between unevenly thick slices: linear, and by
Lanczos' window of five lobes, which is SimpleITK's only one. On a volume of five channels are found
means and covariances, one joint histogram of 256 x 256, both at once, and covariance and
correlation in boxes of 9 x 9 pixels. Each is done by the peers' own functions, slice after slice
where they would otherwise spend weights in depth on nothing; dask-image takes part where
``--dask-image`` names the Python of an environment that has it. Reported are wall and CPU seconds,
the least of ``--repeat``, without compilation, how far each result is from ours in standard
deviations (SimpleITK does not normalise its window's weights), and the fastest peer's CPU seconds
over ours. Exits with 1 unless that is at least 1 everywhere. Takes half a minute on a quiet
machine; with --slices 20 --rows 1000 --columns 1500 some minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
import xarray as xr
from scipy import ndimage
from skimage import transform

from liscope.volume.frames import Frames, Grid
from liscope.volume.local import local_covariance
from liscope.volume.moments import joint_histogram, joint_moments, joint_statistics
from liscope.volume.resample import onto_grid

TURN, PIXEL, TARGET, THICK = np.deg2rad(1.5), 0.072, 0.07, 60.0
CHANNELS = ("Co", "Zr", "Al", "C", "Li")
PAIR = ("Li", "Zr")
BOX = 9
BINS, HIGH = 256, 40.0

DASK_IMAGE = """
import sys, time
import dask.array as da, numpy as np
from dask_image.ndinterp import affine_transform
with np.load(sys.argv[1]) as given:
    counts, matrix, offset, shape = (given[n] for n in ("counts", "matrix", "offset", "shape"))
def work():
    planes = [
        affine_transform(da.from_array(one), matrix, at, output_shape=tuple(shape), order=1)
        for one, at in zip(counts.astype(np.float32), offset)
    ]
    return da.stack(planes).compute()
work()
wall, cpu = time.perf_counter(), time.process_time()
np.save(sys.argv[2], work())
print(time.perf_counter() - wall, time.process_time() - cpu)
"""

Work = Callable[[], object]


def recorded(count: int, rows: int, columns: int) -> tuple[xr.DataArray, Frames, Grid]:
    """Return a stack of counts that covers the grid, where its slices lie, and the grid."""
    rng = np.random.default_rng(0)
    size = (1, count, int(1.14 * rows) + 160, int(1.14 * columns) + 160)
    axes = {
        dim: (dim, PIXEL * (np.arange(n) + 0.5), {"units": "um"})
        for dim, n in zip("yx", size[2:], strict=True)
    }
    stack = xr.DataArray(
        rng.poisson(6, size).astype(np.float32),
        {"ion": ["6Li+"], "slice": np.arange(count), **axes},
        ("ion", "slice", "y", "x"),
        attrs={"units": "count"},
    )
    turn = np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])
    frames = Frames.of(stack, THICK).after(turn, np.array([0.01 * rows * PIXEL + 3.0, 0.2]))
    frames = frames.moved(rng.normal(0, 0.05, (count, 2)))
    frames = frames.at_depths(frames.depth + rng.uniform(-0.01, 0.01, count))
    grid = Grid((THICK / 1e3, TARGET, TARGET), (0.0, 1.0, 1.0), (count, rows, columns))
    return stack, frames, grid


def in_pixels(frames: Frames, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return matrix and offsets (slice, 2) from the grid's to the pictures' pixels, y before x."""
    step, origin = np.array(grid.step[1:]), np.array(grid.origin[1:])
    matrix = frames.matrix[0] * step / PIXEL
    return matrix, (frames.matrix @ origin + frames.offset) / PIXEL - 0.5


def between(slices: np.ndarray, frames: Frames, grid: Grid) -> np.ndarray:
    """Return planes between resampled slices, as a peer's user would have to do by hand."""
    z = grid.origin[0] + grid.step[0] * np.arange(grid.shape[0])
    upper = np.clip(np.searchsorted(frames.depth, z), 1, len(slices) - 1)
    depth = frames.depth
    weight = np.clip((z - depth[upper - 1]) / (depth[upper] - depth[upper - 1]), 0, 1)
    weight = weight.astype(np.float32)[:, None, None]
    return (1 - weight) * slices[upper - 1] + weight * slices[upper]


def by_simpleitk(
    pictures: np.ndarray, matrix: np.ndarray, offset: np.ndarray, shape: tuple[int, int], how: int
) -> np.ndarray:
    """Return each picture on the grid's pixels."""
    turn = sitk.AffineTransform(2)
    turn.SetMatrix(matrix[::-1, ::-1].ravel().tolist())
    found = []
    for picture, at in zip(pictures, offset, strict=True):
        turn.SetTranslation(at[::-1].tolist())
        image = sitk.GetImageFromArray(picture)
        size = (shape[1], shape[0])
        found.append(sitk.GetArrayFromImage(sitk.Resample(image, size, turn, how)))
    return np.stack(found)


def by_scipy(
    pictures: np.ndarray, matrix: np.ndarray, offset: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Return each picture on the grid's pixels."""
    return np.stack(
        [
            ndimage.affine_transform(picture, matrix, at, shape, order=1)
            for picture, at in zip(pictures, offset, strict=True)
        ]
    )


def by_skimage(
    pictures: np.ndarray, matrix: np.ndarray, offset: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Return each picture on the grid's pixels."""
    found = []
    for picture, at in zip(pictures, offset, strict=True):
        turn = np.eye(3)
        turn[:2, :2], turn[:2, 2] = matrix[::-1, ::-1], at[::-1]
        found.append(
            transform.warp(picture, turn, output_shape=shape, order=1, preserve_range=True)
        )
    return np.stack(found)


def by_dask_image(
    python: str,
    pictures: np.ndarray,
    matrix: np.ndarray,
    offset: np.ndarray,
    shape: tuple[int, int],
) -> tuple[np.ndarray, float, float]:
    """Return each picture on the grid's pixels, and wall and CPU seconds in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.npz", Path(folder) / "made.npy"
        np.savez(given, counts=pictures, matrix=matrix, offset=offset, shape=shape)
        command = [python, "-c", DASK_IMAGE, str(given), str(made)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        wall, cpu = (float(word) for word in said.split())
        return np.load(made), wall, cpu


def resampling(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return seconds of bringing a stack onto a grid."""
    stack, frames, grid = recorded(arguments.slices, arguments.rows, arguments.columns)
    pictures, shape = stack[0].to_numpy(), (grid.shape[1], grid.shape[2])
    place = (pictures, *in_pixels(frames, grid), shape)
    linear = {
        "liscope": lambda: onto_grid(stack, frames, grid)[0].to_numpy(),
        "SimpleITK": lambda: between(by_simpleitk(*place, sitk.sitkLinear), frames, grid),
        "scipy.ndimage": lambda: between(by_scipy(*place), frames, grid),
        "scikit-image": lambda: between(by_skimage(*place), frames, grid),
    }
    window = {
        "liscope": lambda: onto_grid(stack, frames, grid, "lanczos", 5)[0].to_numpy(),
        "SimpleITK": lambda: between(
            by_simpleitk(*place, sitk.sitkLanczosWindowedSinc), frames, grid
        ),
    }
    rows = [
        *timed("linear", linear, arguments.repeat),
        *timed("Lanczos-5", window, arguments.repeat),
    ]
    if arguments.dask_image:
        slices, wall, cpu = by_dask_image(arguments.dask_image, *place)
        apart = apart_by(between(slices, frames, grid), linear["liscope"]())
        rows.append(
            {"task": "linear", "by": "dask-image", "wall": wall, "cpu": cpu, "apart": apart}
        )
    return pd.DataFrame(rows)


def counting(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return seconds of moments, joint histogram and local covariance."""
    import dask.array as da

    rng = np.random.default_rng(1)
    size = (len(CHANNELS), arguments.slices, arguments.rows, arguments.columns)
    axes = {
        dim: (dim, step * np.arange(n), {"units": "um"})
        for dim, n, step in zip("zyx", size[1:], (0.06, TARGET, TARGET), strict=True)
    }
    values = rng.poisson(6, size).astype(np.float32)
    volume = xr.DataArray(
        values, {"channel": list(CHANNELS), **axes}, ("channel", "z", "y", "x")
    ).chunk({"channel": 1, "z": 4})
    flat, lazy = values.reshape(len(CHANNELS), -1), volume.data.reshape(len(CHANNELS), -1)
    one, other = (CHANNELS.index(name) for name in PAIR)
    ends = ((0.0, HIGH), (0.0, HIGH))
    ranges = dict.fromkeys(PAIR, ends[0])
    moments = {
        "liscope": lambda: joint_moments(volume)["covariance"].to_numpy(),
        "numpy": lambda: np.cov(flat),
        "dask.array": lambda: da.cov(lazy).compute(),
    }
    histogram = {
        "liscope": lambda: joint_histogram(volume, PAIR, BINS, ranges).to_numpy(),
        "numpy": lambda: np.histogram2d(flat[one], flat[other], BINS, ends)[0],
        "dask.array": lambda: da.histogram2d(lazy[one], lazy[other], BINS, ends)[0].compute(),
    }
    both = {
        "liscope": lambda: joint_statistics(volume, [PAIR], BINS, ranges)[1][0].to_numpy(),
        "numpy": lambda: (np.cov(flat), histogram["numpy"]())[1],
        "dask.array": lambda: da.compute(
            da.cov(lazy), da.histogram2d(lazy[one], lazy[other], BINS, ends)[0]
        )[1],
    }
    boxes = {
        "liscope": lambda: (
            local_covariance(volume, PAIR, BOX * TARGET, False)[["correlation"]]
            .compute()["correlation"]
            .to_numpy()
        ),
        "scipy.ndimage": lambda: filtered(values[one], values[other]),
    }
    rows = []
    for name, work in {
        "5 x 5 covariance": moments,
        "joint histogram": histogram,
        "both in one pass": both,
        "local correlation": boxes,
    }.items():
        rows += timed(name, work, arguments.repeat)
    return pd.DataFrame(rows)


def filtered(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the correlation in boxes, by five filters; float32, as SciPy's own sums allow."""

    def mean(values: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(values, (1, BOX, BOX))

    one, other = mean(a), mean(b)
    both = mean(a * b) - one * other
    return both / np.sqrt((mean(a * a) - one**2) * (mean(b * b) - other**2))


def timed(task: str, work: dict[str, Work], repeat: int) -> list[dict[str, object]]:
    """Return a row for each: least wall and CPU seconds, and how far its result is from ours."""
    ours = work["liscope"]()  # compiles
    rows = []
    for name, one in work.items():
        spent = []
        for _ in range(repeat):
            wall, cpu = time.perf_counter(), time.process_time()
            result = one()
            spent.append((time.perf_counter() - wall, time.process_time() - cpu))
        wall, cpu = (min(s) for s in zip(*spent, strict=True))
        apart = apart_by(np.asarray(result), np.asarray(ours))
        rows.append({"task": task, "by": name, "wall": wall, "cpu": cpu, "apart": apart})
    return rows


def apart_by(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference away from the borders, over the standard deviation."""
    inner = tuple(slice(12, -12) if n > 50 and one.ndim == 3 else slice(None) for n in one.shape)
    return float(np.nanmax(np.abs(one[inner] - other[inner])) / np.nanstd(other[inner]))


def compared(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with CPU and wall seconds over ours."""
    for column in ("wall", "cpu"):
        ours = table[table["by"] == "liscope"].set_index("task")[column]
        table[f"{column} / ours"] = table[column] / table["task"].map(ours)
    return table.set_index(["task", "by"]).sort_index(sort_remaining=False)


def main() -> int:
    """Run all, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--slices", type=int, default=10, help="of the stack (default: 10)")
    parser.add_argument("--rows", type=int, default=500, help="of a plane (default: 500)")
    parser.add_argument("--columns", type=int, default=750, help="of a plane (default: 750)")
    parser.add_argument("--repeat", type=int, default=3, help="least of so many (default: 3)")
    parser.add_argument("--dask-image", metavar="PYTHON", help="of an environment that has it")
    arguments = parser.parse_args()
    table = compared(pd.concat([resampling(arguments), counting(arguments)]))
    voxels = arguments.slices * arguments.rows * arguments.columns
    print(
        f"{voxels / 1e6:.3g} million voxels, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    print(table.to_string(float_format=lambda number: f"{number:.3g}"))
    peers = table[table.index.get_level_values("by") != "liscope"]
    slowest = peers.groupby(level="task")["cpu / ours"].min()
    print("\nfastest peer over ours (CPU):", slowest.round(2).to_dict())
    return int((slowest < 1).any())


if __name__ == "__main__":
    sys.exit(main())
