"""Multipliers that others wrote: read, simulated, compared with the golden model."""
