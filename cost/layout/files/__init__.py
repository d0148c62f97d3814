"""Placed designs as files for other tools: DEF, SPEF, flat Verilog, pictures."""
