"""The one family of errors that a user of liscope meets.

Each message is one line for a person: what is wrong, where, and what would be right.
"""


class LiscopeError(Exception):
    """Base of all errors that liscope raises on purpose."""


class ReaderError(LiscopeError):
    """A file cannot be read: missing, damaged, of another format, or of an absurd size."""


class ParameterError(LiscopeError):
    """A parameter has an unknown name, or a wrong type, unit or range."""


class DataError(LiscopeError):
    """An array lacks what an analysis needs: units, dimensions, finite values."""


class RunError(LiscopeError):
    """A notebook did not run to its end."""
