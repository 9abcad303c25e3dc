"""Writers of small files of I-V curves, made from the documented layouts, not from the readers."""

import struct
from collections.abc import Mapping, Sequence

import numpy as np

DAT_HEADER = {
    "Experiment": "bias spectroscopy",
    "X (m)": "1E-6",
    "Y (m)": "-2E-6",
    "Settling time (s)": "1E-3",
    "Integration time (s)": "3E-3",
}


def dat(columns: Mapping[str, Sequence[float]], header: Mapping[str, str] = DAT_HEADER) -> bytes:
    """Nanonis point spectroscopy: heading -> values."""
    lines = ["\t".join([*entry, ""]) for entry in header.items()]
    lines += ["", "[DATA]", "\t".join(columns)]
    lines += ["\t".join(f"{v:.5E}" for v in row) for row in zip(*columns.values(), strict=True)]
    return "".join(line + "\r\n" for line in lines).encode()


PARAMETERS = ("X (m)", "Y (m)", "Z (m)", "Settling time (s)", "Integration time (s)")


def grid(
    channels: Mapping[str, np.ndarray],
    sweep: tuple[float, float],
    shape: tuple[int, int],
    more: Mapping[str, str] | None = None,
) -> bytes:
    """Nanonis grid: heading -> (record, point); `shape` is along x and y."""
    records, points = next(iter(channels.values())).shape
    names = ";".join(channels)
    header = {
        "Grid dim": f'"{shape[0]} x {shape[1]}"',
        "Grid settings": "0E+0;0E+0;2E-9;1E-9;0E+0",
        "Sweep Signal": '"Bias (V)"',
        "Fixed parameters": '"Sweep Start;Sweep End"',
        "Experiment parameters": f'"{";".join(PARAMETERS)}"',
        "# Parameters (4 byte)": f"{2 + len(PARAMETERS)}",
        "Experiment size (bytes)": f"{4 * points * len(channels)}",
        "Points": f"{points}",
        "Channels": f'"{names}"',
    } | dict(more or {})
    text = "".join(f"{key}={value}\r\n" for key, value in header.items()) + ":HEADER_END:\r\n"
    body = b""
    for i in range(records):
        place = (1e-9 * (i % shape[0]), 1e-9 * (i // shape[0]), 5e-9, 0.25, 0.75)
        body += np.array([*sweep, *place], ">f4").tobytes()
        body += b"".join(values[i].astype(">f4").tobytes() for values in channels.values())
    return text.encode() + body


def ibw(channels: Mapping[str, Sequence[float]], note: str = "", step: float = 0.5) -> bytes:
    """Igor wave of points x channels (float32, little-endian), along time."""
    table = np.array(list(channels.values()), "<f4")
    labels = b"".join(label.encode().ljust(32, b"\0") for label in ["", *channels])
    text = note.replace("\n", "\r").encode("latin-1")

    def headers(checksum: int) -> bytes:
        sizes = (320 + table.nbytes, 0, len(text), 0, 0, 0, 0, 0, 0, len(labels), 0, 0, 0, 0, 0)
        wave = struct.pack("<IIIihh6sh32s", 0, 0, 0, table.size, 2, 0, b"", 1, b"iv")
        wave += struct.pack("<iI4i", 0, 0, table.shape[1], table.shape[0], 0, 0)
        wave += struct.pack("<8d", step, 1, 1, 1, 0, 0, 0, 0) + b"m\0\0\0" + b"s\0\0\0"
        return struct.pack("<hh15i", 5, checksum, *sizes) + wave.ljust(320, b"\0")

    total = int(np.frombuffer(headers(0), "<i2").sum(dtype=np.int64))
    return headers((-total + 32768) % 65536 - 32768) + table.tobytes() + text + labels


CSV = """\
# a table made by hand
curve,group,bias_V,current_nA,time_s,x_um,Friction (mV)
b,film 1,0,1,5,2.5,7
b,film 1,1,2,6,2.5,8
b,film 1,0,3,8,2.5,9
a,film 2,-1,4,0,,1
a,film 2,0,5,1,,2
"""
