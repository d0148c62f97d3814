"""Multipliers compared with the golden model for every pair of codes."""
