"""What others published of the energy of arithmetic, and what the paper makes of it."""
