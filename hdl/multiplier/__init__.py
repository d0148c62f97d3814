"""Operands taken apart, and their products, rounded and not."""
