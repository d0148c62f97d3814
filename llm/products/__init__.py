"""Products of matrices for the language model: on the host, in PyTorch, in a simulated array."""
