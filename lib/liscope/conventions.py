"""What the numbers of an orientation map mean, the same for whoever writes or reads one."""

from __future__ import annotations

CONVENTION = "passive, sample to crystal, sample frame x right, y down, z along the beam (orix)"
QUATERNION = ["w", "x", "y", "z"]
CELL = ["a", "b", "c", "alpha", "beta", "gamma"]
# In place of the number of a phase; a phase of its own counts from 0.
AMORPHOUS, EMPTY, UNKNOWN = -1, -2, -3
FLAGS = {"flag_values": [UNKNOWN, EMPTY, AMORPHOUS], "flag_meanings": "not_known empty amorphous"}
