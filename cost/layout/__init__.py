"""Cells as a placement sees them: their sizes and pins, and the layers of wires, from LEF files."""
