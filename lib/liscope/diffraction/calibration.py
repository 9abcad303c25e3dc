"""How large and how round a pixel is, from the rings of a crystal of known lattice parameter.

Rings are looked for where spots lie in many patterns (:func:`liscope.diffraction.sums.spot_sum`),
or as such (:func:`~liscope.diffraction.sums.ring_sum`), and an ellipse is fitted to all of them at
once. How the scan is turned against the camera cannot be seen in spots: it has to be known from the
microscope (``scan_rotation`` of the scan's attributes), or from a defocused picture beside a scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import least_squares, nnls

from liscope.diffraction.beam import beam_centres, drift
from liscope.diffraction.structures import Crystal
from liscope.diffraction.sums import ring_sum, spot_sum
from liscope.errors import DataError
from liscope.statistics import Estimate

__all__ = ["RingFit", "beam_centres", "drift", "fit_rings", "ring_sum", "spot_sum"]

OUTER = 1.0  # 1/angstrom; beyond, rings of a large cell lie closer than spots are wide
SECTORS = 36
WEAKEST = 0.001  # of the strongest ring, below which one is left out
CAPTURE = 0.06  # relative error of the first pixel size that is put right
FEWEST = 20  # bins of the sum along the radius
STARTS = 3  # of the fit, from different sizes
STRAIN = 0.015  # by which another crystal's lattice may differ from its file
INWARD = 1.2e-3  # relative; spots off their Bragg angle lie inward, alike in all of few grains
PLACED = 0.05  # px, by which spots of one grain may lie off, alike wherever it shows them
GAIN = 0.5  # relative, by which the misfit grows without a ring that is there
UNEXPLAINED = 0.1  # of the sum's squares, from which other crystals are needed
UNTOLD = 0.005  # standard error of the pixel size, relative, beyond which it is not told

Array = np.ndarray


@dataclass(frozen=True)
class RingFit:
    """How reciprocal space lies on the camera, but for its rotation.

    Attributes
    ----------
    pixel
        Mean size of a pixel in 1/angstrom.
    along, across
        The ellipse: by how much the pixel's x axis is longer than y (cos 2 azimuth), and the first
        diagonal than the second (sin 2 azimuth); relative.
    offset
        How far the beam lies from the rings' middle (x, y), in pixels; not corrected.
    width
        Standard deviation of the rings in pixels.
    strain
        By how much each other crystal's reciprocal lattice is larger than its file says.
    rings
        One row a ring: ``crystal``, ``hkl``, ``radius`` in 1/angstrom, ``weight``, the share of all
        rings' intensity, ``off`` with ``off_error``, by how many pixels it lies beyond the fit.
    residual
        Root mean square of ``off`` over the reference's rings, by their weight, in pixels.
    """

    pixel: Estimate
    along: Estimate
    across: Estimate
    offset: tuple[Estimate, Estimate]
    width: float
    strain: dict[str, Estimate]
    rings: pd.DataFrame
    residual: float

    @property
    def ellipticity(self) -> float:
        """Relative difference of the ellipse's axes."""
        return float(np.hypot(self.along.value, self.across.value))

    @property
    def angle(self) -> float:
        """Azimuth of the ellipse's long axis in degrees, from x towards y."""
        return float(np.rad2deg(0.5 * np.arctan2(self.across.value, self.along.value)))


def fit_rings(
    total: xr.DataArray, crystal: Crystal, pixel: float, others: Sequence[Crystal] = ()
) -> RingFit:
    """Return the pixel's size and the ellipse from the rings of a crystal of known lattice.

    The intensity of each ring in each sector is free, so that texture and few grains do no harm;
    they are found by linear least squares inside the fit of the geometry. Errors are those of
    sectors that differ, opposite ones taken together, as they show the same spots (Friedel pairs),
    and of spots off their Bragg angle, which lie inward.

    Parameters
    ----------
    total
        What :func:`spot_sum` or :func:`ring_sum` returns, computed.
    crystal
        The ruler.
    pixel
        About what its size is, in 1/angstrom; the nominal one may be wrong by 6 %.
    others
        Crystals that may be there, too; their lattices may be strained by 1.5 %. They are left out
        where the ruler alone explains what is seen, as their rings could take over some of its own.

    Raises
    ------
    DataError
        If the rings of ``crystal`` do not tell the size, or lie outside of what was summed.
    """
    work, fit = _best(total, crystal, pixel, ())
    if others and work.unexplained(fit) > UNEXPLAINED:
        work, fit = _best(total, crystal, pixel, others)
    work.trust(fit.fun)
    fit = work.fitted(fit.x)
    error = work.errors(fit.x, fit.jac, fit.fun)
    if not (error[0] < UNTOLD and work.present(fit.x)):
        raise DataError(
            f"the rings of {crystal.name} do not tell the size of a pixel: sum more patterns, of "
            "more grains, or name the other crystals that are there"
        )
    return work.result(fit.x, error)


def _best(
    total: xr.DataArray, crystal: Crystal, pixel: float, others: Sequence[Crystal]
) -> tuple[_Rings, Any]:
    """Return the best fit from several sizes, each as far as rings lie apart at that size."""
    fits = []
    for start in _Rings.of(total, crystal, pixel, others).started(pixel):
        work = _Rings.of(total, crystal, float(np.exp(start[0])), others)
        fits.append((work, work.fitted(start)))
    return min(fits, key=lambda one: one[0].unexplained(one[1]))


class _Rings:
    """A sum in sectors, and the rings that should be there.

    The fit's parameters are logarithm of the pixel's size, ellipse (cos, sin), offset (x, y),
    logarithm of the rings' width, and strain of each further crystal.
    """

    def __init__(self, seen: Array, azimuth: Array, radius: Array, rings: pd.DataFrame) -> None:
        self.seen, self.radius, self.rings = seen, radius, rings
        self.names = list(dict.fromkeys(rings.crystal))
        noise = np.sqrt(seen.mean(0)) + 0.1 * np.sqrt(seen.mean())
        self.weight = np.ones_like(seen) / noise
        fall = np.array([0, 1, 2, 4, 8, 16]) / (radius[-1] - radius[0])
        self.smooth = np.exp(-fall * (radius[:, None] - radius[0]))
        cos, sin = np.cos(azimuth), np.sin(azimuth)
        self.bend = np.stack([np.cos(2 * azimuth) / 2, np.sin(2 * azimuth) / 2], axis=1)
        self.shift = np.stack([cos, sin], axis=1)
        self.member = np.stack([rings.crystal == name for name in self.names[1:]] or [[]], axis=-1)
        self.member = self.member.reshape(len(rings), len(self.names) - 1).astype(float)
        self.last: tuple[Array, tuple[Array, Array]] | None = None
        self.scale = np.array([1e-3, 1e-3, 1e-3, 0.05, 0.05, 0.1] + [1e-3] * (len(self.names) - 1))

    @classmethod
    def of(
        cls, total: xr.DataArray, crystal: Crystal, pixel: float, others: Sequence[Crystal]
    ) -> _Rings:
        """Return what a sum shows as far as rings lie apart."""
        rings = pd.concat([_families(one) for one in (crystal, *others)], ignore_index=True)
        cut = _gap(np.sort(rings.radius))
        rings = rings[rings.radius < cut].reset_index(drop=True)
        inside = slice(0.75 * rings.radius.min() / pixel, cut / pixel)
        used = total.sel(radius=inside).transpose("azimuth", "radius")
        if used.sizes["radius"] < FEWEST:
            raise DataError(
                f"rings of {crystal.name} lie outside of the sum if a pixel is {pixel:g} 1/angstrom"
            )
        values = used.to_numpy().reshape(SECTORS, -1, used.sizes["radius"]).mean(1)
        azimuth = np.deg2rad(used.azimuth.to_numpy()).reshape(SECTORS, -1).mean(1)
        return cls(values, azimuth, used.radius.to_numpy(), rings)

    def started(self, pixel: float) -> list[Array]:
        """Return the best sizes, and widths, for round rings; some, as the ellipse may hide it."""
        step = np.diff(self.radius).mean()
        mean, weight = self.seen.mean(0), self.weight.mean(0)
        tried = []
        for width in step * np.array([1.5, 3, 6]):
            for size in np.arange(-CAPTURE, CAPTURE, 0.002):
                at = np.zeros(len(self.scale))
                at[0], at[5] = np.log(pixel) + size, np.log(width)
                shape = self.shapes(self.rings.radius.to_numpy() * np.exp(-at[0]), width)
                tried.append((nnls(shape * weight[:, None], mean * weight)[1], at))
        chosen: list[Array] = []
        for _, at in sorted(tried, key=lambda one: one[0]):
            if all(abs(at[0] - other[0]) > 0.008 for other in chosen):
                chosen.append(at)
        return chosen[:STARTS]

    def unexplained(self, fit: Any) -> float:
        """Return the share of the sum's squares that a fit leaves."""
        return float(2 * fit.cost / np.sum((self.seen * self.weight) ** 2))

    def fitted(self, start: Array) -> Any:
        """Return the result of least squares from ``start`` on."""
        reach = np.array([0.01, 0.1, 0.1, 2, 2, 1.5] + [STRAIN] * (len(self.names) - 1))
        middle = np.where(np.arange(len(start)) < 6, start, 0)
        bounds = middle - reach, middle + reach
        return least_squares(
            lambda at: self._last(at)[1].ravel(),
            start,
            jac=self.slopes,
            bounds=bounds,
            x_scale=self.scale,
            ftol=1e-6,
        )

    def places(self, at: Array, sector: int) -> Array:
        """Return the radius in pixels at which each ring lies in a sector."""
        grown = self.rings.radius.to_numpy() * (1 + self.member @ at[6:]) * np.exp(-at[0])
        return np.asarray(grown * (1 + self.bend[sector] @ at[1:3]) + self.shift[sector] @ at[3:5])

    def shapes(self, places: Array, width: float) -> Array:
        """Return the shapes (radius, ring and background) of which a sector is a sum."""
        there = (places > self.radius[0]) & (places < self.radius[-1])
        off = (self.radius[:, None] - places) / width
        return np.concatenate([there * np.exp(-0.5 * off**2), self.smooth], axis=1)

    def solved(self, at: Array, leave_out: int | None = None) -> tuple[Array, Array]:
        """Return intensities (sector, ring or background), weighted misfits (sector, radius)."""
        found, left = [], []
        for sector, (seen, weight) in enumerate(zip(self.seen, self.weight, strict=True)):
            shape = self.shapes(self.places(at, sector), np.exp(at[5])) * weight[:, None]
            if leave_out is not None:
                shape[:, leave_out] = 0
            height = nnls(shape, seen * weight)[0]
            found.append(height)
            left.append(shape @ height - seen * weight)
        return np.stack(found), np.stack(left)

    def _last(self, at: Array) -> tuple[Array, Array]:
        """Return the same as ``solved``, which least squares asks for twice in each place."""
        if self.last is None or not np.array_equal(self.last[0], at):
            self.last = (at.copy(), self.solved(at))
        return self.last[1]

    def slopes(self, at: Array) -> Array:
        """Return the Jacobian (sector and radius, parameter), intensities following.

        Kaufman's approximation of variable projection, BIT 15 (1975) 49, 10.1007/BF01932995.
        """
        return np.concatenate(
            [self._slope(at, sector, height) for sector, height in enumerate(self._last(at)[0])]
        )

    def _slope(self, at: Array, sector: int, height: Array) -> Array:
        places, width = self.places(at, sector), np.exp(at[5])
        shape = self.shapes(places, width) * self.weight[sector][:, None]
        away = (self.radius[:, None] - places) / width
        rings = shape[:, : len(places)] * height[: len(places)]
        moved = rings * away / width
        on = places - self.shift[sector] @ at[3:5]
        slope = np.column_stack(
            [
                -moved @ on,
                np.outer(moved @ on, self.bend[sector]),
                np.outer(moved.sum(1), self.shift[sector]),
                (rings * away**2).sum(1),
                moved @ (on[:, None] * self.member),
            ]
        )
        held, _ = np.linalg.qr(shape[:, height > 0])
        return np.asarray(slope - held @ (held.T @ slope))

    def trust(self, misfit: Array) -> None:
        """Weigh down what no ring explains (Huber)."""
        size = np.abs(misfit.reshape(self.seen.shape))
        usual = 2 * np.sqrt(np.mean(size**2))
        self.last = None
        self.weight *= np.sqrt(np.minimum(1, usual / np.maximum(size, 1e-12)))

    def errors(self, at: Array, jacobian: Array, misfit: Array) -> Array:
        """Return standard errors.

        Of what sectors say differently, opposite ones taken together (the sandwich of least
        squares), and of ``PLACED``, by which each ring of each sector may be displaced.
        """
        shape, n = self.seen.shape, SECTORS // 2
        slope = jacobian.reshape(*shape, -1)
        curvature = jacobian.T @ jacobian
        if np.linalg.matrix_rank(curvature * np.outer(self.scale, self.scale)) < len(curvature):
            return np.full(len(curvature), np.inf)
        score = np.einsum("srp,sr->sp", slope, misfit.reshape(shape)).reshape(2, n, -1).sum(0)
        moved = np.einsum("srp,srk->skp", slope, self.steep(at))
        moved = PLACED * moved.reshape(2, n, *moved.shape[1:]).sum(0).reshape(-1, len(curvature))
        spread = score.T @ score * n / (n - 1) + moved.T @ moved
        inverse = np.linalg.inv(curvature)
        return np.asarray(np.sqrt(np.diag(inverse @ spread @ inverse)))

    def present(self, at: Array) -> bool:
        """Return whether the sum cannot do without two rings of the ruler."""
        found, left = self.solved(at)
        needed = 0
        seen = np.asarray(found.any(axis=0))[: len(self.rings)]
        for ring in np.flatnonzero((self.rings.crystal == self.names[0]) & seen):
            without = self.solved(at, leave_out=int(ring))[1]
            needed += np.sum(without**2) > (1 + GAIN) * np.sum(left**2)
        return bool(needed >= 2)

    def result(self, at: Array, error: Array) -> RingFit:
        """Return the fit, and by how much each ring lies beyond it."""
        freedom = SECTORS // 2 - 1
        one = [Estimate(float(v), float(e), freedom) for v, e in zip(at, error, strict=True)]
        size = float(np.exp(at[0]))
        rings = self._off(at)
        mine = rings[(rings.crystal == self.names[0]) & (rings.weight > 0)]
        residual = float(np.sqrt(np.average(mine.off**2, weights=mine.weight)))
        return RingFit(
            Estimate(size, size * float(np.hypot(error[0], INWARD)), freedom),
            one[1],
            one[2],
            (one[3], one[4]),
            float(np.exp(at[5])),
            dict(zip(self.names[1:], one[6:], strict=True)),
            rings,
            residual,
        )

    def steep(self, at: Array) -> Array:
        """Return how a sum (sector, radius, ring) changes as each ring moves outwards."""
        height, width = self.solved(at)[0], np.exp(at[5])
        count = len(self.rings)
        out = np.empty((*self.seen.shape, count))
        for sector in range(SECTORS):
            places = self.places(at, sector)
            shape = self.shapes(places, width)[:, :count] * self.weight[sector][:, None]
            out[sector] = shape * height[sector, :count] * (self.radius[:, None] - places)
        return np.asarray(out / width**2)

    def _off(self, at: Array) -> pd.DataFrame:
        """Return the rings with their weight and by how much each alone would move outwards."""
        height, left = self.solved(at)
        count, steep = len(self.rings), self.steep(at)
        push, pull = -(steep * left[..., None]).sum(1), (steep**2).sum((0, 1))
        pairs = push.reshape(2, SECTORS // 2, count).sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            off, spread = push.sum(0) / pull, np.sqrt((pairs**2).sum(0)) / pull
        weight = height[:, :count].sum(0)
        return self.rings.assign(weight=weight / weight.sum(), off=off, off_error=spread)


def _gap(radius: Array) -> float:
    """Return the middle of the widest gap between rings (1/angstrom) near the outermost."""
    outer = np.append(radius[radius > 0.9 * radius[-1]], OUTER)
    widest = int(np.argmax(np.diff(outer)))
    return float(0.5 * (outer[widest] + outer[widest + 1]))


def _families(crystal: Crystal) -> pd.DataFrame:
    """Return the rings of a crystal: name, hkl of one reflection, radius in 1/angstrom."""
    vectors, factors = crystal.reflections(OUTER)
    size = np.linalg.norm(vectors, axis=1).round(4)
    hkl = np.rint(vectors @ crystal.phase.structure.lattice.base.T).astype(int)
    radius, at = np.unique(size, return_inverse=True)
    strength = np.bincount(at, np.abs(factors) ** 2)
    names = [" ".join(map(str, max(map(tuple, hkl[at == i].tolist())))) for i in range(len(radius))]
    table = pd.DataFrame({"crystal": crystal.name, "hkl": names, "radius": radius})
    seen: pd.DataFrame = table[strength > WEAKEST * strength.max()]
    return seen
