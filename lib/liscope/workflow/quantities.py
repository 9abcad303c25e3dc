"""How a parameter is declared: its unit, its meaning, and what a given value becomes.

>>> class Scan(Parameters):
...     sample: Annotated[str, Meaning("name of the sample")] = "specimen"
...     bias: Annotated[float, Quantity("V", "bias during read-out")] = Field(1.5, ge=-12, le=12)
...     scan: Annotated[str, Input("map before the stress")] = "tip_stress"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, partial
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

# One unit is letters with a small power; powers of numbers are not accepted, because
# something like 9**9**9**9 would keep the unit library busy for ever.
_TERM = r"[A-Za-zµμΩÅ°%]+(?:(?:\^|\*\*)?-?\d{1,2})?"
_UNIT = rf"(?:1\s*/\s*)?{_TERM}(?:\s*[*/·]\s*{_TERM})*"
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TEXT = re.compile(rf"\s*(?P<number>{_NUMBER})(?:\s*(?P<unit>{_UNIT}))?\s*")
_LONGEST = 100


@dataclass(frozen=True)
class Meaning:
    """What a parameter without a unit means: text, a choice, a count, a switch."""

    meaning: str
    unit: str = ""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        convert = partial(_convert, leaves=leaf_types(source), unit=self.unit)
        return core_schema.no_info_before_validator_function(convert, handler(source))


class Quantity(Meaning):
    """A number, or a list of numbers, in a unit; text such as "1500 mV" is converted to it."""

    def __init__(self, unit: str, meaning: str) -> None:
        super().__init__(meaning, unit)


class Input(Meaning):
    """The name of data that goes in; the file behind it is part of what a run is made of."""


def leaf_types(annotation: object) -> frozenset[type]:
    """Return the types of the single values in ``annotation``, without ``None``."""
    if get_origin(annotation) is Literal:
        return frozenset(type(choice) for choice in get_args(annotation))
    if isinstance(annotation, type) and not get_args(annotation):
        return frozenset({annotation} - {NoneType})
    return frozenset().union(*(leaf_types(argument) for argument in get_args(annotation)))


def kinds_of(annotation: Any) -> set[Any]:
    """Return the types that a value of ``annotation`` may have; `list` for any list."""
    if get_origin(annotation) is Literal:
        return {type(choice) for choice in get_args(annotation)}
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*(kinds_of(one) for one in get_args(annotation)))
    return {get_origin(annotation) or annotation}


def in_unit(value: object, meaning: Meaning, annotation: object) -> object:
    """Return a number, or a text such as "50 nm", as a number in a parameter's unit.

    Raises
    ------
    ValueError
        If it is no number, or its unit does not convert.
    """
    numbers = kinds_of(annotation) & {int, float}
    if not numbers or isinstance(value, list):
        raise ValueError
    return _convert(value, frozenset(numbers), meaning.unit)


def _convert(value: Any, leaves: frozenset[type], unit: str) -> Any:
    """Turn text into a number where a number is due; let no type pass for another."""
    if isinstance(value, list | tuple):
        return [_convert(item, leaves, unit) for item in value]
    if value is None:
        return None
    if isinstance(value, bool):
        return _expect(bool in leaves, value)
    if isinstance(value, str):
        return value if str in leaves else _number(value, unit, leaves)
    return _expect(bool not in leaves or len(leaves) > 1, value)


def _expect(fits: bool, value: Any) -> Any:
    if not fits:
        raise ValueError  # what would be right says it all
    return value


def _number(text: str, unit: str, leaves: frozenset[type]) -> float | int:
    """Read a number with or without a unit, as a number in ``unit``."""
    match = _TEXT.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or not leaves & {int, float}:
        raise ValueError
    if match["unit"] and match["unit"] != unit:
        return _in_unit(float(match["number"]), match["unit"], unit)
    whole = re.fullmatch(r"[-+]?\d+", match["number"])
    return int(match["number"]) if whole else float(match["number"])


@lru_cache(maxsize=1000)
def _in_unit(value: float, given: str, unit: str) -> float:
    # Imported here: pint and xarray take half a second, and few values carry a unit.
    import pint

    from liscope.units import registry

    if not unit:
        raise ValueError("it has no unit")
    try:
        number = float(registry().Quantity(value, given).to(unit).magnitude)
    except pint.errors.UndefinedUnitError:
        raise ValueError(f"'{given}' is not a unit that liscope knows") from None
    except (pint.errors.PintError, ArithmeticError, AttributeError, TypeError):
        raise ValueError(f"'{given}' does not convert to '{unit}'") from None
    # 15 digits: what was typed, without the rounding of the conversion factor.
    return float(f"{number:.15g}")
