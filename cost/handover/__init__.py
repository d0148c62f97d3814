"""A cost as files for other tools."""
