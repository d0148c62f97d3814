"""What a simulation has seen: functional coverage."""
