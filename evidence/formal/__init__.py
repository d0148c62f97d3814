"""Proofs that hold for every input: model checking of the exported Verilog, with Yosys and ABC."""
