"""Language models that read under an arithmetic: SmolLM2 by NumPy, and any of transformers by PyTorch."""
