"""Tests of cost/layout."""
