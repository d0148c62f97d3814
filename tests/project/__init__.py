"""Tests of documents, packages and targets of make."""
