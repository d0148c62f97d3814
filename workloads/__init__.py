"""Real matrix operands: tiles from SmolLM2-135M-Instruct, and a user's own files; the model itself, too.

``operands`` reads them (`Operands`, `load_operands`, `default_operands`, `tile_names`) and needs NumPy only.
``smollm2`` is the model, every matrix product of which can be replaced, and ``capture`` cuts the tiles in
``smollm2/`` out of it (``python -m lmul.workloads.capture``); both need the extra ``llm``.
``texts`` reads the prose and the questions that the model is measured on.
"""

from lmul.workloads.operands import Operands, default_operands, load_operands, tile_names

__all__ = ["Operands", "default_operands", "load_operands", "tile_names"]
