"""Proofs, runs over all operands, and faults that benches have to notice."""
