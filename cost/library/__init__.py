"""Cells of a library: their functions, tables and pins, from Liberty files and for the mapper."""
