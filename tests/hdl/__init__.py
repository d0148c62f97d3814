"""Tests of hdl."""
