"""Benches in C++, for runs over every pair of operands."""
