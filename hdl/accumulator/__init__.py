"""Sums of products: fixed and floating point."""
