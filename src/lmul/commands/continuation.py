"""`lmul continue`: a continuation under a chosen arithmetic, beside the one in full precision."""

import argparse
import sys
from typing import TYPE_CHECKING

from lmul.design import Design, make_design
from lmul.errors import UserError, printable
from lmul.golden import Arithmetic
from lmul.golden.formats.quantise import BLOCK_SCALINGS
from lmul.llm.generation import continuations
from lmul.llm.products.host import SchemeMatmul, Weights
from lmul.llm.readers.models import open_model
from lmul.llm.readers.reader import NumpyReader, Reader
from lmul.scheme import Scheme, parse_scheme
from lmul.terminal.console import say
from lmul.terminal.progress import working
from lmul.workloads import smollm2

if TYPE_CHECKING:
    from lmul.llm.products.array import ArrayMatmul  # Needs a simulator.

LONGEST = 1024
"""Tokens of a prompt and its continuation."""

SIZE = 8
"""Rows, columns and lanes of the simulated array."""

COLUMN = 34


def run_continue(options: argparse.Namespace) -> int:
    """Print both continuations, a line a token, and then as texts.

    Parameters
    ----------
    options : argparse.Namespace
        `prompt`, `model`, `arithmetic`, `tokens`, `array` and `build`.

    Raises
    ------
    UserError
        An option cannot be used, or an extra is not installed.
    """
    scheme = parse_scheme(options.arithmetic)
    if options.tokens < 1:
        raise UserError(f"--tokens must be 1 or more, not {options.tokens}")
    design = _array(scheme) if options.array else None
    with working("Loading the language model"):
        model = open_model(options.model)
        host = smollm2.load_model() if design else None  # An array takes NumPy's numbers.
        full = NumpyReader(host, SchemeMatmul(None, Weights())) if host else model.under(None)
    length = len(full.encode(options.prompt)) + options.tokens
    if length > LONGEST:
        raise UserError(f"PROMPT and --tokens must be at most {LONGEST} tokens together, not {length}")
    array = _array_matmul(scheme, design, options) if scheme and design else None
    chosen = NumpyReader(host, array) if host and array else model.under(scheme)
    texts = _simulated_steps(full, chosen, options) if array else _print_steps(full, chosen, options)
    if texts is None:
        return 1
    for name, text in zip(("full precision", options.arithmetic), texts, strict=True):
        say(f"{name}:")
        for line in (options.prompt + text).splitlines():
            say(f"  {line}")
    say(model.full_precision)
    if array:
        say(f"Array: {array.rows:,} rows equal the golden model's, {array.cycles:,} cycles.")
    return 0


def _print_steps(full: Reader, chosen: Reader, options: argparse.Namespace) -> tuple[str, str]:
    """Print the tokens as they come, those that differ with a star, and give both texts."""
    first, second = "", ""
    say(f"{'':>4} {'full precision':{COLUMN}}  {options.arithmetic}")
    for number, step in enumerate(continuations(full, chosen, options.prompt, options.tokens), 1):
        mark = " " if step.full == step.chosen else "*"
        say(f"{number:>4} {printable(step.full):{COLUMN}}{mark} {printable(step.chosen)}")
        sys.stdout.flush()
        first, second = first + step.full, second + step.chosen
    return first, second


def _simulated_steps(full: Reader, chosen: Reader, options: argparse.Namespace) -> tuple[str, str] | None:
    """Do so with a simulator, and say where hardware and golden model differ: then there are no texts."""
    from lmul.sim.simulate import SimulationError

    try:
        return _print_steps(full, chosen, options)
    except SimulationError as error:
        print(f"lmul: {printable(error)}", file=sys.stderr)
        return None


def _array(scheme: Scheme | None) -> Design:
    if scheme is None or scheme.scaling in BLOCK_SCALINGS:
        raise UserError("--array needs an arithmetic whose operands have one scale, or one a row")
    if scheme.promote is not None:
        raise UserError("--array adds nothing outside: leave promote= out")
    one = scheme.arithmetic
    if one.out == "raw":
        raise UserError("--array needs sums that are numbers: take out=fp32 or out=bf16")
    if one.lanes not in {SIZE, Arithmetic.lanes}:
        raise UserError(f"--array has {SIZE} lanes: leave lanes= out")
    first, second = one.formats
    return make_design(
        "array",
        format_a=first.name,
        format_b=second.name,
        rows=SIZE,
        cols=SIZE,
        lanes=SIZE,
        mul=one.mul,
        acc=one.acc,
        out=one.out,
        depth=one.depth,
        subnormals=one.subnormals,
    )


def _array_matmul(scheme: Scheme, design: Design, options: argparse.Namespace) -> "ArrayMatmul":
    from lmul.llm.products.array import ArrayMatmul

    with working(f"Building {design.name}"):
        return ArrayMatmul(scheme, design, Weights(), options.build / "continue" / design.name)
