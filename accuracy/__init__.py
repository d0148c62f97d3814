"""Accuracy: how far products and dot products are from the true ones.

`products` compares products of bit patterns and of random operands, `tensors` those of operand files, `dots`
dot products, `designs` those of a whole design; `statistics` adds up relative errors, and `report` puts it
all together. `closed_forms` has what the mean error must be, `constants` the constant that would be best,
`regions` where L-Mul's formula and its integer addition part. `claims` recomputes published figures; `table`
and `plot` show results to people.
"""
