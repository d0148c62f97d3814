"""Cells in rows, by a placer."""
