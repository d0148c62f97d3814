"""Look-up tables, registers and clock of a design on an FPGA."""
