"""Operands and streams for benches."""
