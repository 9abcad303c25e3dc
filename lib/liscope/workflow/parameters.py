"""The parameters of a workflow: a pydantic model whose errors are one line for a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from liscope.errors import ParameterError
from liscope.workflow.quantities import Input, Meaning, Quantity

__all__ = ["Input", "Meaning", "Parameters", "Quantity"]

_SLUG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,62}[A-Za-z0-9]|[A-Za-z0-9]")
_COLUMNS = {"workflow", "key", "state", "error"}  # of a batch's table, beside parameters
_SLUG_RULE = "letters, digits, '_', '-' and single '.', at most 64, such as 'slice_03'"


class Parameters(BaseModel):
    """Base of all models: unknown names, other types, and NaN are refused.

    Every field is ``Annotated`` with a `Meaning`, `Quantity` or `Input` and has a default, and
    every model has the text field ``sample``.
    """

    if TYPE_CHECKING:
        sample: str

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        """Hold every model to the rules above, when its module is imported."""
        if "sample" not in cls.model_fields:
            raise TypeError(f"{cls.__name__} has no field 'sample'")
        if taken := cls.model_fields.keys() & _COLUMNS:
            raise TypeError(f"{cls.__name__}.{min(taken)} is what a batch's table says of a run")
        for name, field in cls.model_fields.items():
            if field.is_required() or not _meanings(field):
                raise TypeError(f"{cls.__name__}.{name} needs a default and a meaning")

    @field_validator("sample", check_fields=False)
    @classmethod
    def _sample_is_a_plain_name(cls, value: str) -> str:
        if not is_plain_name(value):
            raise ValueError
        return value

    @model_validator(mode="after")
    def _simulated_data_stays_among_itself(self) -> Self:
        """Refuse a specimen beside measured data: a default left standing would be mixed in."""
        simulated = {
            name: str(data).startswith("specimen:") for name, data in self.inputs().items()
        }
        if any(simulated.values()) and not all(simulated.values()):
            name, other = (
                next(name for name, is_ in simulated.items() if is_ == wanted)
                for wanted in (True, False)
            )
            raise ValueError(
                f"{name}: got simulated data ({getattr(self, name)!r}) beside measured "
                f"({other}: {short(getattr(self, other))}); right is a file, or null where that "
                "is allowed"
            )
        return self

    @classmethod
    def check(cls, values: Mapping[str, object], where: Mapping[str, str] | None = None) -> Self:
        """Return the model with ``values``, and defaults for the rest.

        Parameters
        ----------
        values
            Values by name: in the field's unit, or text with a unit.
        where
            Where each value was given, for the error: "a.yaml, line 3".

        Raises
        ------
        ParameterError
            With one line for each parameter at fault.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            faults = {_name(detail): detail for detail in reversed(error.errors())}
            lines = [cls._fault(detail, where or {}) for detail in reversed(faults.values())]
            raise ParameterError("\n".join(lines)) from None

    @classmethod
    def from_namespace(cls, namespace: Mapping[str, object]) -> Self:
        """Return the model from the names of a notebook: ``Model.from_namespace(globals())``."""
        return cls.check({name: namespace[name] for name in cls.model_fields if name in namespace})

    @classmethod
    def meaning(cls, name: str) -> Meaning:
        """Return how the parameter ``name`` was declared."""
        return _meanings(cls.model_fields[name])[0]

    @classmethod
    def expected(cls, name: str) -> str:
        """Say which values of ``name`` are right: "a number in V, from -12 to 12"."""
        if name == "sample":
            return _SLUG_RULE
        field = cls.model_fields[name]
        kind = _phrase(field.annotation, plural=False)
        unit = cls.meaning(name).unit
        return kind + (f" in {unit}" if unit else "") + _range(field)

    def inputs(self) -> dict[str, str]:
        """Return the data names that go in, by parameter."""
        names = [name for name in type(self).model_fields if isinstance(self.meaning(name), Input)]
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def plain(self) -> dict[str, Any]:
        """Return the values as JSON knows them: what papermill and the record get."""
        return self.model_dump(mode="json")

    @classmethod
    def _fault(cls, detail: ErrorDetails, where: Mapping[str, str]) -> str:
        name = _name(detail)
        place = f" ({where[name]})" if name in where else ""
        if detail["type"] == "extra_forbidden":
            advice = nearest(name, cls.model_fields)
            return f"{short(name, quoted=False)}{place}: no such parameter; {advice}"
        if name not in cls.model_fields:
            return " ".join(_reason(detail).split())
        got = f"{name}{place}: got {short(detail['input'])}"
        reason = _reason(detail) if _adds(detail) else ""
        return f"{got}{f' ({reason})' if reason else ''}; right is {cls.expected(name)}"


def is_plain_name(text: str) -> bool:
    """Return whether a text can be a sample's name, and so a part of a path."""
    return bool(_SLUG.fullmatch(text))


def short(value: object, *, quoted: bool = True) -> str:
    """Return ``value`` on one line of at most 60 characters."""
    text = repr(value)
    if not quoted and isinstance(value, str) and value.isidentifier():
        text = value
    return text if len(text) <= 60 else text[:57] + "..."


def _meanings(field: FieldInfo) -> list[Meaning]:
    return [item for item in field.metadata if isinstance(item, Meaning)]


def _name(detail: ErrorDetails) -> str:
    return str(detail["loc"][0]) if detail["loc"] else ""


def _reason(detail: ErrorDetails) -> str:
    return detail["msg"].removeprefix("Value error, ")


def _adds(detail: ErrorDetails) -> bool:
    """Tell whether the reason says more than what would be right does."""
    return detail["type"] == "value_error" or (
        len(detail["loc"]) > 1 and detail["type"] != "missing"
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which of the known names was meant, or which there are."""
    from difflib import get_close_matches  # here: not needed when all is well

    names = list(known)
    near = get_close_matches(name, names, n=2)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names)}"


_WORDS = {
    float: ("a number", "numbers"),
    int: ("a whole number", "whole numbers"),
    bool: ("true or false", "true or false"),
    str: ("text", "texts"),
}


def _phrase(annotation: Any, *, plural: bool) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation][plural]
    if origin is Literal:
        return "one of " + ", ".join(map(repr, arguments))
    if origin in (Union, UnionType):
        kinds = [_phrase(kind, plural=plural) for kind in arguments if kind is not NoneType]
        return " or ".join([*kinds, "null"] if NoneType in arguments else kinds)
    if origin is tuple and ... not in arguments:
        head = "lists of" if plural else "a list of"
        return f"{head} {len(arguments)} {_phrase(arguments[0], plural=True)}"
    if origin in (list, tuple):
        return ("lists of " if plural else "a list of ") + _phrase(arguments[0], plural=True)
    return "a value"


_LIMITS = {
    "ge": "at least {}",
    "gt": "above {}",
    "le": "at most {}",
    "lt": "below {}",
    "min_length": "at least {} long",
    "max_length": "at most {} long",
    "multiple_of": "a multiple of {}",
}


def _range(field: FieldInfo) -> str:
    """Return the limits of a field as words, with a comma before them."""
    limits = {
        key: getattr(item, key)
        for item in field.metadata
        for key in _LIMITS
        if getattr(item, key, None) is not None
    }
    if {"ge", "le"} <= limits.keys():
        both = f", from {limits.pop('ge'):g} to {limits.pop('le'):g}"
    else:
        both = ""
    return both + "".join(f", {_LIMITS[key].format(f'{limits[key]:g}')}" for key in limits)
