"""Writers of small diffraction and orientation files, from the documented layouts.

`patterns` counts up through scan and detector, neither of them square, so that no axis can be mixed
up; a blockfile's frames are square, so `patterns` takes the shape. `turned` are known rotations.
"""

import io
import struct

import h5py
import numpy as np

NY, NX = 3, 4


def patterns(shape: tuple[int, ...] = (NY, NX, 5, 6), dtype: str = "u1") -> np.ndarray:
    return (np.arange(np.prod(shape)) % 251).reshape(shape).astype(dtype)


def blockfile(
    frames: np.ndarray,
    step: tuple[float, float] = (2.0, 3.0),
    note: bytes = b"Precession angle : 0.7\r\nCamera gamma : off",
    voltage: int = 200_000,
    sdp: int = 6226,
    camera: int = 2000,
) -> bytes:
    """200 kV, 62.26 px/cm at 200 mm; the bright field counts down from 200."""
    ny, nx, side, _ = frames.shape
    second = 4096 + -(-ny * nx // 16) * 16
    raw = struct.pack("<6sH3I5H", b"IMGBLO", 0x102, 4096, second, 0, side, 0, nx, ny, 2500)
    raw += struct.pack("<2dIHId", step[1], step[0], voltage, sdp, camera, 42339.5) + bytes(22 * 8)
    raw = (raw + note).ljust(4096, b"\0") + bytes(range(200, 200 - ny * nx, -1))
    raw = raw.ljust(second, b"\0")
    for i, frame in enumerate(frames.reshape(-1, side, side)):
        raw += struct.pack("<HI", 0x55AA, i) + frame.tobytes()
    return raw


def merlin(frames: np.ndarray) -> bytes:
    """A series (frame, y, x) of one chip, 16 bits, row 0 of the file the bottom one."""
    raw = b""
    for i, frame in enumerate(frames, 1):
        ny, nx = frame.shape
        second = 10 + i + (i - 1) // NX  # a pause between lines
        head = f"MQ1,{i:06},00384,01,{nx:04},{ny:04},U16,   1x1,01,2021-05-07 18:51:{second}.9,0.1,"
        head += f"0,0,0,4.0E+1,MQ1A,2021-05-07T16:51:{second}.905800928Z,100000000ns,6,"
        raw += head.encode().ljust(384, b"\0") + frame[::-1].astype(">u2").tobytes()
    return raw


def tvips(frames: np.ndarray) -> bytes:
    """A series (frame, y, x) of 16 bits at 200 kV."""
    _, ny, nx = frames.shape
    raw = struct.pack("<13I", 256, 2, nx, ny, 16, 0, 0, 1, 1, 1, 200, 0, 60).ljust(256, b"\0")
    for i, frame in enumerate(frames):
        raw += struct.pack("<4IfI I5fI2f", i, 1_000_000, i, 0, 0, 0, 2, *[0.0] * 5, 0, 0, 0)
        raw += frame.astype("<u2").tobytes()
    return raw


def micrograph(frames: np.ndarray) -> bytes:
    """A DigitalMicrograph 3 file of (y, x, ky, kx) in 16 bits, 2 nm and 0.5 1/nm a step."""
    steps = [(0.5, "1/nm")] * 2 + [(2.0, "nm")] * 2

    def group(name: str, *tags: bytes) -> bytes:
        return _name(20, name) + struct.pack(">2BI", 1, 0, len(tags)) + b"".join(tags)

    def simple(name: str, kind: int, form: str, value: float) -> bytes:
        return _name(21, name) + b"%%%%" + struct.pack(">2I", 1, kind) + struct.pack(form, value)

    def array(name: str, kind: int, values: np.ndarray) -> bytes:
        head = struct.pack(">4I", 3, 20, kind, values.size)
        return _name(21, name) + b"%%%%" + head + values.tobytes()

    axes = [
        group(
            "",
            simple("Origin", 6, "<f", 0.0),
            simple("Scale", 6, "<f", scale),
            array("Units", 4, np.array([ord(c) for c in unit], "<u2")),
        )
        for scale, unit in steps
    ]
    image = group(
        "ImageData",
        group("Calibrations", group("Dimension", *axes)),
        simple("DataType", 5, "<I", 10),
        group("Dimensions", *(simple("", 5, "<I", n) for n in frames.shape[::-1])),
        simple("PixelDepth", 5, "<I", 2),
        array("Data", 4, frames.astype("<u2")),
    )
    voltage = group("Microscope Info", simple("Voltage", 6, "<f", 200_000.0))
    root = group("ImageList", group("", group("ImageTags", voltage), image))
    body = struct.pack(">2BI", 1, 0, 1) + root
    return struct.pack(">3I", 3, len(body), 1) + body + bytes(8)


def _name(kind: int, name: str) -> bytes:
    return struct.pack(">BH", kind, len(name)) + name.encode()


AXES = (("y", 2.0, 10.0, "nm"), ("x", 3.0, 0.0, "nm"))
AXES += (("ky", 0.1, -0.2, "$A^{-1}$"), ("kx", 0.2, -0.6, "1/angstrom"))


def hspy(frames: np.ndarray, chunks: bool = True, beam_energy: float = 80.0) -> bytes:
    """A HyperSpy file; the incident beam is in pixel (2, 3)."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.attrs["file_format"], file.attrs["file_format_version"] = "HyperSpy", "3.3"
        signal = file.create_group("Experiments/__unnamed__")
        options = {"chunks": (1, 1, *frames.shape[2:]), "compression": "gzip"} if chunks else {}
        signal.create_dataset("data", data=frames, **options)
        signal.create_group("original_metadata")
        signal.create_group("metadata/General").attrs["title"] = "scan"
        tem = signal.create_group("metadata/Acquisition_instrument/TEM")
        tem.attrs["beam_energy"] = beam_energy
        for i, (name, scale, offset, units) in enumerate(AXES):
            axis = signal.create_group(f"axis-{i}")
            told = {"name": name, "scale": scale, "offset": offset, "units": units}
            axis.attrs.update(told | {"size": frames.shape[i], "navigate": i < 2})
    return memory.getvalue()


# ------------------------------------------------------------------------------ orientations

EULER = np.deg2rad(np.stack([np.linspace(5, 340, 12), np.linspace(5, 170, 12), np.full(12, 33)], 1))
PHASE = np.array([1, 1, 2, 2, 1, 1, 2, 2, 0, 0, 1, 2])
INDEX = np.arange(10, 22)


def ctf(
    astar: bool = True, spacing: float = 0.0027, phases: int = 2, points: int = NY * NX
) -> bytes:
    """3 x 4 points as ASTAR writes them: CRLF, few digits, and a wrong step in the header."""
    author = "File created from ACOM RES results" if astar else "somebody"
    cells = ["3.5910;3.5910;3.5910\t90;90;90\tFe Austenite\t11\t225"]
    cells += ["2.95;2.95;4.68\t90;90;120\talpha Ti\t9\t194"]
    lines = ["Channel Text File", "Prj\tscan", f"Author\t{author}", "JobMode\tGrid"]
    lines += [f"XCells\t{NX}", f"YCells\t{NY}", "XStep\t0.001", "YStep\t0.001"]
    lines += ["AcqE1\t0", "AcqE2\t0", "AcqE3\t0", "Euler angles refer to CS0!\tMag\t200"]
    lines += [f"Phases\t{phases}", *cells]
    lines += ["Phase\tX\tY\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC\tBS"]
    for i in range(points):
        angles = "\t".join(f"{angle:.4f}" for angle in np.rad2deg(EULER[i]))
        place = f"{spacing * (i % NX):.4f}\t{spacing * (i // NX):.4f}"
        lines += [f"{PHASE[i]}\t{place}\t6\t0\t{angles}\t0.{i:02}00\t{INDEX[i]}\t50"]
    return ("\r\n".join(lines) + "\r\n").encode()


def ang(grid: str = "SqrGrid", points: int = NY * NX) -> bytes:
    """3 x 4 points 1.5 um apart, as EDAX writes them; two are not indexed (confidence -1)."""
    lines = ["# TEM_PIXperUM 1.0", "# Phase 2", "# MaterialName  Nickel", "# Formula  Ni"]
    lines += ["# Symmetry 43", "# LatticeConstants 3.52 3.52 3.52 90.0 90.0 90.0"]
    lines += ["# Phase 1", "# MaterialName  Titanium", "# Formula  Ti", "# Symmetry 62"]
    lines += ["# LatticeConstants 2.95 2.95 4.68 90.0 90.0 120.0", f"# GRID: {grid}"]
    lines += ["# XSTEP: 1.5", "# YSTEP: 1.5", f"# NCOLS_ODD: {NX}", f"# NCOLS_EVEN: {NX}"]
    lines += [f"# NROWS: {NY}", "#"]
    for i in range(points):
        angles = " ".join(f"{angle:.5f}" for angle in EULER[i])
        confidence = -1 if PHASE[i] == 0 else 0.5
        place = f"{1.5 * (i % NX):.5f} {1.5 * (i // NX):.5f}"
        lines += [f"{angles} {place} 30.0 {confidence} {max(PHASE[i], 1)} 1 0.3"]
    return ("\n".join(lines) + "\n").encode()


def orix_h5() -> bytes:
    """What orix itself writes."""
    import tempfile
    from pathlib import Path

    from orix.crystal_map import CrystalMap, Phase, PhaseList
    from orix.io import save
    from orix.quaternion import Rotation

    y, x = np.divmod(np.arange(NY * NX), NX)
    phases = PhaseList([Phase("Ni", 225), Phase("Ti", 194)], ids=[1, 2])
    phases.add_not_indexed()
    xmap = CrystalMap(
        Rotation.from_euler(EULER),
        np.where(PHASE, PHASE, -1),
        x=2.5 * x,
        y=2.5 * y,
        phase_list=phases,
        prop={"scores": INDEX / 100},
        scan_unit="nm",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.h5"
        save(path, xmap, overwrite=True)
        return path.read_bytes()
