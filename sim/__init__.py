"""Simulation: the generated Verilog against the golden model, bit for bit."""
