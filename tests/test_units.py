"""Units are read and converted, never guessed."""

import numpy as np
import pytest
import xarray as xr
from scipy import constants

from liscope.errors import DataError
from liscope.units import factor, to_units


@pytest.mark.parametrize(
    ("units", "to", "expected"),
    [
        ("nm", "um", constants.nano / constants.micro),
        ("pA", "nA", constants.pico / constants.nano),
        ("eV", "J", constants.electron_volt),
        ("angstrom", "nm", constants.angstrom / constants.nano),
        ("V", "V", 1.0),
        ("percent", "1", 0.01),
    ],
)
def test_factor_is_that_of_the_si(units: str, to: str, expected: float) -> None:
    assert factor(units, to) == pytest.approx(expected)


def test_array_is_converted_and_keeps_everything_else() -> None:
    metres = xr.DataArray(
        [1e-9, np.nan], {"x": [1, 2]}, "x", name="z", attrs={"units": "m", "quantity": "height"}
    )
    nanometres = to_units(metres, "nm")
    np.testing.assert_allclose(nanometres, [1.0, np.nan])
    assert nanometres.attrs == {"units": "nm", "quantity": "height"}
    assert nanometres.name == "z" and list(nanometres.x) == [1, 2]
    assert metres.attrs["units"] == "m" and metres[0] == 1e-9


def test_lazy_array_stays_lazy() -> None:
    array = xr.DataArray(np.ones(4), dims="x", attrs={"units": "m"}).chunk(x=2)
    assert to_units(array, "nm").chunks == ((2, 2),)
    np.testing.assert_allclose(to_units(array, "nm"), 1e9)


def test_array_without_units_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"'current' has no units.*nA"):
        to_units(xr.DataArray([1.0], dims="x", name="current"), "nA")


@pytest.mark.parametrize(("units", "to"), [("V", "nA"), ("nonsense", "nm"), ("", "nm"), (3, "V")])
def test_wrong_dimension_or_no_unit_is_refused_in_one_line(units: str, to: str) -> None:
    with pytest.raises(DataError, match=f"to '{to}'") as refused:
        to_units(xr.DataArray([1.0], dims="x", name="z", attrs={"units": units}), to)
    assert "\n" not in str(refused.value)
