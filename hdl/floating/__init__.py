"""Floating-point numbers: addition, and rounding to a format."""
