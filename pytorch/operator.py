"""Matrix products of an arithmetic as operators of PyTorch, with gradients."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from lmul.errors import UserError
from lmul.golden import Quantised
from lmul.golden.formats.quantise import BLOCK_SCALINGS
from lmul.scheme import Scheme
from lmul.torch import device, host
from lmul.torch.config import Config, Words, parsed
from lmul.torch.kept import kept

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def matmul(a: Tensor, b: Tensor, scheme: Words, backward: Words = None) -> Tensor:
    """Multiply matrices as an arithmetic does: quantise, multiply, add up, and scale back.

    The bits are those of `lmul.golden`, rounded to the type of the result. Where a row of `a` or a column of
    `b` has infinity or NaN, the row or column of the product is NaN, and the others are as if those were 0.

    Parameters
    ----------
    a : Tensor, shape (..., M, K)
    b : Tensor, shape (..., K, N)
        Of float32, bfloat16, float16 or float64, of any strides, on one device. Leading axes are broadcast.
    scheme : str or Scheme
        Such as `lmul,e4m3,row`. With one scale a tensor, that is one of all of its matrices. `full` or None
        is `torch.matmul`. Scopes mean nothing here.
    backward : str or Scheme, optional
        As `Config` has it.

    Returns
    -------
    Tensor, shape (..., M, N)
        Of autocast's type inside of it, otherwise of the type that PyTorch promotes both to.

    Raises
    ------
    UserError
        A word is unknown, an operand is no dense matrix or of another type, the sizes do not go together, or
        forward-mode gradients are asked for.

    Examples
    --------
    >>> import torch
    >>> from lmul.torch import matmul
    >>> a, b = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0], [0.5]])
    >>> matmul(a, b, "exact,e4m3"), matmul(a, b, "lmul,e4m3").numpy().round(3)
    (tensor([[2.]]), array([[2.122]], dtype=float32))
    """
    if scheme is None or scheme == "full":
        return torch.matmul(a, b)
    return product(a, b, Config(scheme, backward).names)


def product(
    a: Tensor, b: Tensor, names: tuple[str, str], *, transposed: bool = False, parameter: bool = False
) -> Tensor:
    """Multiply as `matmul` does.

    Parameters
    ----------
    a, b : Tensor
    names : tuple of str
        `Config.names`.
    transposed : bool
        b is (..., N, K).
    parameter : bool
        What becomes of b is kept while it is not changed.
    """
    _check(a, b, transposed)
    kind = a.device.type
    dtype = torch.promote_types(a.dtype, b.dtype)
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind) and dtype != torch.float64:
        dtype = torch.get_autocast_dtype(kind)
    result: Tensor = _product(a, b, *names, transposed, parameter, dtype)
    return result


def _check(a: Tensor, b: Tensor, transposed: bool) -> None:
    for operand in (a, b):
        if not isinstance(operand, Tensor) or operand.layout != torch.strided:
            kind = operand.layout if isinstance(operand, Tensor) else type(operand).__name__
            raise UserError(f"operands must be dense tensors, not {kind}")
        if operand.dtype not in DTYPES:
            known = ", ".join(str(dtype).removeprefix("torch.") for dtype in DTYPES)
            raise UserError(f"operands must be of {known}, not {str(operand.dtype).removeprefix('torch.')}")
    inner = b.shape[-1 if transposed else -2] if b.ndim > 1 else None
    if a.ndim < 2 or a.shape[-1] != inner or not _broadcasts(a, b):
        raise UserError(f"operands must be ... x M x K and ... x K x N, not {_shape(a)} and {_shape(b)}")
    if any(forward_ad.unpack_dual(operand).tangent is not None for operand in (a, b)):
        raise UserError("products of an arithmetic have no forward-mode gradients: use backward()")
    if a.device != b.device:
        raise UserError(f"operands must be on one device, not on {a.device} and {b.device}")


def _broadcasts(a: Tensor, b: Tensor) -> bool:
    """Tell whether the leading axes of both go together."""
    pairs = zip(reversed(a.shape[:-2]), reversed(b.shape[:-2]), strict=False)
    return all(one == other or 1 in (one, other) for one, other in pairs)


def _shape(operand: Tensor) -> str:
    return " x ".join(map(str, operand.shape)) or "a number"


@torch.library.custom_op("lmul::matmul", mutates_args=())
def _product(
    a: Tensor,
    b: Tensor,
    scheme: str,
    backward: str,
    transposed: bool,
    parameter: bool,
    dtype: torch.dtype,
) -> Tensor:
    outer, columns = _outer(a, b, transposed)
    if not (math.prod(outer) and columns and a.shape[-1]):
        return a.new_zeros((*outer, columns), dtype=dtype)
    factors = (a, scheme, 0, False, False), (b, scheme, 1, transposed, parameter)
    x, y = (_factor(*factor) for factor in factors)
    multiplied = _deep_enough(_scheme(scheme), a.shape[-1])
    values = _place(a).scaled_product(x.quantised, y.quantised, multiplied, dtype).to(a.device)
    for broken in (x.broken, y.broken):
        if broken is not None:
            values = values.masked_fill(broken, math.nan)
    return values


@_product.register_fake
def _(
    a: Tensor,
    b: Tensor,
    scheme: str,
    backward: str,
    transposed: bool,
    parameter: bool,
    dtype: torch.dtype,
) -> Tensor:
    outer, columns = _outer(a, b, transposed)
    return a.new_empty((*outer, columns), dtype=dtype)


@dataclass(frozen=True)
class _Factor:
    """A quantised factor, and which of its rows or columns are not finite, None where all are."""

    quantised: Quantised
    broken: Tensor | None


def _factor(operand: Tensor, scheme: str, side: int, transposed: bool, parameter: bool) -> _Factor:
    """Quantise a factor, or give what was kept of it."""

    def make() -> _Factor:
        factor = operand.mT if transposed else operand
        broken = None
        if not math.isfinite(factor.sum()):
            wrong = ~torch.isfinite(factor)
            broken = wrong.any(dim=(-1, -2)[side], keepdim=True)
            factor = factor.masked_fill(wrong, 0)
        return _Factor(_place(operand).quantised_factor(factor, side, _scheme(scheme)), broken)

    return kept(operand, (scheme, side, transposed), make) if parameter else make()


@torch.library.custom_op("lmul::quantised", mutates_args=())
def _quantised(
    operand: Tensor, scheme: str, side: int, transposed: bool, parameter: bool, dtype: torch.dtype
) -> Tensor:
    """Give what a factor is quantised to, scaled back; NaN in rows or columns that are not finite."""
    if not operand.numel():
        return operand.new_empty(operand.shape, dtype=dtype)
    factor = _factor(operand, scheme, side, transposed, parameter)
    values = _place(operand).dequantised(factor.quantised, side, _scheme(scheme), dtype).to(operand.device)
    if factor.broken is not None:
        values = values.masked_fill(factor.broken, math.nan)
    return values.mT.contiguous() if transposed else values


@_quantised.register_fake
def _(
    operand: Tensor, scheme: str, side: int, transposed: bool, parameter: bool, dtype: torch.dtype
) -> Tensor:
    return operand.new_empty(operand.shape, dtype=dtype)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    a, b, *ctx.words = inputs
    ctx.save_for_backward(a, b)


def _gradients(context: Any, gradient: Tensor) -> tuple[Any, ...]:
    """Give the gradients of both factors: those of an exact product, whatever the product was."""
    a, b = context.saved_tensors
    left = a
    if b.ndim == 2:  # One product of all rows.
        left, gradient = a.flatten(0, -2), gradient.flatten(0, -2)
    multiply = _arithmetic if context.words[1] else _straight
    with torch.autocast(a.device.type, enabled=False):  # Backward may be called inside of it.
        of_a, of_b = multiply(left, b, gradient, context)
    return (
        _like(of_a, a) if of_a is not None else None,
        _like(of_b, b) if of_b is not None else None,
        *[None] * len(context.words),
    )


def _straight(a: Tensor, b: Tensor, gradient: Tensor, context: Any) -> tuple[Tensor | None, Tensor | None]:
    """Multiply in full precision, by the quantised factors."""
    scheme, _, transposed, parameter, _ = context.words
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    gradient = gradient.to(dtype)
    of_a = of_b = None
    if context.needs_input_grad[0]:
        y = _quantised(b, scheme, 1, transposed, parameter, dtype)
        of_a = gradient @ (y if transposed else y.mT)
    if context.needs_input_grad[1]:
        x = _quantised(a, scheme, 0, False, False, dtype)
        of_b = gradient.mT @ x if transposed else x.mT @ gradient
    return of_a, of_b


def _arithmetic(a: Tensor, b: Tensor, gradient: Tensor, context: Any) -> tuple[Tensor | None, Tensor | None]:
    """Multiply in the arithmetic of gradients, which are the first factor."""
    _, backward, transposed, _, _ = context.words
    of_a = of_b = None
    if context.needs_input_grad[0]:
        of_a = product(gradient, b, (backward, ""), transposed=not transposed)
    if context.needs_input_grad[1]:
        of_b = product(gradient.mT, a, (backward, ""))
        of_b = of_b if transposed else of_b.mT
    return of_a, of_b


def _like(gradient: Tensor, operand: Tensor) -> Tensor:
    """Give a gradient the shape and the type of what it is of."""
    if gradient.ndim < operand.ndim:  # Of all rows.
        gradient = gradient.unflatten(0, operand.shape[:-1])
    return gradient.sum_to_size(operand.shape).to(operand.dtype)


_product.register_autograd(_gradients, setup_context=_save)


def _outer(a: Tensor, b: Tensor, transposed: bool) -> tuple[tuple[int, ...], int]:
    """Give the shape of a product without its last axis, and that axis."""
    axes = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return (*axes, a.shape[-2]), b.shape[-2 if transposed else -1]


def _place(operand: Tensor) -> ModuleType:
    """Give the module that computes where a tensor is."""
    return device if operand.is_cuda else host


@lru_cache(maxsize=256)
def _deep_enough(scheme: Scheme, depth: int) -> Scheme:
    """Give a scheme whose exact sums are of as many products as there are."""
    spec = scheme.arithmetic
    if spec.acc != "exact" or scheme.scaling in BLOCK_SCALINGS:
        return scheme
    return replace(scheme, arithmetic=replace(spec, depth=max(depth, spec.depth)))


def _scheme(words: str) -> Scheme:
    scheme = parsed(words)
    if scheme is None:
        raise UserError("full precision has no products of its own: use torch.matmul")
    return scheme
