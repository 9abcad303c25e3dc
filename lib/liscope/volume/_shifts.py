"""Shifts between pictures of a stack by their cross-correlation, to a small part of a pixel.

The spectra of all channels are weighted by how much of them is signal, their products summed, and
the peak of the correlation is found on the pixels and then by Newton's method on the spectrum
itself, which interpolates exactly. Of a Poisson count n, 2 sqrt(n + 3/8) is compared, whose noise
has a variance of one (F. J. Anscombe, Biometrika 35, 246 (1948), doi:10.1093/biomet/35.3-4.246).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import windows

Array = NDArray[np.float64]
Spectra = NDArray[np.complex64]

BAND = 0.2  # cycles a pixel: what is finer is noise
LARGEST = 640  # pixels along a side; of larger pictures blocks of pixels are added up
TAPER = 0.25  # of each side's length that is faded out
RINGS = 24  # of frequencies over which a spectrum is averaged
STEPS = 8  # of Newton's method at most
SETTLED = 1e-4  # pixels, a step after which it ends
PARTS = 5  # along either side, whose disagreement says how sure a shift is


@dataclass(frozen=True)
class Optics:
    """How pictures of one size are reduced to the part of their spectrum that is compared."""

    shape: tuple[int, int]

    @property
    def times(self) -> int:
        """How many pixels along either side are added up to one."""
        return max(1, -(-max(self.shape) // LARGEST))

    @property
    def reduced(self) -> tuple[int, int]:
        """Rows and columns after that."""
        return self.shape[0] // self.times, self.shape[1] // self.times

    @property
    def kept(self) -> tuple[int, int]:
        """Rows and columns of a picture that has the kept frequencies only."""
        rows, columns = (max(4, 2 * int(BAND * n)) for n in self.reduced)
        return rows, columns

    def frequencies(self) -> tuple[Array, Array]:
        """Return the kept frequencies along y and x, cycles a reduced pixel."""
        (rows, columns), (y, x) = self.kept, self.reduced
        return fft.fftfreq(rows, 1 / rows) / y, np.arange(columns // 2 + 1) / x

    def window(self) -> list[Array]:
        """Return the fade-out along y and x."""
        return [_fade(n) for n in self.reduced]

    def noise(self) -> float:
        """Return the power of noise of variance one at any frequency."""
        return float(np.prod([np.sum(w**2) for w in self.window()]))


@lru_cache
def _fade(count: int) -> Array:
    return np.asarray(windows.tukey(count, TAPER, sym=False))


@lru_cache
def _fade_power(count: int) -> tuple[Array, Array]:
    """Return the frequencies (radians a pixel) of a fade-out, and its power there."""
    fade = _fade(count)
    f = 2 * np.pi * fft.rfftfreq(2 * count)
    return f, np.abs(fft.rfft(fade, 2 * count)) ** 2 * np.where(f > 0, 2, 1)


def spectra(counts: NDArray[np.generic], optics: Optics) -> Spectra:
    """Return the kept spectra (channel, slice, ky, kx) of pictures (channel, slice, y, x)."""
    (y, x), times = optics.reduced, optics.times
    cut = counts[..., : y * times, : x * times]
    blocks = cut.reshape(*counts.shape[:-2], y, times, x, times)
    summed = blocks.sum((-3, -1), dtype=np.float32) if times > 1 else cut.astype(np.float32)
    values = 2 * np.sqrt(np.maximum(summed, 0) + np.float32(0.375))
    there = np.isfinite(values)
    values = np.where(there, values, 0)
    values -= values.mean((-2, -1), keepdims=True) / np.maximum(
        there.mean((-2, -1), keepdims=True, dtype=np.float32), np.float32(1e-6)
    )
    values *= there
    fade_y, fade_x = (w.astype(np.float32) for w in optics.window())
    values *= fade_y[:, None] * fade_x
    return transformed(values, optics)


def transformed(values: NDArray[np.float32], optics: Optics) -> Spectra:
    """Return the kept spectra (..., ky, kx) of faded pictures (..., y, x) of the reduced size."""
    rows, columns = optics.kept
    along = fft.rfft(values, axis=-1)[..., : columns // 2 + 1]
    found = fft.fft(along, axis=-2)
    kept = np.concatenate([found[..., : rows // 2, :], found[..., -rows // 2 :, :]], -2)
    # Curtains are upright lines that stand still while the specimen drifts.
    kept[..., [0, 1, -1], :] = 0
    kept[..., rows // 2, :] = 0
    return np.asarray(kept, np.complex64)


def weights(pictures: Spectra, optics: Optics) -> NDArray[np.float32]:
    """Return the weight (channel, ky, kx) of each frequency: its share of signal (Wiener's)."""
    along_y, along_x = optics.frequencies()
    ring = np.minimum(np.hypot(along_y[:, None], along_x) / BAND * RINGS, RINGS - 1).astype(int)
    count = np.bincount(ring.ravel(), minlength=RINGS)
    power = (np.abs(pictures) ** 2).mean(1)
    mean = np.stack([np.bincount(ring.ravel(), p.ravel(), RINGS) for p in power]) / count
    mean = np.maximum(mean, optics.noise())
    signal = np.maximum(mean - optics.noise(), 0)
    return (signal / mean).astype(np.float32)[:, ring]


def powers(pictures: Spectra, weight: NDArray[np.float32]) -> Array:
    """Return the weighted power (slice,) of each picture."""
    squared = (weight[:, None] * np.abs(pictures) ** 2).sum((0, 2))
    return np.asarray(squared @ np.where(np.arange(squared.shape[1]) > 0, 2.0, 1.0))


@dataclass(frozen=True)
class Peak:
    """Where a correlation is greatest (y, x; reduced pixels), and its covariance.

    ``clear`` is Fisher's z of the correlation in standard deviations of what chance gives.
    """

    shift: Array
    covariance: Array
    correlation: float
    clear: float


@dataclass(frozen=True)
class View:
    """A picture with which others are compared, as spectrum and in space.

    ``weighted`` (channel, ky, kx) is the weighted, conjugate spectrum, ``plain`` (channel, y, x)
    the picture, ``slope`` (2, channel, y, x) the change of the weighted one along y and x.
    """

    weighted: Spectra
    plain: NDArray[np.float32]
    slope: NDArray[np.float32]

    @classmethod
    def of(cls, picture: Spectra, weight: NDArray[np.float32], optics: Optics) -> View:
        """Prepare a picture (channel, ky, kx)."""
        fy, fx = (2j * np.pi * f.astype(np.float32) for f in optics.frequencies())
        weighted = weight * picture
        slopes = np.stack([weighted * fy[:, None], weighted * fx])
        return cls(
            weighted.conj(), fft.irfft2(picture, optics.kept), fft.irfft2(slopes, optics.kept)
        )

    def peak(self, other: Spectra, power: float, optics: Optics) -> Peak:
        """Return where the other picture (channel, ky, kx) is best correlated with this one.

        Parameters
        ----------
        power
            Geometric mean of both pictures' weighted power.
        """
        product = (self.weighted * other).sum(0)
        surface = fft.irfft2(product, optics.kept)
        top = np.unravel_index(int(np.argmax(surface)), surface.shape)
        start = [
            (i - n if i > n / 2 else i) * m / n
            for i, n, m in zip(top, surface.shape, optics.reduced, strict=True)
        ]
        doubled = product * np.where(np.arange(product.shape[1]) > 0, 2.0, 1.0)
        shift = _climbed(doubled, np.array(start, float), optics)
        value, _, curve = _derivatives(doubled, shift, optics)
        like = float(np.clip(value / power, -0.999, 0.999))
        chance = float(np.sqrt(np.sum(np.abs(doubled) ** 2) / 2)) / power  # of phases at random
        covariance = self._covariance(other, shift, curve, optics)
        return Peak(shift, covariance, like, float(np.arctanh(like)) / chance)

    def _covariance(self, other: Spectra, shift: Array, curve: Array, optics: Optics) -> Array:
        """Return the covariance of the shift: by how much parts of the picture disagree on it."""
        fy, fx = (2j * np.pi * f for f in optics.frequencies())
        turn = (np.exp(fy * shift[0])[:, None] * np.exp(fx * shift[1])).astype(np.complex64)
        left = fft.irfft2(other * turn, optics.kept) - self.plain
        pull = np.einsum("acyx,cyx->ayx", self.slope, left) * np.prod(optics.kept)
        parts = np.array(
            [
                part.sum((1, 2), dtype=float)
                for rows in np.array_split(pull, PARTS, axis=1)
                for part in np.array_split(rows, PARTS, axis=2)
            ]
        )
        inverse = np.linalg.pinv(curve)
        return np.asarray(inverse @ (parts.T @ parts) @ inverse)


def _climbed(product: NDArray[np.complexfloating], start: Array, optics: Optics) -> Array:
    """Return the maximum near ``start`` of the correlation over what the fade-out leaves of it."""
    shift = start.copy()
    reach = np.asarray(optics.reduced) / np.asarray(optics.kept)  # one step of the surface
    for _ in range(STEPS):
        value, slope, curve = _derivatives(product, shift, optics)
        fade, bend = _fading(shift, optics)
        slope, curve = slope / value - fade, curve / value - np.outer(slope, slope) / value**2
        curve -= np.diag(bend)
        if not np.all(np.linalg.eigvalsh(curve) < 0):
            return start
        step = np.linalg.solve(curve, slope)
        shift = shift - step
        if not np.all(np.abs(shift - start) < 1.5 * reach):
            return start
        if np.abs(step).max() < SETTLED:
            break
    return shift


def _derivatives(
    product: NDArray[np.complexfloating], shift: Array, optics: Optics
) -> tuple[float, Array, Array]:
    fy, fx = (2 * np.pi * f for f in optics.frequencies())
    ey, ex = np.exp(1j * fy * shift[0]), np.exp(1j * fx * shift[1])
    right = product @ np.stack([ex, 1j * fx * ex, -(fx**2) * ex], -1)
    left = np.stack([ey, 1j * fy * ey, -(fy**2) * ey])
    d = (left @ right).real
    curve = np.array([[d[2, 0], d[1, 1]], [d[1, 1], d[0, 2]]])
    return float(d[0, 0]), np.array([d[1, 0], d[0, 1]]), curve


def _fading(shift: Array, optics: Optics) -> tuple[Array, Array]:
    """Return slope and curvature of the logarithm of the fade-out's own correlation."""
    slope, bend = np.zeros(2), np.zeros(2)
    for axis, count in enumerate(optics.reduced):
        f, power = _fade_power(count)
        phase = f * shift[axis]
        value = np.sum(power * np.cos(phase))
        slope[axis] = -np.sum(power * f * np.sin(phase)) / value
        bend[axis] = -np.sum(power * f**2 * np.cos(phase)) / value - slope[axis] ** 2
    return slope, bend
