"""Collects what is wrong with a sweep, so that all of it is told at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from liscope.errors import ParameterError

_SHOWN = 20
_ENOUGH = 1000


class Faults:
    """What is wrong, one line each; the same line counts once."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    def add(self, line: str) -> None:
        """Note one line."""
        self._lines[line] = None

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Note the lines of a ParameterError that is raised inside, and go on."""
        try:
            yield
        except ParameterError as error:
            self._lines |= dict.fromkeys(str(error).splitlines())

    @property
    def enough(self) -> bool:
        """Whether nobody gains from looking for more."""
        return len(self._lines) >= _ENOUGH

    def tell(self) -> None:
        """Raise what was noted, if anything was.

        Raises
        ------
        ParameterError
            With the first twenty lines, and how many there are beyond them.
        """
        lines = list(self._lines)
        if more := len(lines) - _SHOWN:
            lines = [*lines[:_SHOWN], f"and {more} more faults"] if more > 0 else lines
        if lines:
            raise ParameterError("\n".join(lines))
