"""Reproducible workflows for lithium batteries seen at the nanometre scale."""

__version__ = "0.1.0"
