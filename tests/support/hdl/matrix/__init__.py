"""Many dot products in one simulation: the matrix of all options in minutes, not days."""
