"""A language model whose matrix products are those of the hardware: what accuracy and energy they take.

``scheme`` says which products are computed how; ``products`` computes them by the golden model,
``torch_products`` on tensors of PyTorch, ``array_run`` on the simulated array, and ``devices`` chooses.
``evaluation`` lets SmolLM2 read a text and answer questions, ``accuracy`` compares that with full precision,
and ``generation`` continues a prompt. Needs the extra ``llm``.
"""
