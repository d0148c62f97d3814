"""What tests of `lmul.torch` share: small models of six families, and the golden model in their place."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.pytorch_utils import Conv1D

from lmul.golden import BF16, FP16, encode, multiply_scaled, quantise_factor
from lmul.scheme import parse_scheme
from lmul.workloads.smollm2 import GGUF_NAMES, Model
from tests.support.llm import HEADS, HIDDEN, INNER, KV_HEADS, scheme_of

VOCABULARY = 64

_SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}

FAMILIES: dict[str, Any] = {
    "llama": lambda: LlamaConfig(**_SIZES),
    "mistral": lambda: MistralConfig(**_SIZES, sliding_window=6),
    "qwen2": lambda: Qwen2Config(**_SIZES),
    "gemma2": lambda: Gemma2Config(**_SIZES, sliding_window=6, query_pre_attn_scalar=8),
    "gpt2": lambda: GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64),
    "opt": lambda: OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        ffn_dim=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        word_embed_proj_dim=32,
    ),
}


def small_model(family: str, seed: int = 1) -> Any:
    """Give a model of a family with random weights, in evaluation mode."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(FAMILIES[family]())
    with torch.no_grad():
        for parameter in model.parameters():  # Larger than those that training begins with.
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def tokens(count: int = 12, batch: int = 2) -> Tensor:
    """Give random tokens, (batch, count)."""
    return torch.randint(1, VOCABULARY, (batch, count), generator=torch.Generator().manual_seed(1))


def golden_matmul(a: Tensor, b: Tensor, words: str, dtype: torch.dtype | None = None) -> Tensor:
    """Multiply by the golden model alone, in NumPy's double precision around it."""
    scheme, arrays = scheme_of(words), [x.detach().to(torch.float64).numpy() for x in (a, b)]
    spec = replace(scheme.arithmetic, depth=max(scheme.arithmetic.depth, a.shape[-1]))
    x, y = (
        quantise_factor(array, side, spec, scheme.rounding, scheme.scaling)
        for side, array in enumerate(arrays)
    )
    values, _ = multiply_scaled(x, y, spec, scheme.promote)
    return nearest(values / scheme.gain, dtype or torch.promote_types(a.dtype, b.dtype))


def nearest(values: Any, dtype: torch.dtype) -> Tensor:
    """Round doubles once to a type of PyTorch, by the golden codec for those of 16 bits."""
    formats = {torch.bfloat16: BF16, torch.float16: FP16}
    if dtype not in formats:
        return torch.from_numpy(values).to(dtype)
    return torch.from_numpy(encode(values, formats[dtype], overflow="ieee")).view(dtype)


@contextmanager
def golden_reference(model: Any, words: str) -> Iterator[None]:
    """Replace every product of a model by the golden model's inside of a `with` statement."""

    def linear(module: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> Tensor:
        weight: Any = module.weight if isinstance(module, Conv1D) else module.weight.T
        y = golden_matmul(inputs[0], weight, words)
        return y if module.bias is None else y + module.bias

    def attention(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **options: Any) -> Any:
        repeats = query.shape[1] // key.shape[1]
        key, value = (x.repeat_interleave(repeats, dim=1) for x in (key, value))
        scores = golden_matmul(query, key.mT, words) * (options.get("scaling") or query.shape[-1] ** -0.5)
        if (cap := options.get("softcap")) is not None:
            scores = cap * torch.tanh(scores / cap)
        scores = scores if mask is None else scores + mask
        probabilities = torch.softmax(scores, dim=-1)
        return golden_matmul(probabilities, value, words).transpose(1, 2).contiguous(), probabilities

    ALL_ATTENTION_FUNCTIONS.register("reference", attention)
    ALL_MASK_ATTENTION_FUNCTIONS.register("reference", eager_mask)
    previous = model.config._attn_implementation
    kinds = nn.Linear, Conv1D
    hooks = [m.register_forward_hook(linear) for m in model.modules() if isinstance(m, kinds)]
    assert parse_scheme(words) is not None
    try:
        model.set_attn_implementation("reference")
        yield
    finally:
        model.set_attn_implementation(previous)
        for hook in hooks:
            hook.remove()


def numbers(*shape: int, seed: int = 1) -> Tensor:
    """Give random numbers of many magnitudes, some of them zero."""
    rng = np.random.default_rng(seed)
    reals = rng.normal(size=shape) * np.exp2(rng.integers(-9, 4, shape))
    return torch.from_numpy(np.where(rng.random(shape) < 0.05, 0.0, reals).astype(np.float32))


def as_transformers(model: Model) -> Any:
    """Give the model of `tests.support.llm.tiny_model` as transformers has it, with the same weights."""
    config = LlamaConfig(
        vocab_size=256,
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_hidden_layers=model.config.layers,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        rope_theta=model.config.rope_base,
        rms_norm_eps=model.config.norm_epsilon,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    )
    names = {"token_embd": "embed_tokens", "output_norm": "norm"}
    for layer in range(model.config.layers):
        own = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
        own |= {
            gguf: f"{'self_attn' if gguf.startswith('attn') else 'mlp'}.{name}"
            for name, gguf in GGUF_NAMES.items()
        }
        names |= {f"blk.{layer}.{gguf}": f"layers.{layer}.{name}" for gguf, name in own.items()}
    weights = {f"model.{names[name.removesuffix('.weight')]}.weight": x for name, x in model.weights.items()}
    for name, heads in (("q_proj", HEADS), ("k_proj", KV_HEADS)):
        for key in (key for key in weights if name in key):
            # Pairs that are rotated together are neighbours in GGUF, and halves apart in transformers.
            pairs = weights[key].reshape(heads, -1, 2, HIDDEN)
            weights[key] = pairs.swapaxes(1, 2).reshape(-1, HIDDEN)
    found = AutoModelForCausalLM.from_config(config)
    tensors = {name: torch.from_numpy(x.astype(np.float32)) for name, x in weights.items()}
    found.load_state_dict(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"]})
    return found.eval()


def byte_tokenizer(start: int | None = None) -> Any:
    """Give a tokenizer that takes every byte as a token, 0 as the end; one may be put in front of a text."""
    alphabet = _byte_letters()
    tokenizer = Tokenizer(models.BPE(vocab={letter: byte for byte, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if start is not None:
        token = alphabet[start], start
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{token[0]} $A", special_tokens=[token]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=alphabet[0])


def _byte_letters() -> list[str]:
    """Give the letter that stands for each byte: itself where it can be printed, as GPT-2 has it."""
    printed = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in printed else next(others)) for byte in range(256)]


def write_folder(place: Path, model: Any, tokenizer: Any) -> Path:
    """Write a model and its tokenizer as transformers has them."""
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place
