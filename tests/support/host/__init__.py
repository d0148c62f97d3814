"""Commands, and what is handed to them."""
