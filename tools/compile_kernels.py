"""Compile what is compiled at its first use, once and in one process, into the environment.

Usage: python tools/compile_kernels.py

numba keeps compiled functions beside their sources. Where two processes do so at the same moment,
as parallel tests and batches do in a fresh environment, parts of both may end up together, and
every later process that loads them crashes: so did orix, whose functions are compiled at import.
"""

from __future__ import annotations

import numpy as np
import xarray as xr


def main() -> None:
    """Import what compiles at import, and use every kernel of ours on a small specimen."""
    import orix.plot
    import orix.quaternion.symmetry  # noqa: F401
    from orix.quaternion import Quaternion
    from orix.vector import Vector3d

    from liscope import diffraction, grains, volume  # noqa: F401
    from liscope.specimens.llzto_lco import stacks

    # Each of these is compiled in two parts, which must be of one process.
    turn = Quaternion.identity()
    _ = turn * turn, turn * Vector3d.xvector(), ~turn

    tree = stacks(slices=8, shape=(48, 64)).compute()
    eds, sims = (tree[name].to_dataset()["counts"] for name in ("eds", "sims"))
    frames = [volume.Frames.of(one, 60.0) for one in (eds, sims)]
    frames[1] = frames[1].moved(np.full((len(frames[1].depth), 2), 2.0))
    grid = volume.Grid.over(eds, frames[0])
    for method in ("lanczos", "linear"):
        parts = [
            volume.onto_grid(one, at, grid, method)
            for one, at in zip((eds, sims), frames, strict=True)
        ]
    voxels = xr.concat(parts, "channel")
    volume.joint_statistics(voxels, [("Zr", "Co")], 16)
    volume.local_covariance(voxels, ("Zr", "Co"), 0.5)
    phases = volume.identify(voxels)
    volume.contact_table(phases)
    volume.chord_table(volume.separate(phases, "LCO"), phases)
    volume.label_components(phases).compute()


if __name__ == "__main__":
    main()
