"""Tests of cell libraries."""
