"""Netlists, and small Liberty libraries."""
