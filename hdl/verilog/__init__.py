"""From Amaranth to Verilog as a person would write it."""
