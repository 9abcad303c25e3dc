"""Everything that happens around a notebook: parameters, runs, records, pages.

It knows notebooks, parameters and files; it knows no physics.
"""
