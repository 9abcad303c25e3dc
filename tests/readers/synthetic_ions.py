"""Writers of small SIMS image files, made from the documented layouts, not from the readers.

`picture` is what the maker's program would show: ion 0 counts up along the rows, ion 1 is 100
more; not square, so that no axis can be mixed up or turned without notice.
"""

import io
import struct

import h5py
import numpy as np

NY, NX = 3, 4


def picture(ions: int = 2, frames: int = 1) -> np.ndarray:
    """(ion, frame, y, x), row 0 at the top."""
    plane = np.arange(NY * NX).reshape(NY, NX)
    shift = 100 * np.arange(ions)[:, None] + 20 * np.arange(frames)
    return shift[..., None, None] + plane


# ----------------------------------------------------------------------------------- Cameca


def nanosims(
    images: np.ndarray, labels: list[str], masses: list[float], order: str = ">", kind: int = 27
) -> bytes:
    """An .im file of version 4108, 8 um wide, -8 kV at the sample, 250 us a pixel."""
    count, frames, ny, nx = images.shape

    def species(label: str) -> bytes:
        return struct.pack(order + "4i c 64s 3x 60x", 0, 0, 1, 0, b"-", label.encode())

    main = struct.pack(order + "4i 32s 16s i 12x 16s 16s", 0, 1, 0, 0, b"Image", b"", 0,
                       b"01.02.24", b"13:14")  # fmt: skip
    main += bytes(48 + 76) + bytes(4) + species("") + bytes(12)  # mask, autocal, sigref
    main += struct.pack(order + "i", count) + bytes(240)
    for i, (label, mass) in enumerate(zip(labels, masses, strict=True)):
        main += struct.pack(order + "2i d 2i 2d 2i", i, 0, mass, 0, 0, 0, 1, 0, 0) + species(label)
    main += b"Poly_list\0".ljust(16, b"\0") + bytes(8) + bytes(604 + 948)
    main += struct.pack(order + "4i d 6i", 1, 0, 0, 250, 1, 0, 0, 0, 0, 0, 1)
    main += b"Anal_param_nano\0" + bytes(272)
    primary = struct.pack(order + "8s", b"Cs+").ljust(552, b"\0")
    main += primary + struct.pack(order + "d", -8000.0) + bytes(300)
    size = 12 + len(main) + 84
    main += struct.pack(order + "i 6h i 64s", 84, 0, nx, ny, 2, count, frames, 8000, b"a.im")
    counts = images.swapaxes(0, 1).astype(order + "u2").tobytes()
    return struct.pack(order + "3i", 4108, kind, size) + main + counts


# --------------------------------------------------------------------------------- ION-TOF


def surfacelab(image: np.ndarray, header: str = "# Deadtime Correction: on\n") -> bytes:
    """(frame, y, x) as "x y I" or "x y z I"; y counts from the bottom."""
    frames, ny, nx = image.shape
    lines = [
        f"{x} {y} {z} {image[z, ny - 1 - y, x]}"
        if frames > 1
        else f"{x} {y} {image[0, ny - 1 - y, x]}"
        for z in range(frames)
        for y in range(ny)
        for x in range(nx)
    ]
    return (header + "".join(line + "\n" for line in lines)).encode()


def bif6(images: np.ndarray, windows: list[tuple[float, float, float]]) -> bytes:
    """(ion, y, x) with lower limit, centre and upper limit of each; peak 0 is the total."""
    raw = struct.pack("<6s3H", b"\0\0BIF6", *images.shape[:1], *images.shape[:0:-1])
    for i, (image, window) in enumerate(zip(images, windows, strict=True)):
        raw += struct.pack("<I3f", i, *window) + image[::-1].astype("<u4").tobytes()
    return raw


# ------------------------------------------------------------------------------------ HDF5

SLOPE, OFFSET = 0.5, 0.1  # PHI: sqrt(m) = SLOPE t + OFFSET, t in us


def flight_time(mass: float) -> int:
    """Time in ps at which an ion of this mass arrives."""
    return round((mass**0.5 - OFFSET) / SLOPE * 1e6)


def sims_h5(images: dict[float, np.ndarray], mode: str = "depth_profile") -> bytes:
    """Exact mass -> (cycle, y, x), row 0 at the top; each with one detector frame a cycle."""
    shape = next(iter(images.values())).shape
    pixels, counts, starts = [], [], [0]
    for mass in sorted(images):
        flat = images[mass][:, ::-1].ravel()
        pixels += np.flatnonzero(flat).tolist()
        counts += flat[flat > 0].tolist()
        starts.append(len(pixels))
    large = [i for i, n in enumerate(counts) if n > 255]
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        file.attrs.update({"acquisition_mode": mode, "polarity": "Neg"})
        csr = file.create_group("data/mass_csr")
        csr["mass_bin"] = np.array([flight_time(mass) for mass in sorted(images)], np.uint32)
        csr["indptr"] = np.array(starts, np.uint64)
        csr["pixel_id"] = np.array(pixels, np.uint32)
        csr["count"] = np.minimum(counts, 255).astype(np.uint8)
        csr["count_exceptions/nnz_index"] = np.array(large, np.uint64)
        csr["count_exceptions/value"] = np.array([counts[i] for i in large], np.uint32)
        file["calibration/mass/coefficients"] = np.array([SLOPE, OFFSET])
        rows = (shape[0], 1, *shape[1:]) if mode == "depth_profile" else shape
        file.create_group("geometry").attrs["row_shape"] = rows
        file["frames/sputter_time_s"] = np.arange(shape[0], dtype=float)
    return held.getvalue()


def tofwerk(images: np.ndarray, labels: list[str], masses: list[float]) -> bytes:
    """(ion, slice, y, x) over a field of view of 8 um, in the order of the peak table."""
    count, slices, ny, nx = images.shape
    table = np.zeros(
        count,
        [("label", "S64"), ("mass", "<f4")]
        + [(f"{side} integration limit", "<f4") for side in ("lower", "upper")],
    )
    table["label"], table["mass"] = labels, masses
    log = np.zeros(1, [("timestamp", "<u8"), ("timestring", "S26"), ("logtext", "S256")])
    log["timestring"] = b"2025-01-01T12:00:00-05:00"
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        file.attrs.update({"TofDAQ Version": 1.99, "NbrWrites": slices, "NbrSegments": ny})
        file.attrs.update({"IonMode": "positive", "NbrPeaks": count})
        file["AcquisitionLog/Log"] = log
        file.create_group("FIBImages")
        file.create_group("FIBParams").attrs.update(
            {"ViewField": 0.008, "Voltage": 30000.0, "Current": 0.0, "FibHardware": "Tescan"}
        )
        file["FullSpectra/MassAxis"] = np.linspace(0, 10, 8)
        file["FullSpectra/SumSpectrum"] = np.ones(8)
        file.create_group("TimingData").attrs["TofPeriod"] = 1
        data = images.transpose(1, 2, 3, 0).astype(np.float32)
        file.create_dataset("PeakData/PeakData", data=data, chunks=(1, ny, nx, count))
        file["PeakData/PeakTable"] = table
    return held.getvalue()
