"""Matrix products of real numbers: quantised, multiplied as a design does, and scaled back."""

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.arguments import as_reals, check_choice
from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.format import Codes
from lmul.golden.formats.quantise import (
    BLOCK_SCALINGS,
    SCALINGS,
    OperandRounding,
    Quantised,
    quantise,
    quantise_blocks,
    quantise_by_power,
    quantise_nvfp4,
)
from lmul.golden.matmul import check_promotion, matmul_codes, promoted_sums
from lmul.golden.sums.stacks import stacks
from lmul.golden.sums.tiles import column_tiles
from lmul.golden.sums.whole import whole_products
from lmul.host.parallel import one_blas_thread, run_each
from lmul.host.parameters import ParameterError

Reals = NDArray[np.float64]

SCALED_BY = {"none": tuple(SCALINGS), "mx": ("block", "block-up"), "nvfp4": ("nvfp4",)}
SCALED_BY["mxfp4"] = SCALED_BY["mx16"] = SCALED_BY["mx"]
"""Scalings of operands that each kind of block scale can be, the usual one first."""

Multiplication = Callable[[Codes, Codes], tuple[Reals, int]]
"""Multiplies matrices of codes: their products, and how many left the range."""


def matmul(
    a: ArrayLike,
    b: ArrayLike,
    spec: Arithmetic,
    *,
    rounding: OperandRounding = "nearest",
    scaling: str | None = None,
) -> Reals:
    """Multiply matrices of real numbers as a design would: quantise, multiply, accumulate, dequantise.

    Parameters
    ----------
    a : array_like of finite floats, shape (..., M, K)
    b : array_like of finite floats, shape (..., K, N)
        Leading axes are broadcast, as by `numpy.matmul`.
    spec : Arithmetic
        What decides the bits.
    rounding : {"nearest", "truncate", "log"}
        Of the operands.
    scaling : str, optional
        A name of `SCALINGS`, by default the first of `SCALED_BY`. The scales are multiplied back; with those
        of `BLOCK_SCALINGS` the design's sums are those of blocks, which are scaled and added in double
        precision, unless the design has scales of blocks itself.

    Returns
    -------
    ndarray of float64, shape (..., M, N)

    Raises
    ------
    ValueError
        The inner sizes differ, an operand is no matrix or not finite, K exceeds `spec.depth`
        with the `exact` accumulator, or a name is unknown.

    Warns
    -----
    RuntimeWarning
        Sums left the range of the accumulator, or of the output: they are saturated, or infinite.

    Examples
    --------
    >>> from lmul.golden import Arithmetic, matmul
    >>> matmul([[1.0, 2.0]], [[1.0], [0.5]], Arithmetic()).round(3).tolist()
    [[2.122]]
    >>> matmul([[1.0, 2.0]], [[1.0], [0.5]], Arithmetic(mul="exact")).round(3).tolist()
    [[2.0]]
    """
    reals = [as_reals(operand) for operand in (a, b)]
    if min(real.ndim for real in reals) < 2 or reals[0].shape[-1] != reals[1].shape[-2]:
        raise ValueError(
            f"operands must be ... x M x K and ... x K x N, not {reals[0].shape} and {reals[1].shape}"
        )
    chosen = usual_scaling(spec) if scaling is None else scaling
    x, y = (quantise_factor(real, side, spec, rounding, chosen) for side, real in enumerate(reals))
    values, left_range = multiply_scaled(x, y, spec)
    if left_range:
        output = f" or of the output {spec.out}" if spec.output_overflows else ""
        warnings.warn(
            f"{left_range} of {values.size} sums left the range of the accumulator {spec.acc}{output}",
            RuntimeWarning,
            stacklevel=2,
        )
    return values


def usual_scaling(spec: Arithmetic) -> str:
    """Give the scaling of operands that an arithmetic has unless another one is asked for."""
    return SCALED_BY[spec.scale][0]


def check_scaling(scaling: str, spec: Arithmetic) -> None:
    """Refuse a scaling of operands that is unknown, or that the block scales of an arithmetic cannot be.

    Raises
    ------
    ParameterError
    """
    check_choice("scaling", scaling, SCALINGS)
    if scaling not in SCALED_BY[spec.scale]:
        right = f"must be {' or '.join(SCALED_BY[spec.scale])} with scale {spec.scale}, not {scaling}"
        raise ParameterError("scaling", right)


def quantise_factor(
    reals: ArrayLike, side: int, spec: Arithmetic, rounding: OperandRounding, scaling: str
) -> Quantised:
    """Quantise one factor of a matrix product.

    Parameters
    ----------
    reals : array_like of finite floats, shape (..., M, K) or (..., K, N)
    side : {0, 1}
        Which factor it is.
    spec : Arithmetic
    rounding : {"nearest", "truncate", "log"}
    scaling : str
        A name of `SCALINGS`.

    Raises
    ------
    ValueError
        There is no such scaling, rounding or side, or the factor is not finite.

    Examples
    --------
    >>> from lmul.golden import Arithmetic, quantise_factor
    >>> rows = quantise_factor([[7.0, 3.5], [14.0, 3.5]], 0, Arithmetic(), "nearest", "row")
    >>> rows.scale.tolist()
    [[0.015625], [0.03125]]
    """
    check_scaling(scaling, spec)
    if side not in (0, 1):
        raise ValueError(f"side must be 0 or 1, not {side!r}")
    inner = (-1, -2)[side]
    if scaling == "power":
        return quantise_by_power(reals, spec.formats[side], rounding)
    if scaling == "nvfp4":
        return quantise_nvfp4(reals, spec.formats[side], rounding, inner)
    if scaling in BLOCK_SCALINGS:
        relative = spec.block_scale is not None and spec.saturates
        up = scaling == "block-up"
        return quantise_blocks(reals, spec.formats[side], rounding, inner, up=up, relative=relative)
    return quantise(reals, spec.formats[side], rounding, inner if scaling == "row" else None)


def multiply_scaled(
    x: Quantised, y: Quantised, spec: Arithmetic, promote: int | None = None
) -> tuple[Reals, int]:
    """Multiply quantised factors of one scaling.

    Parameters
    ----------
    x, y : Quantised
        As `quantise_factor` gives them, of sides 0 and 1.
    spec : Arithmetic
    promote : int, optional
        Products after which a fused sum is added to an fp32 number outside, as `promoted_sums` does.

    Returns
    -------
    values : ndarray of float64, shape (..., M, N)
    left_range : int
        Sums that left the range of the accumulator, or of the output.

    Raises
    ------
    ValueError
        More products than `spec.depth` with the `exact` accumulator, sums that cannot be promoted, or factors
        that have not the block scales of `spec`.

    Examples
    --------
    >>> from lmul.golden import Arithmetic, multiply_scaled, quantise_factor
    >>> arithmetic = Arithmetic(mul="exact")
    >>> x = quantise_factor([[7.0, 3.5]], 0, arithmetic, "nearest", "tensor")
    >>> y = quantise_factor([[7.0], [-7.0]], 1, arithmetic, "nearest", "tensor")
    >>> values, left_range = multiply_scaled(x, y, arithmetic)
    >>> values.tolist(), left_range
    ([[24.5]], 0)
    """
    parts, multiply = _parts(x), _multiplication(spec, promote)
    if promote is not None:
        check_promotion(spec, promote, blocks=len(parts) > 1 or spec.block_scale is not None)
    if spec.block_scale and {x.block, y.block} != {spec.block_scale.block}:
        wanted = f"{spec.scale} takes factors with scales of {spec.block_scale.block} numbers"
        raise ParameterError("scale", f"{wanted}, not of {x.block} and {y.block}")
    depth = max((part.stop - part.start for part in parts), default=0)
    if spec.acc == "exact" and depth > spec.depth:
        raise ValueError(
            f"K is {depth}, more than the depth {spec.depth} of the accumulator: ask for depth={depth}"
        )
    if promote is None and (values := whole_products(x, y, spec)) is not None:
        return values, 0
    x, y, shape = stacks(x, y, len(parts))
    axes = x.codes.shape[:-2]
    total = np.zeros((*axes, x.codes.shape[-2], y.codes.shape[-1]))

    def add(tile: tuple[tuple[int, ...], slice]) -> int:
        index, columns = tile
        a = replace(x, codes=x.codes[index], scale=x.scale[index])
        b = replace(y, codes=y.codes[index][:, columns], scale=y.scale[index][:, columns])
        if spec.block_scale:
            return _add_scaled(a, b, spec, total[index][:, columns])
        return _add_products(a, b, parts, multiply, total[index][:, columns])

    with one_blas_thread():
        left_range = sum(run_each(add, product(np.ndindex(axes), column_tiles(shape[-1], math.prod(axes)))))
    return total.reshape(shape), left_range


def _parts(x: Quantised) -> list[slice]:
    """Give the ranges along K that have scales of their own: all at once, or the blocks."""
    depth, blocks = x.codes.shape[-1], x.scale.shape[-1] if x.scale.ndim else 1
    if blocks == 1:
        return [slice(0, depth)]
    return [slice(k, min(k + x.block, depth)) for k in range(0, depth, x.block)]


def _multiplication(spec: Arithmetic, promote: int | None) -> Multiplication:
    """Give what multiplies matrices of codes, sums promoted or not."""

    def whole(a: Codes, b: Codes) -> tuple[Reals, int]:
        sums = matmul_codes(a, b, spec)
        values = sums.values()
        return values, int(np.count_nonzero(sums.overflow | ~np.isfinite(values)))

    def promoted(a: Codes, b: Codes) -> tuple[Reals, int]:
        values = promoted_sums(a, b, spec, promote or 0).astype(np.float64)
        return values, int(np.count_nonzero(~np.isfinite(values)))

    return whole if promote is None else promoted


def _add_products(
    x: Quantised, y: Quantised, parts: list[slice], multiply: Multiplication, total: Reals
) -> int:
    """Add the products of two matrices to `total`, and tell how many sums left their range."""
    left_range = 0
    for part, inner in enumerate(parts):
        values, outside = multiply(x.codes[:, inner], y.codes[inner])
        left_range += outside
        # The product of the scales alone may be no double.
        values *= x.scale[:, part, None]
        values *= y.scale[part]
        total += _times_tensor_scales(values, x, y)
    return left_range


def _add_scaled(x: Quantised, y: Quantised, spec: Arithmetic, total: Reals) -> int:
    """Add the products of two matrices whose blocks the design scales itself."""
    scale = spec.block_scale
    assert scale is not None  # noqa: S101
    first, second = (
        scale.codes(side.scale, format_) for side, format_ in zip((x, y), spec.formats, strict=True)
    )
    sums = matmul_codes(x.codes, y.codes, spec, None, first, second)
    values = sums.values()
    left_range = int(np.count_nonzero(sums.overflow | ~np.isfinite(values)))
    total += _times_tensor_scales(values, x, y)
    return left_range


def _times_tensor_scales(values: Reals, x: Quantised, y: Quantised) -> Reals:
    """Multiply in place by the scales of whole tensors, most of which are 1."""
    for tensor_scale in (x.tensor_scale, y.tensor_scale):
        if tensor_scale != 1:
            values *= tensor_scale
    return values
