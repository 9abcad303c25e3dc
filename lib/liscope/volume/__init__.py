"""Volumes from slices: two instruments' stacks in one frame, phases, and microstructure.

In the order of the work: what stacks hold (``stack_table``, ``normalisation_table``); where each
slice lies (``untilted``, ``slice_drift``, ``slice_depths``, ``register_stacks``, composed in
``Frames``); one interpolation onto a ``Grid`` (``onto_grid``); how channels go together
(``correlation_table``, ``covariance_terms``, ``local_covariance``); phases with probabilities
(``identify``); lithium at edges (``edge_profile``, ``beam_width``, ``depletion``); and
microstructure.

Everything that works on voxels takes dask arrays as well, in blocks of a few slices.
"""

from liscope.volume.agreement import agreement, known_frames, known_labels, misplaced
from liscope.volume.arithmetic import electron_range, printed_numbers
from liscope.volume.assembly import (
    bad_of,
    common_grid,
    corner,
    frames_of,
    marked,
    only,
    pictures,
    steady_table,
    told,
    without_bad,
)
from liscope.volume.beam import Width, beam_width
from liscope.volume.chords import chord_table
from liscope.volume.connectivity import connectivity_table
from liscope.volume.contacts import coarsening_table, contact_table
from liscope.volume.covariance import (
    covariance_table,
    covariance_terms,
    grey_levels,
    separation_table,
)
from liscope.volume.depletion import Depletion, depletion
from liscope.volume.drift import Drift, slice_drift
from liscope.volume.fractions import convergence_table, fraction_table
from liscope.volume.frames import Frames, Grid
from liscope.volume.interpolation import (
    in_grey_levels,
    interpolation_table,
    kept,
    noise_left,
    stored,
)
from liscope.volume.label_table import component_table
from liscope.volume.labels import label_components
from liscope.volume.local import local_covariance, local_limit
from liscope.volume.moments import joint_histogram, joint_moments, joint_statistics
from liscope.volume.normalise import (
    anscombe,
    log_levels,
    log_scaled,
    min_max,
    normalisation_table,
    normalised_correlations,
)
from liscope.volume.null import correlation_table
from liscope.volume.overview import missing_slices, stack_table
from liscope.volume.phases import identify
from liscope.volume.profiles import edge_profile, line_profile
from liscope.volume.registering import Match, register_stacks
from liscope.volume.report import across, depletion_table, edge_table, match_table, profile_table
from liscope.volume.resample import onto_grid, variance_share
from liscope.volume.response import Response, ion_response
from liscope.volume.scale_phantom import PHANTOM, phantom_correlations
from liscope.volume.segmented import labelled
from liscope.volume.separation import separate
from liscope.volume.sizes import SMALLEST, size_distribution, size_table, sizes_of
from liscope.volume.thickness import slice_depths
from liscope.volume.tilt import untilted
from liscope.volume.tortuosity import tortuosity_table

__all__ = [
    "PHANTOM",
    "SMALLEST",
    "Depletion",
    "Drift",
    "Frames",
    "Grid",
    "Match",
    "Response",
    "Width",
    "across",
    "agreement",
    "anscombe",
    "bad_of",
    "beam_width",
    "chord_table",
    "coarsening_table",
    "common_grid",
    "component_table",
    "connectivity_table",
    "contact_table",
    "convergence_table",
    "corner",
    "correlation_table",
    "covariance_table",
    "covariance_terms",
    "depletion",
    "depletion_table",
    "edge_profile",
    "edge_table",
    "electron_range",
    "fraction_table",
    "frames_of",
    "grey_levels",
    "identify",
    "in_grey_levels",
    "interpolation_table",
    "ion_response",
    "joint_histogram",
    "joint_moments",
    "joint_statistics",
    "kept",
    "known_frames",
    "known_labels",
    "label_components",
    "labelled",
    "line_profile",
    "local_covariance",
    "local_limit",
    "log_levels",
    "log_scaled",
    "marked",
    "match_table",
    "min_max",
    "misplaced",
    "missing_slices",
    "noise_left",
    "normalisation_table",
    "normalised_correlations",
    "only",
    "onto_grid",
    "phantom_correlations",
    "pictures",
    "printed_numbers",
    "profile_table",
    "register_stacks",
    "separate",
    "separation_table",
    "size_distribution",
    "size_table",
    "sizes_of",
    "slice_depths",
    "slice_drift",
    "stack_table",
    "steady_table",
    "stored",
    "told",
    "tortuosity_table",
    "untilted",
    "variance_share",
    "without_bad",
]
