"""Formats and steps that the golden model is tested with."""
