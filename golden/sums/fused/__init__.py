"""Sums as tensor cores add them: a step at a time, aligned to its largest exponent."""
