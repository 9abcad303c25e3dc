"""Reference specimens: what an instrument would have recorded, with the truth beside it.

A specimen is an :class:`xarray.DataTree` with one node a measurement, in the same form in which
:mod:`liscope.readers` hands over a real file, and a node ``truth`` that no analysis looks at.
"""
