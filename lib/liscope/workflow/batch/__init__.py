"""Sweeps: a workflow over samples and over lists and ranges of its parameters.

A sweep file is expanded and checked whole (`sweep`, `samples`, `rows`, `ranges`, `plan`), run side
by side in one process (`resources`, `pool`, `view`), and told in a table, a gallery and a notebook
that compares (`table`, `gallery`, `comparison`, `folder`).
"""
