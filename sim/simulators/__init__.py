"""Verilator and Icarus Verilog, and the files they write."""
