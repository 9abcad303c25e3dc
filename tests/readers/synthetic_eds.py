"""Writers of small EDS and SEM files, made from the layouts, not from the readers.

Not square, so that no axis can be mixed up or turned without notice.
"""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import tifffile

NY, NX, CHANNELS = 3, 4, 20


def spectra(seed: int = 3) -> np.ndarray:
    """(y, x, channel), few counts, some pixels empty, one strong channel."""
    found = np.random.default_rng(seed).poisson(0.6, (NY, NX, CHANNELS))
    found[0, 1] = 0
    found[2, 3, 7] = 300
    return found


# ----------------------------------------------------------------------------------- Bruker

CHUNK = 4096  # bytes of a piece of the container, its head of 32 bytes among them


def bcf(counts: np.ndarray, packing: str = "instructed", compress: bool = False) -> bytes:
    """A hypermap: "instructed", "12 bit" or "16 bit" spectra; 0.5 x 0.5 um, 10 eV a channel."""
    stream = struct.pack("<II", *counts.shape[:2]).ljust(0x1A0, b"\0")
    for line in counts:
        measured = [(x, pixel) for x, pixel in enumerate(line) if pixel.any()]
        stream += struct.pack("<I", len(measured))
        stream += b"".join(_pixel(x, pixel, packing) for x, pixel in measured)
    return _container(
        {"HeaderData": _header_xml(counts).encode(), "SpectrumData0": stream}, compress
    )


def _pixel(x: int, pixel: np.ndarray, packing: str) -> bytes:
    flag, pulses, data, single = _packed(pixel, packing)
    size = len(data) + (4 if flag == 2 else 0)
    head = struct.pack("<I2H4x3HI", x, CHANNELS, CHANNELS, flag, size, pulses, size)
    tail = struct.pack("<I", len(single)) if flag == 2 else b""
    return head + data + tail + single


def _packed(pixel: np.ndarray, packing: str) -> tuple[int, int, bytes, bytes]:
    """Return flag, number of pulses, packed data, and pulses that come one by one."""
    pulses = np.repeat(np.arange(pixel.size), pixel).astype("<u2")
    if packing == "16 bit":
        return 0, pulses.size, pulses.tobytes(), b""
    if packing == "12 bit":
        rows = np.pad(pulses, (0, -pulses.size % 4)).reshape(-1, 4).astype(int)
        words = [
            (a << 4 | b >> 8, (b & 0xFF) << 8 | c >> 4, (c & 0xF) << 12 | d) for a, b, c, d in rows
        ]
        return 1, pulses.size, np.array(words, "<u2").tobytes(), b""
    # runs: bytes, half bytes over a common gain of 2, bytes, words; one count more, as a pulse
    rest = pixel.copy()
    last = int(np.flatnonzero(rest)[-1])
    rest[last] -= 1
    low, bytes_, words = rest[4:8] - rest[4:8].min(), rest[8:12], rest[12:20]
    data = bytes([2, 4]) + struct.pack("<H", 0) + bytes(rest[0:4].astype("u1"))
    if low.max() < 16:
        data += bytes([1, 4, int(rest[4:8].min()), low[1] << 4 | low[0], low[3] << 4 | low[2]])
    else:
        data += bytes([4, 4]) + struct.pack("<I", 0) + rest[4:8].astype("<u2").tobytes()
    data += bytes([2, 4]) + struct.pack("<H", 0) + bytes(bytes_.astype("u1"))
    if words.max() < 1 << 16:
        data += bytes([4, 8]) + struct.pack("<I", 0) + words.astype("<u2").tobytes()
    else:
        data += bytes([8, 8]) + struct.pack("<Q", 0) + words.astype("<u4").tobytes()
    return 2, 1, data, struct.pack("<H", last)


def _header_xml(counts: np.ndarray) -> str:
    layers = base64.b64encode(zlib.compress(b"<D><Layer0 Atom='4'/></D>")).decode()
    image = np.arange(counts[..., 0].size, dtype="<u2") + 1
    total = ",".join(str(n) for n in counts.sum((0, 1)))
    ny, nx = counts.shape[:2]
    return f"""<?xml version="1.0"?><TRTHyperMap>
<ClassInstance Type="TRTSpectrumDatabase" Name="synthetic"><Header><Date>1.2.2024</Date>
<Time>13:14:15</Time><FileVersion>2</FileVersion></Header>
<ClassInstance Type="TRTSEMData"><HV>15</HV><DX>0.5</DX><DY>0.5</DY></ClassInstance>
<ClassInstance Type="TRTSEMStageData"><Tilt>7</Tilt></ClassInstance>
<ClassInstance Type="TRTDSPConfiguration"><LineAverage>1</LineAverage>
<PixelAverage>1</PixelAverage><PixelTime>100</PixelTime></ClassInstance>
<ClassInstance Type="TRTImageData"><Width>{nx}</Width><Height>{ny}</Height><ItemSize>2</ItemSize>
<PlaneCount>1</PlaneCount><Plane0><Description>BSE</Description>
<Data>{base64.b64encode(image.tobytes()).decode()}</Data></Plane0></ClassInstance>
<LineCounter>1,1,1</LineCounter><ChCount>{CHANNELS}</ChCount><DetectorCount>1</DetectorCount>
<SpectrumData0><ClassInstance Type="TRTSpectrum"><TRTHeaderedClass>
<ClassInstance Type="TRTSpectrumHardwareHeader"><Amplification>20000</Amplification>
</ClassInstance><ClassInstance Type="TRTDetectorHeader"><Type>X</Type>
<DetLayers>{layers}</DetLayers></ClassInstance>
<ClassInstance Type="TRTESMAHeader"><PrimaryEnergy>15</PrimaryEnergy>
<ElevationAngle>35</ElevationAngle></ClassInstance></TRTHeaderedClass>
<ClassInstance Type="TRTSpectrumHeader"><CalibAbs>-0.05</CalibAbs><CalibLin>0.01</CalibLin>
</ClassInstance><Channels>{total}</Channels></ClassInstance></SpectrumData0>
</ClassInstance></TRTHyperMap>"""


def _container(files: Mapping[str, bytes], compress: bool) -> bytes:
    """AidAim's Single File System: pieces, of each file a table of them, and a tree of names."""
    usable = CHUNK - 32
    pieces: list[bytes] = []
    items = [_item(0, 0, -1, True, "EDSDatabase")]
    for name, content in files.items():
        stored = _compressed(content, 512) if compress else content
        first = len(pieces) + 1
        parts = [stored[i : i + usable] for i in range(0, len(stored), usable)]
        table = np.arange(first + 1, first + 1 + len(parts), dtype="<u4").tobytes()
        assert len(table) <= usable
        pieces += [table, *parts]
        items.append(_item(first, len(stored), 0, False, name))
    tree = b"".join(items)
    assert len(tree) <= 2 * usable
    each = usable // 0x200 * 0x200
    trees = [tree[i : i + each] for i in range(0, len(tree), each)]
    at = len(pieces) + 1
    heads = [b""] * len(pieces) + [struct.pack("<I", at + i + 1) for i in range(len(trees))]
    head = b"AAMVHFSS".ljust(0x124, b"\0") + struct.pack("<fI", 2.6, CHUNK)
    head = head.ljust(0x140, b"\0") + struct.pack("<III", at, len(items), len(heads))
    body = b"".join(
        h.ljust(32, b"\0") + p.ljust(usable, b"\0")
        for h, p in zip(heads, pieces + trees, strict=True)
    )
    return head.ljust(0x118 + CHUNK, b"\0") + body + bytes(CHUNK)


def _item(place: int, size: int, parent: int, folder: bool, name: str) -> bytes:
    told = (place, size, 0, 0, 0, 0, parent, b"", folder, b"", name.encode(), b"")
    return struct.pack("<iQQQQIi176s?3s256s32s", *told)


def _compressed(content: bytes, block: int) -> bytes:
    parts = [zlib.compress(content[i : i + block]) for i in range(0, len(content), block)]
    head = struct.pack("<IIII", 0x53434141, block, 0, len(parts)).ljust(0x80, b"\0")
    return head + b"".join(struct.pack("<I12x", len(part)) + part for part in parts)


# ------------------------------------------------------------------------------------- JEOL

KINDS = {np.dtype("<i4"): 3, np.dtype("<f4"): 4, np.dtype("<f8"): 5, np.dtype("u1"): 1}


def jeol_tree(tree: Mapping[str, Any]) -> bytes:
    """Tagged values: 1, name, type, length, value; -1 at the end of each and of the whole."""
    return b"".join(_tagged(name, value) for name, value in tree.items()) + b"\xff"


def _tagged(name: str, value: Any) -> bytes:
    label = name.encode() + b"\0"
    head = b"\1" + struct.pack("<i", len(label)) + label
    if isinstance(value, Mapping):
        words = value.get("", None)
        start = struct.pack("<ii", 0, 0) if words is None else _string(words)
        inner = {key: item for key, item in value.items() if key}
        return head + start + jeol_tree(inner)
    if isinstance(value, str):
        return head + _string(value) + b"\xff"
    raw = np.asarray(value)
    return head + struct.pack("<ii", KINDS[raw.dtype], raw.nbytes) + raw.tobytes() + b"\xff"


def _string(words: str) -> bytes:
    return struct.pack("<ii", 12, len(words) + 1) + words.encode() + b"\0"


DETECTOR = ("DirAng", "DetT", "ElevAng", "MnKaRES")
F4, F8, I4 = np.float32, np.float64, np.int32


def jeol_pts(counts: np.ndarray, frames: int = 1, part: bool = False) -> bytes:
    """Counts in the order of the scan; `part`: of a further frame only the first line is there."""
    ny, nx = counts.shape[:2]
    measured = {
        "Meas Cond": {"Pixels": f"{nx}x{ny}", "Tpl": "T1"},
        "MeasCond": {"Mag": F4(1000.0), "AccKV": F4(15.0)},
        "Doc": {"CoefA": F8(0.01), "CoefB": F8(-0.001), "Sweep": I4(frames)},
    }
    measured["Doc"] |= {"DwellTime(msec)": F8(0.1), "RealTime": F8(1.0)}
    pages = {
        "PARAMPAGE0": {"": "SEM", "ScanSize": F4(120.0)} | dict.fromkeys(DETECTOR, F4(1.0)),
        "PARAMPAGE1": {"": "EDXRF", "Tpl": {"T1": {"DigZ": I4(96)}}},
    }
    header = jeol_tree(
        {
            "PTTD Data": {"AnalyzableMap MeasData": measured},
            "PTTD Param": {"Params": pages},
        }
    )
    words = [_scan(counts)] * frames + ([_scan(counts[:1], ny)] if part else [])
    data = np.concatenate(words).astype("<u2").tobytes()
    head = struct.pack("<I8s6I", 304, b"PTTDFILE", 0, 0, 0x200, len(header), 0, 0)
    start = 0x200 + 12 + len(header)
    head = struct.pack("<I8s6I", 304, b"PTTDFILE", 0, 0, 0x200, len(header), start, len(data))
    return head.ljust(0x200 + 12, b"\0") + header + data


def _scan(counts: np.ndarray, lines: int = 0) -> np.ndarray:
    ny, nx, _ = counts.shape
    found: list[int] = []
    for y in range(ny):
        found.append(0x9000 | -(-4096 * y // (lines or ny)))
        for x in range(nx):
            found.append(0x8000 | -(-4096 * x // nx))
            found += [0xB000 | c for c in np.repeat(np.arange(counts.shape[2]), counts[y, x])]
    return np.array(found)


def jeol_map(image: np.ndarray, title: str) -> bytes:
    """A map of an element, or an electron image: 8 bits."""
    header = jeol_tree(
        {
            "Instrument": {"ScanSize": F4(120.0), "Mag": F4(1000.0), "AccV": F4(15.0)},
            "Image": {"Title": title, "Size": np.array(image.shape[::-1], "<i4"),
                      "Bits": image.astype("u1").ravel(), "Created": F8(45000.5)},
        }
    )  # fmt: skip
    head = struct.pack("<I32s3I", 52, b"JED-2200:LibJxImageForm", 0x40, 0, 0x100)
    return head.ljust(0x100 + 12, b"\0") + header


# ------------------------------------------------------------------------------------ Velox


def velox(
    counts: np.ndarray, frames: int = 1, detectors: int = 1, image: np.ndarray | None = None
) -> bytes:
    """Spectra of each detector as they came, a map of Co, and a HAADF image."""
    ny, nx, channels = counts.shape
    buffer = io.BytesIO()
    told = _velox_metadata()
    image = np.arange(ny * nx, dtype="u2").reshape(ny, nx) if image is None else image
    pixels = [np.repeat(np.arange(channels), pixel) for pixel in counts.reshape(-1, channels)]
    frame = np.concatenate([np.append(pixel, 65535) for pixel in pixels])
    stream = np.tile(frame, frames).astype("u2")[:, None]
    with h5py.File(buffer, "w") as file:
        _json(file, "Version", {"version": "11", "format": "Velox"})
        for i in range(detectors):
            group = file.create_group(f"Data/SpectrumStream/stream{i}")
            group["Data"] = stream
            _json(group, "AcquisitionSettings", {"bincount": str(channels)})
            _metadata(group, told)
        for name, data in (("co", counts[..., 7]), ("haadf", image)):
            group = file.create_group(f"Data/Image/{name}")
            group["Data"] = data.astype("f4" if name == "co" else "u2")[..., None]
            detector = {"Detector": "SuperX" if name == "co" else "HAADF"}
            _metadata(group, told | {"BinaryResult": told["BinaryResult"] | detector})
            _json(file, f"SharedProperties/{name}", {"dataPath": f"/Data/Image/{name}"})
            label = {"id": "Co" if name == "co" else "HAADF", "data": f"/SharedProperties/{name}"}
            _json(file, f"Displays/ImageDisplay/{name}", label)
    return buffer.getvalue()


def _velox_metadata() -> dict[str, Any]:
    x_rays = {"DetectorName": "SuperX-1", "DetectorType": "AnalyticalDetector"}
    x_rays |= {"Dispersion": "10", "OffsetEnergy": "-250"}
    return {
        "Optics": {"AccelerationVoltage": "200000"},
        "BinaryResult": {
            "Detector": "SuperX",
            "PixelSize": {"width": "2e-09", "height": "2e-09"},
            "PixelUnitX": "m",
        },
        "Detectors": {
            "Detector-0": {"DetectorName": "HAADF", "DetectorType": "ScanningDetector"},
            "Detector-1": x_rays,
        },
    }


def _json(group: h5py.Group, name: str, told: Mapping[str, Any]) -> None:
    group.create_dataset(name, data=[json.dumps(told)], dtype=h5py.string_dtype())


def _metadata(group: h5py.Group, told: Mapping[str, Any]) -> None:
    raw = np.frombuffer(json.dumps(told).encode().ljust(2000, b"\0"), "u1")
    group["Metadata"] = raw[:, None]


# -------------------------------------------------------------------------------------- SEM


def fei(image: np.ndarray, rows: int, extra: str = "", **options: Any) -> bytes:
    """A picture of FEI: `rows` of the specimen, the others hold the data bar; 5 x 10 nm pixels."""
    told = f"""[Beam]\r\nHV=5000\r\nBeam=EBeam\r\n[EBeam]\r\nTiltCorrectionIsOn=yes\r
TiltCorrectionAngle=-0.6632251\r\n[Scan]\r\nDwelltime=1e-06\r\nPixelWidth=5e-09\r
PixelHeight=1e-08\r\n[Stage]\r\nStageT=0.9075712\r\nWorkingDistance=0.004\r\n[Image]\r
ResolutionX={image.shape[1]}\r\nResolutionY={rows}\r\n[Detectors]\r\nName=TLD\r\n{extra}"""
    buffer = io.BytesIO()
    tags = [(34682, "s", 0, told.encode(), True)]
    tifffile.imwrite(buffer, image, extratags=tags, metadata=None, **options)
    return buffer.getvalue()
