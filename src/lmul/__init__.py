"""L-Mul: floating-point multiplication by integer addition, as hardware with its evidence.

The package follows the flow of a design: parameters (`lmul.design`), the bit-exact model
(`lmul.golden`), the hardware (`lmul.hdl`), simulation (`lmul.sim`) and cost (`lmul.cost`).
"""
