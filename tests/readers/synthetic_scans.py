"""Writers of small instrument files, made from the documented layouts, not from the readers.

They give what no public file gives: a picture whose every pixel is known, in both directions,
scanned upwards and downwards, not square. `picture` is what the vendor's program would show.
"""

import io
import struct

import numpy as np
import tifffile

NY, NX = 3, 4


def picture(offset: float = 0.0) -> np.ndarray:
    """Rows and columns that cannot be mixed up or turned without notice."""
    return np.arange(NY * NX, dtype=float).reshape(NY, NX) + offset


# ---------------------------------------------------------------------------------- Nanonis


def sxm(images: list[tuple[str, str, str, np.ndarray]], scan_dir: str = "down") -> bytes:
    """Name, unit, direction (both, forward, backward) and blocks in order of acquisition."""
    ny, nx = images[0][3].shape[-2:]
    rows = [f"\t{i}\t{n}\t{u}\t{d}\t1.0\t0.0" for i, (n, u, d, _) in enumerate(images)]
    header = f"""\
:NANONIS_VERSION:
2
:SCANIT_TYPE:
FLOAT MSBFIRST
:SCAN_PIXELS:
{nx} {ny}
:SCAN_TIME:
0.5 0.25
:SCAN_RANGE:
4E-6 6E-6
:SCAN_OFFSET:
1E-6 -2E-6
:SCAN_ANGLE:
30
:SCAN_DIR:
{scan_dir}
:BIAS:
-1.5
:Z-CONTROLLER:
\tName\ton\tSetpoint
\tcurrent\t1\t2E-10 A
:DATA_INFO:
\tChannel\tName\tUnit\tDirection\tCalibration\tOffset
{chr(10).join(rows)}

:SCANIT_END:

"""
    return header.encode() + b"\x1a\x04" + b"".join(b.astype(">f4").tobytes() for *_, b in images)


# -------------------------------------------------------------------------------- NanoScope

SCAN = {
    "Scan Size": "4000 nm",
    "Lines": "6",
    "Aspect Ratio": "1:1",
    "Scan Rate": "2",
    "Rotate Ang.": "1.570796",
    "X Offset": "100 nm",
    "Y Offset": "-50 nm",
    "@2:Sample Bias": "V (0.3051758 mV/LSB) 1500 mV",
    "@2:Tip Bias": "V (0.0003662109 V/LSB) 0 V",
}


def nanoscope(
    images: list[tuple[str, str, np.ndarray, dict[str, str]]], scan: dict = SCAN
) -> bytes:
    """Channel, direction, integers as stored (bottom row first) and further entries of each."""
    start, blocks, lists = 4096, b"", ""
    for name, direction, counts, more in images:
        ny, nx = counts.shape
        lists += _section(
            "Ciao image list",
            {
                "Data offset": str(start + len(blocks)),
                "Data length": str(counts.nbytes),
                "Bytes/pixel": "2",
                "Frame direction": "Down",
                "Samps/line": str(nx),
                "Number of lines": str(ny),
                "Scan Size": "4 4 ~m",
                "Line Direction": direction,
                "@2:Image Data": f'S [{name}] "{name}"',
            }
            | more,
        )
        blocks += counts.tobytes()
    header = _section("File list", {"Version": "0x09200000", "Data length": str(start)})
    header += _section("Scanner list", {"@Sens. Zsens": "V 10.00000 nm/V"})
    header += _section("Ciao scan list", scan | {"@Sens. tunaSens": "V 5.000000 pA/V"})
    header += lists + "\\*File list end\r\n"
    return header.encode("latin-1").ljust(start, b"\0") + blocks


def _section(title: str, entries: dict[str, str]) -> str:
    return "".join([f"\\*{title}\r\n", *(f"\\{k}: {v}\r\n" for k, v in entries.items())])


# ------------------------------------------------------------------------------------- Igor


def ibw(channels: dict[str, np.ndarray], note: str, order: str = "<") -> bytes:
    """Label -> plane as stored (bottom row first, float32); labels padded with leftovers."""
    ny, nx = next(iter(channels.values())).shape
    planes = np.stack(list(channels.values())).astype(order + "f4").tobytes()
    labels = b"".join(
        label.encode().ljust(32, b"\0") if not label else (label.encode() + b"\0").ljust(32, b"e")
        for label in ["", *channels]
    )
    text = note.replace("\n", "\r").encode("latin-1")

    def headers(checksum: int) -> bytes:
        sizes = (320 + len(planes), 0, len(text), 0, 0, 0, 0, 0, 0, 0, len(labels), 0, 0, 0, 0)
        wave = struct.pack(order + "IIIihh6sh32s", 0, 0, 0, planes_count, 2, 0, b"", 1, b"scan")
        wave += struct.pack(order + "iI4i", 0, 0, nx, ny, len(channels), 0)
        wave += struct.pack(order + "8d", 4e-6 / (nx - 1), 2e-6 / (ny - 1), 1, 1, 0, 0, 0, 0)
        wave += b"m\0\0\0" + b"m\0\0\0" * 2 + b"\0" * 8
        return struct.pack(order + "hh15i", 5, checksum, *sizes) + wave.ljust(320, b"\0")

    planes_count = nx * ny * len(channels)
    total = int(np.frombuffer(headers(0), order + "i2").sum(dtype=np.int64))
    checksum = (-total + 32768) % 65536 - 32768
    return headers(checksum) + planes + text + labels


# --------------------------------------------------------------------------------- Gwyddion


def gwy(entries: dict[str, object]) -> bytes:
    """A container; values are text, or fields made by `field`, or containers (dict)."""
    return b"GWYP" + _object("GwyContainer", entries)


def field(data: np.ndarray, width: float, height: float, xy: str = "m", z: str = "m") -> dict:
    ny, nx = data.shape
    return {
        "": "GwyDataField",
        "xres": nx,
        "yres": ny,
        "xreal": width,
        "yreal": height,
        "si_unit_xy": {"": "GwySIUnit", "unitstr": xy},
        "si_unit_z": {"": "GwySIUnit", "unitstr": z},
        "data": data,
    }


def _object(name: str, entries: dict) -> bytes:
    body = b"".join(_component(k, v) for k, v in entries.items() if k)
    return name.encode() + b"\0" + struct.pack("<I", len(body)) + body


def _component(key: str, value: object) -> bytes:
    if isinstance(value, str):
        packed = b"s" + value.encode() + b"\0"
    elif isinstance(value, int):
        packed = b"i" + struct.pack("<i", value)
    elif isinstance(value, float):
        packed = b"d" + struct.pack("<d", value)
    elif isinstance(value, np.ndarray):
        packed = b"D" + struct.pack("<I", value.size) + value.astype("<f8").tobytes()
    elif isinstance(value, dict):
        packed = b"o" + _object(value.get("", "GwyContainer"), value)
    else:
        raise TypeError(type(value))
    return key.encode() + b"\0" + packed


# ------------------------------------------------------------------------------------- Park


def park(counts: np.ndarray, **changes: object) -> bytes:
    """Integers or floats as stored (bottom row first) in a version 2 file."""
    ny, nx = counts.shape
    values = {
        "image_type": 0, "source": "Z Height", "mode": "C-AFM", "filter": 0.0, "flat": 0,
        "ac": 0, "nx": nx, "ny": ny, "angle": 15.0, "sine": 0, "overscan": 0.1, "forward": 1,
        "up": 1, "swap": 0, "width": 4.0, "height": 6.0, "x": 1.0, "y": -2.0, "rate": 2.0,
        "setpoint": 5.0, "setpoint_unit": "nN", "tip": 0.0, "sample": 0.5, "gain": 0.5,
        "scale": 2.0, "offset": 1.0, "unit": "nm", "lo": 0, "hi": 0, "mean": 0,
        "compressed": 0, "log": 0, "square": 1,
    } | changes  # fmt: skip
    form = "<I64s16sdIIIIdIdIIIddddd" + "d16sddddd16siiiIII"
    wide = {k: v.encode("utf-16-le") if isinstance(v, str) else v for k, v in values.items()}
    header = struct.pack(form, *wide.values())
    kind = {"i2": 0, "i4": 1, "f4": 2}[counts.dtype.str[1:]]
    header += struct.pack("<dd16s16s16sIII", 1, 10, b"", b"", b"", kind, 0, 0).ljust(224, b"\0")
    file = io.BytesIO()
    tags = [
        (50432, 4, 1, 0x0E031301, True),
        (50433, 4, 1, 0x01000002, True),
        (50434, 1, counts.nbytes, counts.tobytes(), True),
        (50435, 1, len(header), header, True),
        (50436, 2, 0, "made by a test", True),
    ]
    tifffile.imwrite(file, np.zeros((8, 8, 3), np.uint8), photometric="rgb", extratags=tags)
    return file.getvalue()
