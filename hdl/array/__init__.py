"""Systolic arrays: elements, and the two ways that operands and sums take."""
