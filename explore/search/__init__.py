"""Which points of a space are tried next."""
