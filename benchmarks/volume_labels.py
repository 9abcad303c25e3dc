"""Connected components of a large mask, beside cc3d, scipy, scikit-image and dask-image.

    python benchmarks/volume_labels.py [--slices 100] [--rows 1000] [--columns 1500]
                                       [--connectivity 6] [--dask-image PYTHON]

The mask lies on disk in blocks of eight slices (Zarr): a threshold of a smooth random field, a
fifth of the voxels, in blobs of some ten voxels. Every program has a process of its own that reads
the mask and writes labels; cc3d, scipy and scikit-image hold the whole in memory, ours and
dask-image do not. dask-image takes part where ``--dask-image`` (or LISCOPE_DASK_IMAGE) names the
Python of an environment that has it and zarr. Reported are wall and CPU seconds, memory beyond the
imports', and ours over each. Exits with 1 unless all find components of the same sizes, and ours
takes no more wall time than dask-image, and less memory than any of those in memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import zarr
from scipy import ndimage

PEER = Path(__file__).resolve().parent / "peers" / "volume_labelling.py"
BLOCK = 8  # slices
WHOLE = ("cc3d", "scipy", "skimage")


def write_mask(folder: Path, shape: tuple[int, int, int], seed: int) -> None:
    """Write a mask whose blobs go on from block to block."""
    out = zarr.create_array(
        folder / "mask.zarr", shape=shape, chunks=(BLOCK, *shape[1:]), dtype="u1"
    )
    rng, reach = np.random.default_rng(seed), 16
    noise = rng.standard_normal((BLOCK + 2 * reach, *shape[1:]), np.float32)
    for z in range(0, shape[0], BLOCK):
        smooth = ndimage.gaussian_filter(noise, 3.5, truncate=4.0)[reach:-reach]
        out[z : z + BLOCK] = (smooth > 0.8 * smooth.std())[: shape[0] - z]
        more = rng.standard_normal((BLOCK, *shape[1:]), np.float32)
        noise = np.concatenate([noise[BLOCK:], more])


def run(name: str, python: str, folder: Path, connectivity: int) -> dict | None:
    """Return what a program found and what it cost, or None if it could not run."""
    command = [python, str(PEER), name, str(folder), str(connectivity)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1]
        print(f"{name} left out: {reason}", file=sys.stderr)
        return None
    with np.load(folder / f"{name}.npz", allow_pickle=False) as found:
        return dict(found)


def table(found: dict[str, dict], voxels: int) -> pd.DataFrame:
    """Return one row a program."""
    ours = found["liscope"]
    rows = {
        name: {
            "components": len(one["sizes"]),
            "same sizes": np.array_equal(one["sizes"], ours["sizes"]),
            "wall, s": float(one["wall"]),
            "CPU, s": float(one["cpu"]),
            "Mvoxels per s": voxels / 1e6 / float(one["wall"]),
            "memory, GiB": float(one["memory"]),
            "its wall over ours": float(one["wall"] / ours["wall"]),
            "its memory over ours": float(one["memory"] / ours["memory"]),
        }
        for name, one in found.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def good(rows: pd.DataFrame) -> bool:
    """Whether ours is right, faster than dask-image and smaller than the others."""
    right = bool(rows["same sizes"].all())
    small = all(rows.loc[n, "its memory over ours"] > 1 for n in WHOLE if n in rows.index)
    fast = "dask_image" not in rows.index or rows.loc["dask_image", "its wall over ours"] >= 1
    return right and small and fast


def main() -> None:
    """Run all programs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, count in (("slices", 100), ("rows", 1000), ("columns", 1500), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--connectivity", type=int, choices=(6, 18, 26), default=6)
    parser.add_argument("--dask-image", default=os.environ.get("LISCOPE_DASK_IMAGE"))
    given = parser.parse_args()
    pythons = dict.fromkeys(("liscope", *WHOLE), sys.executable)
    if given.dask_image:
        pythons["dask_image"] = given.dask_image
    shape = (given.slices, given.rows, given.columns)
    with tempfile.TemporaryDirectory() as place:
        write_mask(Path(place), shape, given.seed)
        every = {n: run(n, p, Path(place), given.connectivity) for n, p in pythons.items()}
    rows = table({n: one for n, one in every.items() if one is not None}, int(np.prod(shape)))
    print(f"{shape[0]} x {shape[1]} x {shape[2]} voxels, connectivity {given.connectivity}")
    print(rows.round(2).T.to_string())
    sys.exit(0 if good(rows) else 1)


if __name__ == "__main__":
    main()
