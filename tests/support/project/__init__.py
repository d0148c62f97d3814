"""Documents, and what is installed."""
