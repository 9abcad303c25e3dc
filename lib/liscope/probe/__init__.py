"""Scanning-probe maps: levelling, amplifier, drift, stressed areas, conductive paths."""
