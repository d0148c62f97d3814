"""Counts of ideal gates, which need no library."""
