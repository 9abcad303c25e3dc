"""Index simulated spot patterns of LMNO, platinum and glass, beside pyxem, py4DSTEM and quantem.

    python benchmarks/indexing.py [--pyxem PYTHON] [--quantem PYTHON] [--py4dstem PYTHON]

Each peer runs in an environment of its own (they exclude each other's versions of numpy and zarr):
give its interpreter by the option, or by LISCOPE_PYXEM, LISCOPE_QUANTEM and LISCOPE_PY4DSTEM;
without, it is left out. ``pip install pyxem``, ``py4DSTEM`` and ``quantem`` are all it takes.

The patterns come from ``liscope.specimens.spot_patterns``: orientations at random, 12 to 30 nm
thick, 57 % LMNO, 18 % platinum, 25 % glass. ``medium`` has shot noise of three grey levels an
electron and intensities that scatter by 0.35; ``hard`` has eight, 0.5, a centre off by 0.7 px and
ellipses of 1 %. Everyone is given the same patterns, the same atoms, the camera constant, and a
grid of 1 degree (1081 templates a phase). All run on one thread, so a rate is per second of a core;
libraries and compilation are counted apart. Orientations are scored by one function
(``orientation_scoring``), each program in the frame that suits it best; "forgiven" counts the half
turn about the beam as right. Glass is told from crystals by the threshold of each score that does
it best. Slow peers are given the first of the patterns only (``--limit py4DSTEM=128``).
The peers' settings are the best of a handful tried on the last patterns of these sets.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from orientation_scoring import score
from peers.common import Answer, measure

from liscope.diffraction.index import index
from liscope.diffraction.library import library
from liscope.diffraction.polar import Geometry
from liscope.diffraction.structures import Crystal, open_crystal
from liscope.diffraction.templates import Beam
from liscope.specimens import spot_patterns

HERE = Path(__file__).resolve()
PHASES = ("lmno", "pt")
SHARES = (0.57, 0.18)  # of the phases; the rest is glass
SETS = {"medium": spot_patterns.MEDIUM, "hard": spot_patterns.HARD}
OPTICS = spot_patterns.Optics()
STEP = 1.0  # degrees between templates
ATOMIC_NUMBERS = {"Li": 3, "O": 8, "Mn": 25, "Ni": 28, "Pt": 78}


@dataclass(frozen=True)
class Peer:
    """A program beside ours: its environment, script, patterns it is given, further arguments."""

    program: str
    script: str
    count: int
    extra: tuple[str, ...] = ()


PEERS = {
    "pyxem": Peer("pyxem", "pyxem_indexing.py", 2048),
    "quantem": Peer("quantem", "quantem_indexing.py", 512),
    "quantem refined": Peer("quantem", "quantem_indexing.py", 512, ("--refined",)),
    "py4DSTEM": Peer("py4DSTEM", "py4dstem_indexing.py", 512),
}
ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR", "VECLIB")
}


def write_set(folder: Path, camera: spot_patterns.Camera, count: int, seed: int) -> None:
    """Write patterns, setup, and the truth that no program is given."""
    rng = np.random.default_rng(seed)
    of_phases = [round(share * count) for share in SHARES]
    kind = rng.permutation(np.repeat([0, 1, -1], [*of_phases, count - sum(of_phases)]))
    true = rng.standard_normal((count, 4))
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    thick = rng.uniform(12, 30, count)
    content = spot_patterns.Content(
        phase=kind[:, None],
        orientation=true[:, None],
        thickness=thick[:, None],
        grain=np.arange(count)[:, None],
        glass=np.where(kind < 0, thick, 0.0),
        window=np.zeros(count),
    )
    crystals = tuple(open_crystal(name) for name in PHASES)
    patterns = spot_patterns.record(content, crystals, OPTICS, camera, rng, seed)
    np.save(folder / "patterns.npy", patterns)
    np.savez(folder / "truth.npz", kind=kind, true=true)
    (folder / "setup.json").write_text(json.dumps(setup(crystals, camera)))


def setup(crystals: tuple[Crystal, ...], camera: spot_patterns.Camera) -> dict:
    """Return what every program is told: optics, gain, crystals, and how finely to look."""
    return {
        "voltage": OPTICS.voltage,
        "precession": OPTICS.precession,
        "pixel": OPTICS.pixel,
        "centre": [(OPTICS.size - 1) / 2] * 2,
        "reach": OPTICS.size / 2 * OPTICS.pixel,
        "step": STEP,
        "electron": camera.count,
        "crystals": [atoms(crystal) for crystal in crystals],
    }


def atoms(crystal: Crystal) -> dict:
    """Return a crystal's file and the atoms of its cell, for programs that read no CIF."""
    structure = crystal.phase.structure
    return {
        "name": crystal.name,
        "cif": str(crystal.path.resolve()),
        "cell": list(structure.lattice.abcABG()),
        "numbers": [ATOMIC_NUMBERS[atom.element] for atom in structure],
        "positions": structure.xyz.tolist(),
        "occupancy": structure.occupancy.tolist(),
    }


def _ours(folder: Path, count: int) -> None:
    """Index the first ``count`` patterns by liscope, in the same way as the peers' scripts do."""

    def prepare(given: dict) -> Callable[[np.ndarray], Answer]:
        pixel, size = given["pixel"], round(2 * given["reach"] / given["pixel"])
        templates = library(
            [open_crystal(name) for name in PHASES],
            Geometry(np.eye(2) / pixel, (size, size)),
            Beam(given["voltage"], given["precession"]),
            given["step"],
        )

        def found(patterns: np.ndarray) -> Answer:
            best = index(patterns, templates)
            return best.phase[:, 0], best.orientation[:, 0], best.score[:, 0]

        return found

    measure("liscope", prepare)


def run(name: str, python: str, script: list[str], folder: Path, count: int) -> dict | None:
    """Return what a program found and what it cost, or None if it could not run."""
    command = [python, *script[:1], str(folder), str(count), *script[1:]]
    done = subprocess.run(
        command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip() or "no message").splitlines()[-1]
        print(f"{name} left out: {reason}", file=sys.stderr)
        return None
    with np.load(folder / f"{name}.npz", allow_pickle=False) as found:
        return dict(found)


def row(found: dict, folder: Path) -> dict[str, float]:
    """Return costs and scores of one program."""
    with np.load(folder / "truth.npz", allow_pickle=False) as truth:
        kind, true = (truth[name][: len(found["phase"])] for name in ("kind", "true"))
    scores = score(found["phase"], found["orientation"], found["score"], kind, true)
    return {
        "patterns": len(kind),
        "rate": len(kind) / float(found["seconds"]),
        "library": float(found["library"]),
        "fixed": float(found["fixed"]),
        "rss": float(found["rss"]),
        **dataclasses.asdict(scores),
    }


COLUMNS = {
    "patterns": "patterns",
    "rate": "patterns per CPU-s",
    "library": "library, CPU-s",
    "fixed": "library and compilation, CPU-s",
    "rss": "peak memory, GiB",
    "lmno_median": "LMNO median, deg",
    "lmno_p95": "LMNO p95, deg",
    "lmno_p95_forgiven": "LMNO p95 forgiven, deg",
    "lmno_near": "LMNO within 2 deg",
    "lmno_near_forgiven": "LMNO within 2 deg forgiven",
    "pt_median": "Pt median, deg",
    "pt_median_forgiven": "Pt median forgiven, deg",
    "pt_far": "Pt beyond 5 deg",
    "pt_far_forgiven": "Pt beyond 5 deg forgiven",
    "phase": "phase right, of crystals",
    "classes": "phase or glass right",
    "ours": "our rate is times theirs",
}


def table(rows: dict[str, dict[str, float]]) -> str:
    """Return a Markdown table, one line a program."""
    if "liscope" in rows:
        for each in rows.values():
            each["ours"] = rows["liscope"]["rate"] / each["rate"]
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame = frame[[name for name in COLUMNS if name in frame]].rename(columns=COLUMNS)
    lines = [["", *frame.columns], ["---"] * (1 + len(frame.columns))]
    lines += [[name, *(f"{value:.4g}" for value in values)] for name, *values in frame.itertuples()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def benchmark(folder: Path, counts: dict[str, int], pythons: dict[str, str]) -> dict[str, dict]:
    """Return the rows of all programs that can run on the set in ``folder``."""
    rows = {}
    for name, count in counts.items():
        peer = PEERS.get(name)
        if peer and not pythons.get(peer.program):
            print(
                f"{name} left out: no interpreter given ({option(peer.program)})", file=sys.stderr
            )
            continue
        script = [str(HERE.parent / "peers" / peer.script), *peer.extra] if peer else [str(HERE)]
        python = pythons[peer.program] if peer else sys.executable
        found = run(name, python, script, folder, count)
        if found is not None:
            rows[name] = row(found, folder)
    return rows


def option(program: str) -> str:
    """Return the command line option that names a program's interpreter."""
    return f"--{program.lower()}"


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for program in sorted({peer.program for peer in PEERS.values()}):
        variable = f"LISCOPE_{program.upper()}"
        parser.add_argument(
            option(program), default=os.environ.get(variable), help=f"interpreter (or {variable})"
        )
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--patterns", type=int, default=2048, help="in a set")
    parser.add_argument(
        "--limit", action="append", default=[], metavar="NAME=COUNT", help="patterns of a program"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="programs to run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    return parser.parse_args()


def main() -> None:
    """Run everything and print the tables."""
    given = arguments()
    pythons = {peer.program: getattr(given, peer.program.lower()) for peer in PEERS.values()}
    counts = {"liscope": given.patterns, **{name: peer.count for name, peer in PEERS.items()}}
    counts |= {name: int(count) for name, count in (each.split("=") for each in given.limit)}
    counts = {
        name: min(count, given.patterns)
        for name, count in counts.items()
        if not given.only or name in given.only
    }
    report = []
    for name in given.sets:
        with tempfile.TemporaryDirectory() as folder:
            write_set(Path(folder), SETS[name], given.patterns, given.seed)
            rows = benchmark(Path(folder), counts, pythons)
        report.append(f"### {name}\n\n{table(rows) if rows else 'nothing ran'}\n")
        print(report[-1], flush=True)
    if given.output:
        given.output.write_text("\n".join(report), encoding="utf-8")


if __name__ == "__main__":
    # As a program of its own, like the peers': FOLDER COUNT.
    if len(sys.argv) == 3 and sys.argv[2].isdigit():
        _ours(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
