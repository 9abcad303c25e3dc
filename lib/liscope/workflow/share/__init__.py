"""Executable supplements: an archive with notebooks, data and results, and its rerun elsewhere.

`pack` writes archives and `unpack` reads what others wrote; `selection`, `contents` and `inputs`
say what goes in; `crate` describes it to programs and `site` to people; `crate_reading`, `rerun`
and `comparison` are the reading side.
"""
