"""Designs, and what is asked of their Verilog."""
