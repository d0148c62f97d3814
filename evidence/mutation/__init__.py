"""Mutants: faults put into netlists one at a time, to see whether the benches notice them."""
