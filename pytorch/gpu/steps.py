"""Sums of tensors of codes by Triton's kernels: what they take, made of an arithmetic and its operands."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lmul.golden import Arithmetic, Quantised
from lmul.golden.formats.quantise import BLOCK_EXPONENTS
from lmul.golden.products.exponents import Ranges
from lmul.golden.sums.fixed_point import FP64_SIGNIFICAND_BITS
from lmul.multipliers.table import NOT_ADDED
from lmul.torch.gpu import kernels, quantise, tables

COLUMNS = 32
"""Of a program's tile: one for each thread of a warp."""

AT_ONCE = 4096
"""Products that a program has at once."""


@dataclass(frozen=True)
class _Operands:
    """Both operands as kernels take them.

    Parameters
    ----------
    a : Tensor, shape (B, K, M)
    b : Tensor, shape (B, K, N)
    weights : tuple of two Tensors
        Of the same shapes, of what terms are aligned by.
    shape : tuple of int
        Of the sums.
    """

    a: Tensor
    b: Tensor
    weights: tuple[Tensor, Tensor]
    shape: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """M, N and K."""
        return self.a.shape[2], self.b.shape[2], self.a.shape[1]

    def empty(self, dtype: torch.dtype) -> Tensor:
        """Make room for sums."""
        return torch.empty(self.shape, dtype=dtype, device=self.a.device)


def fused_sums(x: Quantised, y: Quantised, spec: Arithmetic, promote: int | None) -> Tensor:
    """Give fused sums, (..., M, N), promoted after some products if asked for, in float32."""
    operands, fused, scale = _operands(x, y, spec), spec.fused, spec.block_scale
    sums = operands.empty(torch.float32)
    aligned = "groups" if spec.grouped else "operands" if spec.mul in NOT_ADDED else "products"
    _launch(
        kernels.fused_sums,
        (operands.a, operands.b, *operands.weights, _significands(operands, spec), sums),
        (*operands.sizes, spec.lanes, promote or operands.sizes[2]),
        _lanes(spec),
        spec,
        ALIGNED=aligned,
        GROUPED=scale.group.bit_length() - 1 if scale else 0,
        SMALLEST=scale.number.min_exponent if scale and scale.number else BLOCK_EXPONENTS[0],
        FRACTION=fused.fraction_bits,
        KEPT=fused.mantissa_bits,
        NEAREST=fused.nearest,
        LEAST=spec.least_exponent,
    )
    return sums


def fixed_sums(x: Quantised, y: Quantised, spec: Arithmetic) -> tuple[Tensor, Tensor]:
    """Give the numbers in fixed-point registers, (..., M, N), in float64, and whether they left the range."""
    operands = _operands(x, y, spec)
    sums, left = operands.empty(torch.float64), operands.empty(torch.int8)
    _launch(
        kernels.fixed_sums,
        (operands.a, operands.b, _significands(operands, spec), sums, left),
        (*operands.sizes, spec.lanes),
        _lanes(spec),
        spec,
        BITS=spec.accumulator_bits,
        LSB=spec.lsb_exponent,
    )
    return sums, left.bool()


def float_sums(x: Quantised, y: Quantised, spec: Arithmetic) -> Tensor:
    """Give the sums of fp32 registers, (..., M, N), in float32."""
    operands = _operands(x, y, spec)
    sums = operands.empty(torch.float32)
    order = torch.tensor(_leaves(spec.lanes), dtype=torch.int32, device=sums.device)
    _launch(
        kernels.float_sums,
        (operands.a, operands.b, _significands(operands, spec), order, sums),
        (*operands.sizes, spec.lanes),
        _lanes(spec),
        spec,
    )
    return sums


def exact_parts(x: Quantised, y: Quantised, spec: Arithmetic, ranges: Ranges) -> Iterable[Tensor]:
    """Give the parts of exact sums, largest first, (..., M, N), in float64."""
    operands = _operands(x, y, spec)
    bits = FP64_SIGNIFICAND_BITS - 2 - max(operands.sizes[2], 1).bit_length()
    lowest, highest = (sum(window[end] for window in ranges if window) for end in (0, 1))
    places = range(max(lowest - spec.fraction_bits, spec.product_lsb_exponent), highest + 4, bits)
    for part in range(len(places) if all(ranges) else 1):
        sums = operands.empty(torch.float64)
        _launch(
            kernels.exact_sums,
            (operands.a, operands.b, _significands(operands, spec), sums),
            (*operands.sizes, places[-1]),
            COLUMNS,
            spec,
            PART=part,
            BITS=bits,
        )
        yield sums


def _launch(
    kernel: Any,
    tensors: tuple[Tensor, ...],
    sizes: tuple[int, ...],
    lanes: int,
    spec: Arithmetic,
    **fixed: Any,
) -> None:
    """Run a kernel, a program for each tile of sums."""
    rows, columns = sizes[:2]
    tile = max(1, AT_ONCE // (lanes * COLUMNS))
    programs = len(tensors[0]) * -(-rows // tile) * -(-columns // COLUMNS)
    with torch.cuda.device_of(tensors[0]):
        kernel[(programs,)](
            *tensors,
            *sizes,
            TABULATED=spec.mul != "exact",
            MANTISSA=spec.mantissa_bits,
            LANES=lanes,
            LEVELS=lanes.bit_length() - 1,
            ROWS=tile,
            COLUMNS=COLUMNS,
            **fixed,
            # A product and an addition are two roundings, wherever there are two.
            enable_fp_fusion=False,
        )


def _operands(x: Quantised, y: Quantised, spec: Arithmetic) -> _Operands:
    """Give the numbers of codes as kernels take them, stacks of matrices broadcast."""
    axes = torch.broadcast_shapes(x.codes.shape[:-2], y.codes.shape[:-2])
    shape = (*axes, x.codes.shape[-2], y.codes.shape[-1])
    first, second = _numbers(x, 0, spec), _numbers(y, 1, spec)
    if y.codes.ndim == 2:  # One matrix product of all rows.
        first, axes = [tensor.flatten(0, -2) for tensor in first], ()

    def stacked(numbers: Tensor) -> Tensor:
        spread = numbers.expand(*axes, *numbers.shape[-2:])
        return spread.reshape(math.prod(axes), *numbers.shape[-2:]).contiguous()

    a, a_weights = (stacked(tensor.mT) for tensor in first)
    b, b_weights = (stacked(tensor) for tensor in second)
    return _Operands(a, b, (a_weights, b_weights), shape)


def _numbers(quantised: Quantised, side: int, spec: Arithmetic) -> Sequence[Tensor]:
    """Give the numbers of codes, times the scales of single products, and what terms are aligned by."""
    format_, codes = spec.formats[side], quantised.codes
    numbers = tables.operands(format_, spec.subnormals, str(codes.device))[codes]
    weights = numbers
    if spec.mul in NOT_ADDED:  # Not normalised: the exponents of the operands count.
        weights = tables.weights(format_, spec.subnormals, str(codes.device))[codes]
    scale = spec.block_scale
    if scale is None:
        return numbers, weights
    axis = (-1, -2)[side]
    factor = quantise.spread(quantised.scale, scale.block, axis, codes.shape[axis])
    if scale.group > 1:  # They need not be powers of two, and mantissas are of the numbers alone.
        return numbers, factor
    return numbers * factor, weights * factor


def _significands(operands: _Operands, spec: Arithmetic) -> Tensor:
    """Give the table of products of significands, or what stands for it where products are exact."""
    if spec.mul == "exact":
        return operands.a
    return tables.significands(spec.mul, spec.mantissa_bits, spec.fraction_bits, str(operands.a.device))


def _lanes(spec: Arithmetic) -> int:
    """Give the power of two that has room for the lanes."""
    return 1 << (spec.lanes - 1).bit_length()


def _leaves(lanes: int) -> list[int]:
    """Give the lane at each leaf of the tree that `lmul.golden.sums.steps.float_sums` adds, `lanes` at none.

    Each level adds what is at place i and i + n/2 of n. Of an odd number the middle one waits.
    """
    sizes = [lanes]
    while sizes[-1] > 1:
        sizes.append((sizes[-1] + 1) // 2)
    leaves = [0]
    for size, half in reversed(list(itertools.pairwise(sizes))):
        leaves += [leaf + half if leaf + half < size else lanes for leaf in leaves]
    return leaves
