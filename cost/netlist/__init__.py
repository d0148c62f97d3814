"""Netlists of library cells, and the texts that hold them."""
