"""Blocks of arithmetic that know nothing of designs."""
