"""Label the mask in FOLDER/mask.zarr by one program; needs zarr and that program alone.

    python volume_labelling.py PROGRAM FOLDER CONNECTIVITY

Writes FOLDER/PROGRAM.npz: the components' sizes, sorted; wall and CPU seconds, from opening the
mask to labels on disk; and how much memory that took beyond what the imports had, GiB.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zarr

RANK = {6: 1, 18: 2, 26: 3}
Work = Callable[[Path, int, Path], None]


def write(labels: np.ndarray, path: Path, chunks: tuple[int, ...]) -> None:
    """Store labels that were found in memory."""
    out = zarr.create_array(path, shape=labels.shape, chunks=chunks, dtype="int32")
    out[:] = labels


def liscope(mask: Path, connectivity: int, path: Path) -> None:
    """Label by ours, out of core."""
    import dask.array as da
    import xarray as xr

    from liscope.volume.labels import label_components

    label = xr.DataArray(da.from_zarr(mask), dims=("z", "y", "x"))
    label_components(label, connectivity).data.to_zarr(path)


def dask_image(mask: Path, connectivity: int, path: Path) -> None:
    """Label by dask-image, out of core."""
    import dask.array as da
    from dask_image import ndmeasure
    from scipy import ndimage

    given = da.from_zarr(mask)
    near = ndimage.generate_binary_structure(3, RANK[connectivity])
    labels, _ = ndmeasure.label(given, structure=near)
    labels.astype("int32").to_zarr(path)


def scipy(mask: Path, connectivity: int, path: Path) -> None:
    """Label by scipy.ndimage in memory."""
    from scipy import ndimage

    given = zarr.open_array(mask, mode="r")
    near = ndimage.generate_binary_structure(3, RANK[connectivity])
    write(ndimage.label(given[:], near)[0], path, given.chunks)


def skimage(mask: Path, connectivity: int, path: Path) -> None:
    """Label by scikit-image in memory."""
    from skimage.measure import label

    given = zarr.open_array(mask, mode="r")
    write(label(given[:], connectivity=RANK[connectivity]), path, given.chunks)


def cc3d(mask: Path, connectivity: int, path: Path) -> None:
    """Label by cc3d in memory."""
    from cc3d import connected_components

    given = zarr.open_array(mask, mode="r")
    write(connected_components(given[:], connectivity=connectivity), path, given.chunks)


PROGRAMS: dict[str, Work] = {
    "liscope": liscope, "cc3d": cc3d, "scipy": scipy, "skimage": skimage, "dask_image": dask_image
}  # fmt: skip


def watched(work: Callable[[], None]) -> dict[str, float]:
    """Return what a work costs."""
    done, most = threading.Event(), [0.0]

    def watch() -> None:
        while not done.is_set():
            most[0] = max(most[0], resident())
            time.sleep(0.01)

    before, thread = resident(), threading.Thread(target=watch)
    thread.start()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    costs = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    done.set()
    thread.join()
    return costs | {"memory": most[0] - before}


def resident() -> float:
    """Return the memory that the process holds, GiB."""
    line = next(s for s in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in s)
    return int(line.split()[1]) / 2**20


def main() -> None:
    """Run one program."""
    name, folder, connectivity = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    work, mask = PROGRAMS[name], folder / "mask.zarr"
    small = folder / f"{name}_small.zarr"
    zarr.create_array(small, shape=(4, 8, 8), chunks=(2, 8, 8), dtype="u1")[:] = 1
    work(small, connectivity, folder / f"{name}_warm.zarr")  # imports
    path = folder / f"{name}.zarr"
    costs = watched(lambda: work(mask, connectivity, path))
    found = zarr.open_array(path, mode="r")
    size = np.zeros(0, np.int64)
    for z in range(0, found.shape[0], found.chunks[0]):
        part = np.bincount(found[z : z + found.chunks[0]].ravel())
        size, part = (np.pad(a, (0, max(size.size, part.size) - a.size)) for a in (size, part))
        size = size + part
    np.savez(folder / f"{name}.npz", sizes=np.sort(size[1:][size[1:] > 0]), **costs)


if __name__ == "__main__":
    main()
