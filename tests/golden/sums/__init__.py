"""Sums of the golden model."""
