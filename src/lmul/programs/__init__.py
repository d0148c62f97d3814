"""Programs of others that are run, and whether they are there."""
