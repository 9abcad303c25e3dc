"""Orientation and phase from diffraction patterns."""
