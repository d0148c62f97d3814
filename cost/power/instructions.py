"""What the instructions of a compiled netlist do; apart, so that mapping needs no Numba."""

COPY, NOT, AND, OR, XOR = range(5)
