"""The kinds of design; apart from their parameters, so that the command line's help needs no NumPy."""

KINDS = {
    "mul": "multiplier with a result in its operands' format; combinational, or a pipeline",
    "dot": "N-lane dot product; one step of N products every cycle",
    "array": "R x C array of N-lane elements with AXI4-Stream ports",
}
