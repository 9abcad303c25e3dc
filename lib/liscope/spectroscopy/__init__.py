"""I-V curves: branches, quality, loop areas, displacement current, groups, reversal curves."""

from liscope.spectroscopy.branches import cycles, merge, speed, sweep_rates, swept_at
from liscope.spectroscopy.displacement import (
    Displacement,
    displacement,
    without_displacement,
    zero_bias_gaps,
)
from liscope.spectroscopy.groups import check_groups, compare_groups, typical, verdict
from liscope.spectroscopy.loops import DEFINITIONS, branch_currents, loop_areas
from liscope.spectroscopy.quality import FLAGS, differing_sweeps, flag_table, quality
from liscope.spectroscopy.reversal import maximal_bias, onset, reversal_table

__all__ = [
    "DEFINITIONS",
    "FLAGS",
    "Displacement",
    "branch_currents",
    "check_groups",
    "compare_groups",
    "cycles",
    "differing_sweeps",
    "displacement",
    "flag_table",
    "loop_areas",
    "maximal_bias",
    "merge",
    "onset",
    "quality",
    "reversal_table",
    "speed",
    "sweep_rates",
    "swept_at",
    "typical",
    "verdict",
    "without_displacement",
    "zero_bias_gaps",
]
