"""Volumes from slices: two instruments' stacks in one frame, phases, and microstructure."""
