"""Quantisation and sums of tensors where they are, on a graphics processor."""
