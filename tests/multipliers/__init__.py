"""Tests of multipliers."""
