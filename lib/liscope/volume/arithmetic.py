"""The arithmetic of the paper's printed numbers: which agree with each other, and which do not.

Each row derives a printed number from others that are printed, with the interval that rounding
leaves.

Source: Y. Sun et al., Micron, 103746 (online 2024), doi:10.1016/j.micron.2024.103746.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Printed:
    """A number as printed, and half of its last digit."""

    value: float
    half: float

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest number that is printed so."""
        return self.value - self.half, self.value + self.half


HEIGHT, WIDTH = Printed(17.6, 0.05), Printed(28.7, 0.05)  # um, EDS maps
ROWS, COLUMNS, LAYERS = 216, 352, 39
PIXEL, SLICE = Printed(81.4, 0.05), Printed(60.0, 5.0)  # nm
SIMS_FIELD, SIMS_PIXELS, SIMS_PIXEL = Printed(36.0, 0.5), 500, Printed(72.0, 0.5)
DEPTH = Printed(2.3, 0.05)  # um
REMOVED = Printed(605.0, 0.5)  # um3
SIMS_DOSE = 1.0 * 5 * 60  # nC: 1 nA for 5 min a map
SPUTTERED = 0.41  # um3/nC, which the paper's reference (Burnett et al. 2016) has for aluminium
# Atoms in a formula, and densities in g/cm3 (of crystals without pores; for carbon
# black's grains 1.9).
MATERIALS: Mapping[str, tuple[Mapping[str, float], float]] = {
    "LLZTO": ({"Li": 6.4, "La": 3, "Zr": 1.4, "Ta": 0.6, "O": 12}, 5.4),
    "LCO": ({"Li": 1, "Co": 1, "O": 2}, 5.05),
    "alumina": ({"Al": 2, "O": 3}, 3.95),
    "carbon": ({"C": 1}, 1.9),
}
_ELEMENTS = {
    "Li": (3, 6.94), "C": (6, 12.011), "O": (8, 15.999), "Al": (13, 26.982), "Co": (27, 58.933),
    "Zr": (40, 91.224), "La": (57, 138.905), "Ta": (73, 180.948),
}  # fmt: skip


def electron_range(material: str, voltage: float) -> float:
    """Return how deep electrons go, nm.

    Parameters
    ----------
    material
        One of `MATERIALS`.
    voltage
        kV.

    Notes
    -----
    Kanaya and Okayama 1972, J. Phys. D 5, 43 (10.1088/0022-3727/5/1/308), with atomic mass and
    number averaged by mass. X-rays of a line come from less deep: from where the electrons still
    have the energy that excites it.
    """
    atoms, density = MATERIALS[material]
    mass = {name: count * _ELEMENTS[name][1] for name, count in atoms.items()}
    total = sum(mass.values())
    number = sum(part * _ELEMENTS[name][0] for name, part in mass.items()) / total
    weight = sum(part * _ELEMENTS[name][1] for name, part in mass.items()) / total
    return float(27.6 * weight * voltage**1.67 / (number**0.889 * density))


def printed_numbers() -> pd.DataFrame:
    """Return a table: what is printed, what other printed numbers give, and whether they agree.

    Columns ``printed``, ``computed``, ``low`` and ``high`` (what rounding leaves), ``unit``,
    ``verdict`` and ``remark``; one row a statement.
    """
    import pandas as pd

    ranges = [electron_range(name, 5.0) / SLICE.value for name in MATERIALS]
    eaten = SPUTTERED * SIMS_DOSE / SIMS_FIELD.value**2 * 1e3
    area = REMOVED.value / DEPTH.value
    rows = [
        _row("EDS pixel, height", PIXEL, *_over(HEIGHT, ROWS), "nm", 1e3),
        _row("EDS pixel, width", PIXEL, *_over(WIDTH, COLUMNS), "nm", 1e3),
        _row("SIMS pixel", SIMS_PIXEL, *_over(SIMS_FIELD, SIMS_PIXELS), "nm", 1e3),
        _row("slice thickness", SLICE, *_over(DEPTH, LAYERS), "nm", 1e3)
        | {"remark": "an average; no slice was measured by itself"},
        _row("removed volume", REMOVED, *_product(HEIGHT, WIDTH, DEPTH), "um3")
        | {"remark": f"605 um3 in this depth is {area:.0f} um2, 52 % of the EDS map"},
        {
            "statement": "reach of 5 kV electrons in slices", "printed": math.nan,
            "computed": math.nan, "low": min(ranges), "high": max(ranges), "unit": "1",
            "verdict": "finer sampled than seen",
            "remark": "Kanaya-Okayama, LCO to carbon; one EDS slice holds its successors as well",
        },
        {
            "statement": "depth that one SIMS map removes", "printed": math.nan,
            "computed": eaten, "low": math.nan, "high": math.nan, "unit": "nm",
            "verdict": "as much as a slice",
            "remark": "1 nA for 5 min at aluminium's 0.41 um3/nC: an upper estimate for oxides",
        },
        {
            "statement": "Eq. 2 of no count, of one count", "printed": math.nan,
            "computed": math.nan, "low": math.nan, "high": 0.0, "unit": "1",
            "verdict": "no value, and 0", "remark": "log10 0 does not exist, log10 1 is 0",
        },
    ]  # fmt: skip
    return pd.DataFrame(rows).set_index("statement")


def _over(extent: Printed, count: int) -> tuple[float, float, float]:
    low, high = extent.ends
    return extent.value / count, low / count, high / count


def _product(*factors: Printed) -> tuple[float, float, float]:
    low, high = (math.prod(factor.ends[end] for factor in factors) for end in (0, 1))
    return math.prod(factor.value for factor in factors), low, high


def _row(
    statement: str, printed: Printed, value: float, low: float, high: float, unit: str,
    scale: float = 1.0,
) -> dict[str, object]:  # fmt: skip
    value, low, high = (number * scale for number in (value, low, high))
    least, most = printed.ends
    agrees = low <= most and high >= least
    return {
        "statement": statement, "printed": printed.value, "computed": value, "low": low,
        "high": high, "unit": unit, "verdict": "agrees" if agrees else "disagrees", "remark": "",
    }  # fmt: skip
