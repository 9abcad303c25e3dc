"""Damage instrument files in every way and count what the readers say.

    python benchmarks/fuzz_readers.py [files per format, 300 by default: half a minute]

Real files are damaged where there are some (folder LISCOPE_REAL), and small ones of known layout
besides. Every file is opened in a process with limited memory and a time limit; anything but a
Dataset or a one-line ReaderError counts as "other" and makes the command fail.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests" / "readers"))
import synthetic_curves as curves
import synthetic_diffraction as diffraction
import synthetic_eds as eds
import synthetic_ions as ions
import synthetic_oina as oina
import synthetic_scans as files

from liscope.errors import ReaderError
from liscope.readers import (
    read_curves,
    read_diffraction,
    read_eds,
    read_ions,
    read_orientations,
    read_scan,
    read_sem,
)

MEMORY = 1 << 30  # bytes of address space beyond those of the idle process
SECONDS = 5
CHUNK = 50  # files a process
ABSURD = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFFFFFF)
NUMBERS = (b"0", b"-1", b"1e308", b"nan", b"inf", b"99999999999999999999", b"65536", b"", b"\xff")
REAL = {
    "gwy": ("bipm.gwy", "file_landscape.gwy"),
    "nanoscope": ("old_bruker.002", "bruker_data_header.002", "force_bruker.001"),
    "ibw": ("P0089OP0027.ibw", "Line0010Point0025.ibw"),
    "sxm": ("pySPM_test.sxm",),
    "park": (),
    "dat": ("Bias-Spectroscopy041.dat",),
    "3ds": ("STS_grid_lockin.3ds",),
    "iv.ibw": ("Line0010Point0025.ibw",),
    "csv": (),
    "im": ("OpenMIMS_doc_040702_06-05mos-03a.im", "RTIimage.im"),
    "surfacelab": (),
    "bif6": (),
    "tofwerk.h5": ("fib_sims_opened.h5",),
    "phi.h5": (),
    "blo": ("test1.blo",),
    "mib": (),
    "dm3": ("test_diffraction_pattern.dm3",),
    "_000.tvips": ("test_tvips_2233_000.tvips",),
    "hspy": ("example2_v3.1.hspy", "py4DSTEM_size2x3x4x5.h5"),
    "ang": (),
    "ctf": (),
    "orix.h5": (),
    "bcf": ("16x16_12bit_packed_8bit.bcf",),
    "pts": (),
    "jeol.map": ("View000_0000001.map",),
    "velox.emd": (),
    "h5oina": (),
    "sem.tif": ("test_loading_image_saved_with_imageJ_stack.tif",),
}
READERS = dict.fromkeys(("dat", "3ds", "iv.ibw", "csv"), read_curves)
READERS |= dict.fromkeys(("im", "surfacelab", "bif6", "tofwerk.h5", "phi.h5"), read_ions)
READERS |= dict.fromkeys(("blo", "mib", "dm3", "_000.tvips", "hspy"), read_diffraction)
READERS |= dict.fromkeys(("ang", "ctf", "orix.h5"), read_orientations)
READERS |= dict.fromkeys(("bcf", "pts", "jeol.map", "velox.emd", "h5oina"), read_eds)
READERS["sem.tif"] = read_sem
BLOCKS = ("tofwerk.h5", "hspy")  # of HDF5, which stay in the file


class TooSlow(BaseException):
    """Not an Exception, so that no reader can catch it."""


# --------------------------------------------------------------------------------- originals


def originals(form: str) -> list[bytes]:
    """Return whole files of a format: a small synthetic one, and the real ones."""
    folder = Path(os.environ.get("LISCOPE_REAL", "no such folder"))
    real = [path for name in REAL[form] for path in folder.rglob(name)]
    return [synthetic(form), *(path.read_bytes() for path in real)]


def synthetic(form: str) -> bytes:
    """Return a small sound file."""
    image = files.picture()
    if form == "gwy":
        entries = {"/0/data/title": "Z", "/0/meta": {"Bias": "1 V"}}
        return files.gwy({"/0/data": files.field(image, 1e-6, 2e-6)} | entries)
    if form == "nanoscope":
        scale = {"@2:Z scale": "V [Sens. Zsens] (0.0003 V/LSB) 20.0 V"}
        images = [("Height", way, image.astype("<i2"), scale) for way in ("Trace", "Retrace")]
        return files.nanoscope(images)
    if form == "ibw":
        return files.ibw({"HeightTrace": image, "CurrentRetrace": image}, "ScanRate: 1\nBias: 2\n")
    if form == "sxm":
        return files.sxm([("Z", "m", "both", np.stack([image, image]))], "up")
    if form == "park":
        return files.park(image.astype("<i4"))
    return SYNTHETIC[form]()


SWEEP = {"Bias (V)": (0, 1, 2), "Current (A)": (1, 2, 3), "Current [bwd] (A)": (6, 5, 4)}
SYNTHETIC = {
    "dat": lambda: curves.dat(SWEEP),
    "3ds": lambda: curves.grid({"Current (A)": np.arange(12.0).reshape(4, 3)}, (-1, 1), (2, 2)),
    "iv.ibw": lambda: curves.ibw({"Bias": (0, 1, 2), "Current": (1, 2, 3)}, "XLVDT: 1e-6"),
    "csv": lambda: curves.CSV.encode(),
    "im": lambda: ions.nanosims(ions.picture(2, 3), ["12C", "16O"], [12.0, 16.0]),
    "surfacelab": lambda: ions.surfacelab(ions.picture(1, 2)[0]),
    "bif6": lambda: ions.bif6(ions.picture()[:, 0], [(0, 0, 0), (1, 2, 3)]),
    "tofwerk.h5": lambda: ions.tofwerk(ions.picture(2, 2), ["nominal", "[7Li]+"], [1.0, 7.016]),
    "phi.h5": lambda: ions.sims_h5({7.0: ions.picture(1, 2)[0], 16.0: ions.picture(1, 2)[0]}),
    "blo": lambda: diffraction.blockfile(diffraction.patterns((3, 4, 5, 5))),
    "mib": lambda: diffraction.merlin(diffraction.patterns((12, 5, 6), "u2")),
    "dm3": lambda: diffraction.micrograph(diffraction.patterns()),
    "_000.tvips": lambda: diffraction.tvips(diffraction.patterns((12, 5, 6))),
    "hspy": lambda: diffraction.hspy(diffraction.patterns()),
    "ang": diffraction.ang,
    "ctf": diffraction.ctf,
    "orix.h5": diffraction.orix_h5,
    "bcf": lambda: eds.bcf(eds.spectra()),
    "pts": lambda: eds.jeol_pts(eds.spectra()),
    "jeol.map": lambda: eds.jeol_map(np.ones((3, 4)), "Co K"),
    "velox.emd": lambda: eds.velox(eds.spectra()),
    "h5oina": lambda: oina.oina([{"Co": np.ones((3, 4))}], np.ones((3, 4)), spectra=eds.spectra()),
    "sem.tif": lambda: eds.fei(np.ones((6, 5), "u2"), 4),
}


# --------------------------------------------------------------------------------- mutations


def mutants(form: str, count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield `count` damaged files, the same ones for the same seed."""
    rng = np.random.default_rng([seed, *form.encode()])
    whole = originals(form)
    for i in range(count):
        raw = whole[i % len(whole)]
        for _ in range(rng.integers(1, 4)):
            raw = MUTATIONS[rng.integers(len(MUTATIONS))](raw, rng)
        yield with_checksum(raw) if form.endswith("ibw") and rng.random() < 0.8 else raw


def place(raw: bytes, rng: np.random.Generator) -> int:
    """Return a byte: mostly of the header, now and then of the end, where labels lie."""
    ranges = [(0, 512), (0, 4096), (0, 50_000), (len(raw) - 2000, len(raw)), (0, len(raw))]
    low, high = ranges[rng.integers(len(ranges))]
    return int(rng.integers(max(low, 0), max(min(high, len(raw)), 1)))


def truncate(raw: bytes, rng: np.random.Generator) -> bytes:
    """End the file early."""
    return raw[: place(raw, rng)]


def flip(raw: bytes, rng: np.random.Generator) -> bytes:
    """Turn over a few bits."""
    damaged = bytearray(raw or b"\0")
    for _ in range(rng.integers(1, 9)):
        damaged[place(bytes(damaged[:60_000]), rng)] ^= 1 << rng.integers(8)
    return bytes(damaged)


def absurd_field(raw: bytes, rng: np.random.Generator) -> bytes:
    """Replace a binary number by an absurd one."""
    size, order = int(rng.choice([1, 2, 4, 8])), ("little", "big")[rng.integers(2)]
    value = ABSURD[rng.integers(len(ABSURD))] % 256**size
    at = place(raw, rng)
    return raw[:at] + value.to_bytes(size, order) + raw[at + size :]


def absurd_text(raw: bytes, rng: np.random.Generator) -> bytes:
    """Replace one number that stands in text."""
    numbers = [m.span() for m in re.finditer(rb"[-+]?\d+(\.\d+)?(E-?\d+)?", raw[:50_000])]
    if not numbers:
        return raw
    low, high = numbers[rng.integers(len(numbers))]
    return raw[:low] + NUMBERS[rng.integers(len(NUMBERS))] + raw[high:]


def splice(raw: bytes, rng: np.random.Generator) -> bytes:
    """Put random bytes in between."""
    at = place(raw, rng)
    return raw[:at] + rng.bytes(int(rng.integers(1, 200))) + raw[at:]


def repeat(raw: bytes, rng: np.random.Generator) -> bytes:
    """Repeat a piece three times."""
    low, high = sorted((place(raw, rng), place(raw, rng)))
    return raw[:high] + raw[low : low + min(high - low, 10_000)] * 3 + raw[high:]


def drop(raw: bytes, rng: np.random.Generator) -> bytes:
    """Leave a piece out."""
    at = place(raw, rng)
    return raw[:at] + raw[at + int(rng.integers(1, 300)) :]


MUTATIONS = (truncate, flip, absurd_field, absurd_field, absurd_text, absurd_text, splice)
MUTATIONS += (repeat, drop)


def with_checksum(raw: bytes) -> bytes:
    """Make Igor's checksum right again, or nothing behind it would be tried."""
    if len(raw) < 384:
        return raw
    order = ">i2" if raw[0] == 0 else "<i2"
    words = np.frombuffer(raw[:384], order).astype(np.int64)
    words[1] = 0
    right = (-int(words.sum()) + 32768) % 65536 - 32768
    return raw[:2] + np.array(right, order).tobytes() + raw[4:]


# ----------------------------------------------------------------------------------- opening


def outcome(path: Path, form: str) -> str:
    """Open a file; return "ok", "ReaderError", or what else happened.

    What is lazy is read as well, but for the blocks of HDF5 files that stay there: a damaged one is
    an OSError of h5py when it is asked for, which no reader can turn into one of ours.
    """
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            found = READERS.get(form, read_scan)(path)
            if "spectrum" in found:
                found = found.isel(y=[0, -1])  # of many gigabytes, where a file says so
            if form not in BLOCKS:
                found.load(scheduler="synchronous")  # threads do not survive a fork
        return f"warning {seen[0].message}" if seen else "ok"
    except ReaderError as error:
        message = str(error)
        tidy = "\n" not in message and path.name in message and str(path.parent) not in message
        return "ReaderError" if tidy and len(message) < 400 else f"untidy: {message}"
    except (Exception, TooSlow) as error:
        return f"{type(error).__name__}: {error}"


def _stop(*_: object) -> None:
    raise TooSlow


def open_chunk(form: str, first: int, count: int, seed: int) -> tuple[Counter[str], float, float]:
    """Open some of the mutants; return outcomes, the longest time (s) and memory growth (MB)."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (pages + MEMORY, pages + MEMORY))
    signal.signal(signal.SIGALRM, _stop)
    found: Counter[str] = Counter()
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"mutant.{form}"
        for raw in mutants(form, count, seed + first):
            path.write_bytes(raw)
            began = time.perf_counter()
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            found[outcome(path, form)] += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            longest = max(longest, time.perf_counter() - began)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found, longest, (after - before) / 1024


def main(count: int = 300) -> int:
    """Print one row a format; return 1 if anything but a Dataset or a ReaderError came out."""
    heads = ("format", "files", "ok", "ReaderError", "other", "max s", "max growth MB")
    print(("{:>12}" * len(heads)).format(*heads))
    others: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for form in REAL:  # loads the libraries, so that memory grows by the files alone
            path = Path(folder) / f"sound.{form}"
            path.write_bytes(synthetic(form))
            outcome(path, form)  # libraries may warn of themselves as they are loaded
            assert outcome(path, form) == "ok", form
    context = multiprocessing.get_context("fork")
    for form in REAL:
        tasks = [(form, first, CHUNK, 1000) for first in range(0, count, CHUNK)]
        with context.Pool(1, maxtasksperchild=1) as pool:
            rows = [pool.apply_async(open_chunk, t).get(CHUNK * SECONDS + 60) for t in tasks]
        total: Counter[str] = sum((row[0] for row in rows), Counter())
        other = Counter({k: n for k, n in total.items() if k not in {"ok", "ReaderError"}})
        others += other
        shown = (form, total.total(), total["ok"], total["ReaderError"], other.total())
        slow, grown = max(row[1] for row in rows), max(row[2] for row in rows)
        print(("{:>12}" * 5 + "{:>12.2f}{:>12.0f}").format(*shown, slow, grown))
    for what, times in others.most_common(20):
        print(f"{times:>6} {what[:200]}")
    return 1 if others else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
