"""Models of PyTorch on an arithmetic."""
