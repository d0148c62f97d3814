"""A language model whose matrix products are those of the hardware: what accuracy and energy they take.

``scheme`` says which products are computed how; ``products`` computes them by the golden model,
on tensors of PyTorch, or on the simulated array. ``readers`` are SmolLM2 in NumPy, and any model of
transformers. ``evaluation`` lets one read a text and answer questions, ``accuracy`` compares that with full
precision, and ``generation`` continues a prompt. Needs the extra ``llm``, or ``torch``.
"""
