"""Sums of blocks with scales: what scales are to terms, and exact sums of groups as terms."""
