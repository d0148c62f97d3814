"""From Verilog to library cells: Yosys and ABC, and the scripts they are given."""
