"""The values that a parameter takes in a sweep: a list, or an inclusive range."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from liscope.errors import ParameterError
from liscope.workflow.parameters import Parameters, short
from liscope.workflow.quantities import in_unit

MOST = 10_000  # runs of a sweep, hence values of a parameter
_LARGEST = 1e300
_RULE = "a list, {from, to, step} or {from, to, count}"


def values_of(model: type[Parameters], name: str, given: object, where: str) -> list[object]:
    """Return the values that ``vary`` gives a parameter.

    Parameters
    ----------
    model
        What the workflow's parameters are.
    name
        The parameter.
    given
        A list, or a mapping with ``from``, ``to`` and either ``step`` or ``count``: a range that
        holds both of its ends, in the parameter's unit or in one that is written with them.
    where
        Where it was given, for the error.

    Raises
    ------
    ParameterError
        If it is neither, holds nothing, or holds more than a sweep may have runs.
    """
    try:
        if isinstance(given, Mapping):
            return _range(model, name, given)
        if not isinstance(given, list) or not given:
            raise _Fault(_RULE + (" of at least one value" if given == [] else ""))
        if len(given) > MOST:
            raise _Fault(f"at most {MOST} values")
        return given
    except _Fault as fault:
        shown = f"{short(name, quoted=False)} ({where}): got {short(given)}"
        reason = f" ({fault.reason})" if fault.reason else ""
        raise ParameterError(f"{shown}{reason}; right is {fault}") from None


class _Fault(Exception):
    """What would have been right, and why what was given is not."""

    def __init__(self, right: str, reason: str = "") -> None:
        super().__init__(right)
        self.reason = reason


def _range(model: type[Parameters], name: str, given: Mapping[object, object]) -> list[object]:
    if given.keys() not in ({"from", "to", "step"}, {"from", "to", "count"}):
        raise _Fault(_RULE)
    if name not in model.model_fields:
        return [None]  # the check of the runs says that there is no such parameter
    first, last = (_number(model, name, given[end]) for end in ("from", "to"))
    if first >= last:
        raise _Fault("'from' below 'to'")
    if "count" in given:
        return _spread(first, last, given["count"])
    return _steps(first, last, _number(model, name, given["step"]), model.meaning(name).unit)


def _number(model: type[Parameters], name: str, given: object) -> Decimal:
    value, reason = None, ""
    try:
        value = in_unit(given, model.meaning(name), model.model_fields[name].annotation)
    except ValueError as error:
        reason = str(error)
    if not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:  # nor NaN
        raise _Fault(f"a range of finite numbers, each {model.expected(name)}", reason)
    return Decimal(repr(value))  # what was typed: 0.1 is a tenth


def _steps(first: Decimal, last: Decimal, step: Decimal, unit: str) -> list[object]:
    if step <= 0:
        raise _Fault("'step' above 0")
    steps = (last - first) / step
    if steps >= MOST:
        raise _Fault(f"a 'step' that gives at most {MOST} values")
    if steps != steps.to_integral_value():
        end = first + int(steps) * step
        shown = f"{end.normalize():f} {unit}".rstrip()
        raise _Fault(f"a 'to' that the steps reach, such as {shown}")
    return [_plain(first + number * step) for number in range(int(steps) + 1)]


def _spread(first: Decimal, last: Decimal, count: object) -> list[object]:
    if not isinstance(count, int) or isinstance(count, bool) or not 2 <= count <= MOST:
        raise _Fault(f"a whole 'count' from 2 to {MOST}")
    span = Fraction(last) - Fraction(first)
    shares = [Fraction(first) + span * number / (count - 1) for number in range(count)]
    return [
        share.numerator if share.denominator == 1 else float(f"{float(share):.15g}")
        for share in shares
    ]


def _plain(value: Decimal) -> object:
    return int(value) if value == value.to_integral_value() else float(value)
