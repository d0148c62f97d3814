"""Sums of products, in every order and width of the hardware."""
