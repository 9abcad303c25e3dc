"""The volume workflow as one writes it with SimpleITK, scipy.ndimage and dask-image.

    python volume_chain.py STORE OUT Y X

Needs zarr, SimpleITK, scipy, dask and dask-image. The stacks of STORE are taken to a volume of
phases: drift by SimpleITK's correlation pyramid from slice to slice, SIMS onto EDS by its Mattes
information of the means over depth, with the step and tolerance that fail the least, linear
interpolation slice by slice and between slices, covariances and joint histogram by dask, phases by
k-means of 2 sqrt(n + 3/8), components by dask-image, their sizes and middles by scipy.ndimage. Y
and X (um) say to a micrometre where the field of SIMS lies on that of EDS. Writes OUT/peers.npz:
places of all slices (um, y before x), labels on the grid, and CPU and wall seconds of each step.
"""

from __future__ import annotations

import resource
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import zarr

STEP = (0.06, 0.0814, 0.0814)  # um, z, y, x
MARKS = {"LLZTO": 1, "LCO": 0, "carbon": 3}  # the channel in which a phase is the brightest
SAMPLE = 200_000  # voxels that k-means learns from
BINS, SEED = 64, 0

Array = np.ndarray


class Steps:
    """Notes CPU and wall seconds of each step."""

    def __init__(self) -> None:
        self.times: dict[str, tuple[float, float]] = {}
        self._start = time.perf_counter(), time.process_time()

    def done(self, name: str) -> None:
        """End a step."""
        now = time.perf_counter(), time.process_time()
        self.times[name] = now[0] - self._start[0], now[1] - self._start[1]
        self._start = time.perf_counter(), time.process_time()


class Stack:
    """Pictures (channel, slice, y, x), their numbers, pixels (um) and tilt."""

    def __init__(self, group: zarr.Group) -> None:
        self.counts, self.numbers = group["counts"], group["slice"][:]
        self.y, self.x = group["y"][:], group["x"][:]
        self.pixel, self.tilt = float(self.x[1] - self.x[0]), float(group.attrs["tilt"])
        self.thickness = float(group.attrs["slice_thickness"]) / 1e3
        self.good = np.ones(len(self.numbers), bool)

    def even(self, channel: int, i: int) -> sitk.Image:
        """Return a picture whose counting noise is the same everywhere."""
        image = self.counts[channel, i].astype(np.float32)
        return sitk.GetImageFromArray(2 * np.sqrt(image + np.float32(0.375)))


def spoilt(stack: Stack) -> Array:
    """Return which slices hold half as many counts as the others, at least."""
    means = np.array([stack.counts[0, i].mean() for i in range(len(stack.numbers))])
    return means > 0.5 * np.median(means)


def drift(stack: Stack) -> Array:
    """Return shifts (slice, 2), um, added up from slice to slice; y before x."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 200)
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0.7])
    good = np.flatnonzero(stack.good)
    places = np.zeros((len(stack.numbers), 2))
    for before, after in pairwise(good):
        method.SetInitialTransform(sitk.TranslationTransform(2))
        found = method.Execute(stack.even(0, before), stack.even(0, after))
        places[after] = places[before] + np.asarray(found.GetParameters())[::-1] * stack.pixel
    for axis in (0, 1):
        places[:, axis] = np.interp(stack.numbers, stack.numbers[good], places[good, axis])
    return places - places.mean(0)


def resampled(
    stack: Stack, channel: int, i: int, matrix: Array, offset: Array, shape: tuple[int, int]
) -> Array:
    """Return one picture on the plane of the grid; picture = matrix @ section + offset, um."""
    turn = sitk.AffineTransform(2)
    turn.SetMatrix(matrix[::-1, ::-1].ravel().tolist())
    turn.SetTranslation(offset[::-1].tolist())
    image = sitk.GetImageFromArray(stack.counts[channel, i].astype(np.float32))
    image.SetSpacing((stack.pixel, stack.pixel))
    image.SetOrigin((float(stack.x[0]), float(stack.y[0])))
    size = (shape[1], shape[0])
    placed = sitk.Resample(
        image, size, turn, sitk.sitkLinear, (0.0, 0.0), STEP[:0:-1], (1, 0, 0, 1), np.nan
    )
    return sitk.GetArrayFromImage(placed)


def mean_plane(
    stack: Stack, channel: int, matrix: Array, offset: Array, shape: tuple[int, int]
) -> sitk.Image:
    """Return the mean over depth on the plane of the grid."""
    total, seen = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for i in np.flatnonzero(stack.good):
        one = resampled(stack, channel, i, matrix, offset[i], shape)
        total += np.nan_to_num(one)
        seen += np.isfinite(one)
    image = sitk.GetImageFromArray(total / np.maximum(seen, 1))
    image.SetSpacing(STEP[:0:-1])
    return image


def register(fixed: sitk.Image, moving: sitk.Image, start: Array) -> tuple[Array, Array]:
    """Return matrix and offset from the fixed plane to the moving one, um, y before x."""
    rigid = sitk.Euler2DTransform()
    middle = [0.5 * n for n in fixed.GetSize()]
    rigid.SetCenter(fixed.TransformContinuousIndexToPhysicalPoint(middle))
    rigid.SetTranslation(start[::-1].tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(0.2, 1e-8, 300)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SetInitialTransform(rigid, inPlace=True)
    method.Execute(fixed, moving)
    matrix = np.asarray(rigid.GetMatrix()).reshape(2, 2)[::-1, ::-1]
    centre = np.asarray(rigid.GetCenter())[::-1]
    return matrix, centre + np.asarray(rigid.GetTranslation())[::-1] - matrix @ centre


def onto_planes(
    stack: Stack, matrix: Array, offset: Array, depth: Array, shape: tuple[int, int, int]
) -> Array:
    """Return the volume (channel, z, y, x), interpolated between the good slices."""
    good = np.flatnonzero(stack.good)
    out = np.empty((stack.counts.shape[0], *shape), np.float32)
    z = STEP[0] * np.arange(shape[0])
    upper = np.clip(np.searchsorted(depth[good], z), 1, len(good) - 1)
    lower = good[upper - 1], good[upper]
    weight = np.clip((z - depth[lower[0]]) / (depth[lower[1]] - depth[lower[0]]), 0, 1)
    for channel in range(len(out)):
        kept: dict[int, Array] = {}
        for k in range(shape[0]):
            pair = int(lower[0][k]), int(lower[1][k])
            for i in pair:
                if i not in kept:
                    kept[i] = resampled(stack, channel, i, matrix, offset[i], shape[1:])
            kept = {i: kept[i] for i in pair}
            w = np.float32(weight[k])
            out[channel, k] = (1 - w) * kept[pair[0]] + w * kept[pair[1]]
    return out


def statistics(volume: Array) -> tuple[Array, Array]:
    """Return covariances, and the joint histogram of lithium and zirconium."""
    import dask.array as da

    lazy = da.from_array(volume, chunks=(1, 4, -1, -1)).reshape(len(volume), -1)
    there = np.isfinite(volume).all(0).ravel()
    lazy = lazy[:, there].compute_chunk_sizes()
    ends = [(0, float(np.nanmax(volume[i]))) for i in (-1, 1)]
    histogram = da.histogram2d(lazy[-1], lazy[1], BINS, ends)[0]
    return da.compute(da.cov(lazy), histogram)


def phases(volume: Array) -> Array:
    """Return labels (z, y, x), 1 and on in the order of ``MARKS``, 0 where a channel is missing."""
    from scipy import ndimage
    from scipy.cluster.vq import kmeans2, vq

    even = 2 * np.sqrt(volume + np.float32(0.375))
    for channel in even:
        ndimage.gaussian_filter(channel, (0, 1, 1), output=channel)
    flat = even.reshape(len(even), -1)
    there = np.flatnonzero(np.isfinite(flat).all(0))
    rng = np.random.default_rng(SEED)
    some = flat[:, rng.choice(there, min(SAMPLE, there.size), replace=False)].T
    middles, _ = kmeans2(some, len(MARKS), minit="++", rng=rng)
    label = np.zeros(flat.shape[1], np.uint8)
    names = np.empty(len(MARKS), np.uint8)
    free = list(range(len(MARKS)))
    for number, channel in enumerate(MARKS.values(), 1):
        best = max(free, key=lambda k: middles[k, channel])
        names[best] = number
        free.remove(best)
    for start in range(0, there.size, 1 << 20):
        part = there[start : start + (1 << 20)]
        label[part] = names[vq(flat[:, part].T, middles)[0]]
    return label.reshape(volume.shape[1:])


def components(label: Array) -> int:
    """Return how many components the phases have, with their sizes and middles."""
    import dask.array as da
    from dask_image import ndmeasure
    from scipy import ndimage

    total = 0
    for number in range(1, len(MARKS) + 1):
        mask = da.from_array(label == number, chunks=(4, -1, -1))
        numbers, count = ndmeasure.label(mask)
        numbers, count = numbers.compute(), int(count.compute())
        ndimage.sum_labels(np.ones(1, np.uint8), numbers, np.arange(1, count + 1))
        ndimage.center_of_mass(mask.compute(), numbers, np.arange(1, count + 1))
        total += count
    return total


def microstructure(label: Array) -> tuple[Array, Array]:
    """Return volume fractions, and voxel faces between phases."""
    size = len(MARKS) + 1
    fractions = np.bincount(label.ravel(), minlength=size)[1:] / np.count_nonzero(label)
    faces = np.zeros((size, size))
    for axis in range(3):
        one = np.moveaxis(label, axis, 0)
        key = size * one[:-1].astype(np.int16) + one[1:]
        faces += np.bincount(key.ravel(), minlength=size * size).reshape(size, size)
    return fractions, faces + faces.T


def main() -> None:
    """Run the chain."""
    store, out = zarr.open_group(sys.argv[1], mode="r"), Path(sys.argv[2])
    near = np.array([float(word) for word in sys.argv[3:5]])
    steps = Steps()
    steps.times["imports"] = (steps._start[1], steps._start[1])
    eds, sims = (Stack(store[name]) for name in ("eds", "sims"))
    places = []
    for stack in (eds, sims):
        stack.good = spoilt(stack)
        places.append(drift(stack))
    steps.done("drift")
    shapes = [np.diag([np.cos(np.deg2rad(stack.tilt)), 1.0]) for stack in (eds, sims)]
    high = (eds.y[-1] - eds.y[0]) / shapes[0][0, 0]
    plane = int(high / STEP[1]) + 1, int((eds.x[-1] - eds.x[0]) / STEP[2]) + 1
    first = [np.array([stack.y[0], stack.x[0]]) for stack in (eds, sims)]
    offsets = [place + at for place, at in zip(places, first, strict=True)]
    fixed = mean_plane(eds, 0, shapes[0], offsets[0], plane)
    wide = tuple(int(n * sims.pixel / STEP[1]) for n in sims.counts.shape[2:])
    moving = mean_plane(sims, 0, shapes[1], offsets[1], wide)
    turn, shift = register(fixed, moving, near)
    matrix = shapes[1] @ turn
    offset = offsets[1] + shapes[1] @ shift
    steps.done("registration")
    depth, sims_depth = (stack.thickness * stack.numbers.astype(float) for stack in (eds, sims))
    number = int((depth[-1] - depth[0]) / STEP[0] + 1e-6) + 1
    shape = (number, *plane)
    parts = [onto_planes(eds, shapes[0], offsets[0], depth - depth[0], shape)]
    parts.append(onto_planes(sims, matrix, offset, sims_depth - depth[0], shape))
    volume = np.concatenate(parts)
    steps.done("resampling")
    label = phases(volume)
    steps.done("phases")
    statistics(volume)
    steps.done("statistics")
    count = components(label)
    steps.done("components")
    microstructure(label)
    steps.done("microstructure")
    np.savez(
        out / "peers.npz", label=label, eds_matrix=shapes[0], eds_offset=offsets[0],
        sims_matrix=matrix, sims_offset=offset, depth=depth, sims_depth=sims_depth,
        components=count, steps=list(steps.times), times=list(steps.times.values()),
        peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    )  # fmt: skip


if __name__ == "__main__":
    main()
