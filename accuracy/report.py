"""Everything `lmul error` knows of a format, or of a file's operands."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from lmul.accuracy.dots import DotErrors, dot_errors, drawn_matrices
from lmul.accuracy.paper.closed_forms import formula_mean, integer_add_mean
from lmul.accuracy.products import (
    DISTRIBUTIONS,
    PAIRS,
    SEED,
    CodeErrors,
    Distribution,
    code_errors,
    multipliers_of,
    operand_errors,
)
from lmul.accuracy.statistics import Errors
from lmul.accuracy.tensors import TensorErrors, tensor_errors
from lmul.golden import Format, Integer
from lmul.golden.formats.codec import Rounding
from lmul.multipliers.lmul import lmul_constant
from lmul.terminal.progress import Report
from lmul.workloads import Operands


@dataclass(frozen=True)
class FormatReport:
    """Accuracy of all multipliers over a format.

    Parameters
    ----------
    format : Format
    rounding : {"nearest", "truncate"}
        Of the operands.
    length : int
        Products of a random dot product.
    codes : dict of str to CodeErrors
        Rounded products of bit patterns against their exact products, by multiplier. This, `expected_means`
        and `operands` are empty for integers, whose products are whole, and depend on the operands' scale.
    expected_means : dict of str to float
        Mean errors of unrounded products of bit patterns, from closed forms.
    operands : dict of str to dict of str to Errors
        Unrounded products against the operands before rounding, by distribution and multiplier.
    dots : dict of str to dict of str to DotErrors
        The same of dot products, `gaussian` and `same_sign`.
    pairs, seed : int
        Of what was random.
    """

    format: Format
    rounding: Rounding
    length: int
    codes: dict[str, CodeErrors]
    expected_means: dict[str, float]
    operands: dict[Distribution, dict[str, Errors]]
    dots: dict[str, dict[str, DotErrors]]
    pairs: int = PAIRS
    seed: int = SEED


@dataclass(frozen=True)
class OperandsReport:
    """Accuracy of all multipliers on the operands of a file.

    Parameters
    ----------
    name : str
        Of the operands.
    shape : tuple of int
        M, K and N.
    format : Format
    rounding : {"nearest", "truncate"}
        Of the operands.
    scaling : str
        Of the operands.
    products : TensorErrors
    dots : dict of str to DotErrors
        By multiplier.
    """

    name: str
    shape: tuple[int, int, int]
    format: Format
    rounding: Rounding
    scaling: str
    products: TensorErrors
    dots: dict[str, DotErrors]


def format_report(format_: Format, rounding: Rounding, length: int, progress: Report) -> FormatReport:
    """Compare all multipliers over a format.

    Parameters
    ----------
    format_ : Format
    rounding : {"nearest", "truncate"}
        Of the operands.
    length : int
        Products of a random dot product.
    progress : callable
        Told the numbers of finished and of all pieces of work.
    """
    muls = multipliers_of(format_)
    if isinstance(format_, Integer):
        dots = _drawn_dots(format_, rounding, length, muls)
        return FormatReport(format_, rounding, length, {}, {}, {}, dots)
    bits = format_.mantissa_bits
    pieces = 2 * len(muls) + 1
    codes, operands = {}, {distribution: dict[str, Errors]() for distribution in DISTRIBUTIONS}
    for done, mul in enumerate(muls):
        codes[mul] = code_errors(mul, bits)
        progress(done + 1, pieces)
    for done, mul in enumerate(muls):
        for distribution, errors in operands.items():
            errors[mul] = operand_errors(mul, bits, rounding, distribution)
        progress(len(muls) + done + 1, pieces)
    dots = _drawn_dots(format_, rounding, length, muls)
    progress(pieces, pieces)
    expected = {
        "mitchell": integer_add_mean(bits, 0),
        "lmul": integer_add_mean(bits, lmul_constant(bits)),
        "formula": formula_mean(bits, lmul_constant(bits)),
    }
    return FormatReport(format_, rounding, length, codes, expected, operands, dots)


def _drawn_dots(
    format_: Format, rounding: Rounding, length: int, muls: tuple[str, ...]
) -> dict[str, dict[str, DotErrors]]:
    """Compare random dot products of numbers of both signs, and of one."""
    return {
        kind: dot_errors(*drawn_matrices(length, kind == "same_sign"), format_, rounding, muls)
        for kind in ("gaussian", "same_sign")
    }


def operands_report(
    operands: Operands, format_: Format, rounding: Rounding, progress: Report
) -> OperandsReport:
    """Compare all multipliers on the operands of a matrix product.

    Parameters
    ----------
    operands : Operands
    format_ : Format
        What they are quantised to, with the scales that they ask for.
    rounding : {"nearest", "truncate"}
    progress : callable
        Told the numbers of finished and of all steps k.
    """
    muls = multipliers_of(format_)
    a, b = operands.a, operands.b
    quantised = operands.quantised(format_, format_, rounding)
    products = tensor_errors(a, b, format_, rounding, muls, progress, quantised)
    dots = dot_errors(a, b, format_, rounding, muls, quantised)
    shape = (*a.shape, b.shape[1])
    return OperandsReport(operands.name, shape, format_, rounding, operands.scaling, products, dots)


def as_plain(value: Any) -> Any:
    """Turn dataclasses into what JSON can hold: formats by name, what is no number as null."""
    if isinstance(value, Format):
        return value.name
    if dataclasses.is_dataclass(value):
        return {field.name: as_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: as_plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value
