"""Tests, each named after the property that it checks."""
