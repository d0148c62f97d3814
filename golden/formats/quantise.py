"""Tensors of real numbers to codes, with one scale or many."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.arguments import as_reals, check_choice
from lmul.golden.formats import slices
from lmul.golden.formats.block_scale import SCALES, element_fraction_bits
from lmul.golden.formats.codec import ROUNDINGS, STEPS, Rounding, decode, encode
from lmul.golden.formats.format import E4M3, Codes, Format, Integer, check_format
from lmul.host.parallel import run_parts, worth_compiling
from lmul.host.parameters import ParameterError

SELF_SCALED_EXPONENT_BITS = 8
"""Formats with as many exponent bits have float32's range and are not scaled."""

OperandRounding = Rounding | Literal["log"]

OPERAND_ROUNDINGS = {str(name): what for name, what in ROUNDINGS.items()} | {
    "log": "to the nearest power of two whose exponent is a code's fields: what adding fields multiplies",
}
"""How tensors are rounded, beside single numbers."""

SCALINGS = {
    "tensor": "one scale for each operand",
    "row": "one for each row of the first operand and each column of the second",
    "block": "MX: a power of two for every 32 numbers along K",
    "block-up": "MX with the scale rounded up where numbers of the 32 would saturate",
    "nvfp4": "an e4m3 scale for every 16 numbers along K, and one of fp32 for each operand",
    "power": "a power of two for each operand; formats with 8 exponent bits are scaled too, to below 2",
}

BLOCK = SCALES["mx"].block
"""Numbers that have a scale in common in the OCP Microscaling formats (MX v1.0)."""

NVFP4_BLOCK = SCALES["nvfp4"].block

BLOCK_SCALINGS = {"block": BLOCK, "block-up": BLOCK, "nvfp4": NVFP4_BLOCK}
"""Those whose sums are of blocks, and the numbers of one."""

BLOCK_EXPONENTS = -127, 127
"""Scales of the OCP Microscaling formats are E8M0: powers of two from 2^-127 to 2^127."""


@dataclass(frozen=True)
class Quantised:
    """A tensor as codes and what they were divided by.

    Parameters
    ----------
    codes : ndarray of unsigned int
    scale : float64, or ndarray of float64
        `decode(codes) * scales()` approximates the tensor. One scale; or with `axis` those of the slices
        along it, of shape 1 there; or with `quantise_blocks` and `quantise_nvfp4` one for each block.
    block : int
        Numbers that have a scale in common, 0 where they are no blocks.
    tensor_scale : float
        What the whole tensor was divided by beside that: the second level of NVFP4's scales.

    Examples
    --------
    >>> from lmul.golden import E4M3, quantise
    >>> quantised = quantise([[7.0, -3.5]], E4M3)
    >>> quantised.codes, float(quantised.scale)
    (array([[126, 246]], dtype=uint8), 0.015625)
    >>> quantised.scales().tolist()
    [[0.015625, 0.015625]]
    """

    codes: Codes
    scale: Any
    block: int = 0
    tensor_scale: float = 1.0

    def scales(self) -> NDArray[np.float64]:
        """Give the scale of each number: an array of the shape of the codes."""
        scale = np.asarray(self.scale)
        for axis in range(scale.ndim):
            if scale.shape[axis] not in (1, self.codes.shape[axis]):
                scale = _spread(scale, self.block, axis, self.codes.shape[axis])
        return np.broadcast_to(scale * self.tensor_scale, self.codes.shape)


def quantise(
    tensor: ArrayLike, format_: Format, rounding: OperandRounding = "nearest", axis: int | None = None
) -> Quantised:
    """Scale a tensor so that its largest magnitude is the format's largest number, then encode.

    Integers are symmetric: 2^(W-1) - 1 is the largest magnitude of both signs. Scales are normal doubles.
    Where all is zero the scale is 1, and so it is in formats with 8 exponent bits.

    Parameters
    ----------
    tensor : array_like of finite floats, any shape
    format_ : Format
    rounding : {"nearest", "truncate", "log"}
        Nearest with ties to even, or toward zero. With `log` a number becomes the code whose fields f have
        the power 2^(f / 2^M - bias) that is nearest by its exponent; codes are decoded as ever.
    axis : int, optional
        Axis along which numbers have a scale in common. Default: one scale for the whole tensor.

    Raises
    ------
    ValueError
        The tensor holds NaN, infinity or what is no real number, or the rounding is unknown.

    Examples
    --------
    >>> from lmul.golden import E4M3, decode, quantise
    >>> quantised = quantise([7.0, -3.4], E4M3)
    >>> (decode(quantised.codes, E4M3) * quantised.scale).tolist()
    [7.0, -3.5]
    """
    check_format(format_)
    if slices.has_loops(tensor, format_, rounding, axis):
        rows = slices.Slices(np.asarray(tensor), axis)
        scale = _largest_scale(_finite(rows.peaks()), format_, rounding)
        return Quantised(rows.encode(scale, format_, rounding), scale[()])
    reals = as_reals(tensor)
    scale = _largest_scale(_peak(reals, axis), format_, rounding)
    # A NumPy scalar, so that codes decoded to float32 are scaled in float64.
    return Quantised(encode_scaled(reals / scale, format_, rounding), scale[()])


def _largest_scale(
    peak: NDArray[np.float64], format_: Format, rounding: OperandRounding
) -> NDArray[np.float64]:
    """Give the scales that take the largest magnitudes to the format's largest number."""
    if scales_itself(format_):
        return np.ones_like(peak)
    largest = largest_number(format_, rounding)
    scale: NDArray[np.float64] = np.where(peak, np.maximum(peak / largest, np.finfo(np.float64).tiny), 1.0)
    return scale


def quantise_blocks(
    tensor: ArrayLike,
    format_: Format,
    rounding: OperandRounding = "nearest",
    axis: int = -1,
    *,
    up: bool = False,
    relative: bool = False,
) -> Quantised:
    """Scale every 32 numbers along an axis by a power of two, then encode.

    As OCP MX v1.0, section 6.3: the scale takes the largest magnitude into the format's highest binade, whose
    last numbers may saturate; in formats with 8 exponent bits to between 1 and 2, where none does. Integers
    saturate to 2^(W-1) - 1 of either sign.

    Parameters
    ----------
    tensor : array_like of finite floats, any shape
    format_ : Format
    rounding : {"nearest", "truncate", "log"}
    axis : int
        The last block is shorter where its length is no multiple of 32.
    up : bool
        Take the next power of two where the largest magnitude is above the format's largest number.
    relative : bool
        Divide all scales by a power of two, the scale of the tensor, so that the largest E8M0 code stands
        for 1: sums in a fixed-point register have a range.

    Returns
    -------
    Quantised
        The scale has a place for each block along the axis.

    Raises
    ------
    ValueError
        The tensor holds NaN, infinity or what is no real number, or the rounding is unknown.
    """
    check_format(format_)
    blocks: slices.Blocks | _Blocks
    if slices.has_block_loops(tensor, format_, rounding, BLOCK, axis):
        blocks = slices.Blocks(np.asarray(tensor), BLOCK, axis)
    else:
        blocks = _Blocks(as_reals(tensor), BLOCK, axis)
    peak = _finite(blocks.peaks())
    scale = _power_of_two_scale(peak, format_)
    if up:
        scale = np.where(peak > scale * format_.largest, 2 * scale, scale)
        scale = np.minimum(scale, 2.0 ** (BLOCK_EXPONENTS[1] - element_fraction_bits(format_)))
    tensor_scale = 1.0
    if relative:  # Blocks of zeros have any scale.
        one, least = (2.0 ** (end - element_fraction_bits(format_)) for end in (0, BLOCK_EXPONENTS[0]))
        tensor_scale = float(np.max(scale, initial=0.0, where=peak > 0) / one) or 1.0
        scale = np.clip(scale / tensor_scale, least, one)
    return Quantised(blocks.encode(scale * tensor_scale, format_, rounding), scale, BLOCK, tensor_scale)


def quantise_nvfp4(
    tensor: ArrayLike, format_: Format, rounding: OperandRounding = "nearest", axis: int = -1
) -> Quantised:
    """Scale every 16 numbers along an axis by a number of e4m3, and the tensor by one of fp32, then encode.

    As NVIDIA's NVFP4 (Pretraining Large Language Models with NVFP4, arXiv 2509.25149): the tensor's scale
    takes the largest of all numbers to the largest of e4m3 times that of the format, 448 * 6 of e2m1; a
    block's takes its largest number to the format's largest, and is rounded to nearest even, so that this
    number may saturate.

    Parameters
    ----------
    tensor : array_like of finite floats, any shape
    format_ : Format
    rounding : {"nearest", "truncate", "log"}
        Of the elements.
    axis : int
        The last block is shorter where its length is no multiple of 16.

    Returns
    -------
    Quantised
        The scale has a place for each block along the axis. A block whose scale is zero is zero.

    Raises
    ------
    ValueError
        The tensor holds NaN, infinity or what is no real number, or the rounding is unknown.
    """
    check_format(format_)
    blocks = _Blocks(as_reals(tensor), NVFP4_BLOCK, axis)
    peak = _finite(blocks.peaks())
    largest = float(np.max(peak, initial=0.0)) / (E4M3.largest * format_.largest)
    single = np.finfo(np.float32)
    tensor_scale = float(np.float32(np.clip(largest, single.tiny, single.max))) if largest else 1.0
    scale = decode(encode(peak / format_.largest / tensor_scale, E4M3), E4M3).astype(np.float64)
    return Quantised(blocks.encode(scale * tensor_scale, format_, rounding), scale, NVFP4_BLOCK, tensor_scale)


def quantise_by_power(tensor: ArrayLike, format_: Format, rounding: OperandRounding = "nearest") -> Quantised:
    """Scale a tensor by one power of two, as `quantise_blocks` does a block, then encode, saturating.

    Parameters
    ----------
    tensor : array_like of finite floats, any shape
    format_ : Format
    rounding : {"nearest", "truncate", "log"}

    Raises
    ------
    ValueError
        The tensor holds NaN, infinity or what is no real number, or the rounding is unknown.
    """
    check_format(format_)
    reals = as_reals(tensor)
    scale = _power_of_two_scale(_peak(reals), format_)
    return Quantised(encode_scaled(reals / scale, format_, rounding), scale[()])


def check_rounding(rounding: str, format_: Format) -> None:
    """Refuse a rounding of operands that is unknown, or that a format cannot have.

    Raises
    ------
    ParameterError
    """
    check_choice("rounding", rounding, OPERAND_ROUNDINGS)
    if rounding == "log" and isinstance(format_, Integer):
        raise ParameterError("rounding", f"log is not for {format_.name}: an integer has no exponent")


def scales_itself(format_: Format) -> bool:
    """Tell whether a format has float32's range, so that its tensors need no scale."""
    return not isinstance(format_, Integer) and format_.exponent_bits >= SELF_SCALED_EXPONENT_BITS


def encode_scaled(reals: NDArray[np.float64], format_: Format, rounding: OperandRounding) -> Codes:
    """Encode scaled numbers; an integer's most negative code is left out."""
    check_rounding(rounding, format_)
    if isinstance(format_, Integer):
        reals = np.clip(reals, -format_.largest, format_.largest)
    if rounding == "log":
        return encode(_logarithms(reals), format_)
    return encode(reals, format_, rounding)


def _logarithms(reals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the numbers whose fields are the logarithms of others: 2^e (1 + log2(x)) of 2^e x, x from 1 to 2.

    Mitchell's reading of a number as its logarithm (IRE Trans. EC-11(4), 1962), the other way round.
    """
    numbers, read = reals.reshape(-1), np.empty(reals.size)

    def part(some: slice) -> None:
        fraction, exponent = np.frexp(np.abs(numbers[some]))
        logarithm = np.log2(np.where(fraction > 0, 2 * fraction, 0.5))  # Zero stays zero.
        np.copysign(np.ldexp(1 + logarithm, exponent - 1), numbers[some], out=read[some])

    if worth_compiling(reals.size * STEPS):
        run_parts(part, reals.size)
    else:
        part(slice(None))
    return read.reshape(reals.shape)


def largest_number(format_: Format, rounding: OperandRounding) -> float:
    """Give the largest number that a format has, as a rounding reads its codes."""
    if rounding != "log" or isinstance(format_, Integer):
        return format_.largest
    return float(2.0 ** (format_.largest_finite / (1 << format_.mantissa_bits) - format_.bias))


class _Blocks:
    """As `slices.Blocks`, by NumPy: the last block of an axis may be shorter, and scales may be zero."""

    def __init__(self, reals: NDArray[np.float64], block: int, axis: int) -> None:
        self._reals, self._block, self._axis = reals, block, axis

    def peaks(self) -> NDArray[np.float64]:
        starts = np.arange(0, self._reals.shape[self._axis], self._block)
        peaks: NDArray[np.float64] = np.maximum.reduceat(np.abs(self._reals), starts, axis=self._axis)
        return peaks

    def encode(self, scale: NDArray[np.float64], format_: Format, rounding: OperandRounding) -> Codes:
        """Blocks whose scale is zero are zero."""
        spread = _spread(scale, self._block, self._axis, self._reals.shape[self._axis])
        scaled = np.divide(self._reals, spread, out=np.zeros_like(self._reals), where=spread > 0)
        return encode_scaled(scaled, format_, rounding)


def _spread(scale: NDArray[np.float64], block: int, axis: int, length: int) -> NDArray[np.float64]:
    """Give the scale of every number along an axis, of the scales of blocks."""
    return np.repeat(scale, block, axis=axis).take(np.arange(length), axis=axis)


def _power_of_two_scale(peak: Any, format_: Format) -> NDArray[np.float64]:
    """Give the scales of the largest magnitudes of blocks, 1 where all is zero."""
    exponent = np.frexp(peak)[1] - (1 if scales_itself(format_) else np.frexp(format_.largest)[1])
    least, most = (end - element_fraction_bits(format_) for end in BLOCK_EXPONENTS)
    scale: NDArray[np.float64] = np.ldexp(1.0, np.clip(np.where(peak, exponent, 0), least, most))
    return scale


def _peak(reals: NDArray[np.float64], axis: int | None = None) -> NDArray[np.float64]:
    """Give the largest magnitude, of all or along an axis. That of NaN is NaN."""
    keep = axis is not None
    highest = np.max(reals, axis=axis, keepdims=keep, initial=0.0)
    return _finite(np.maximum(highest, -np.min(reals, axis=axis, keepdims=keep, initial=0.0)))


def _finite(peak: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.all(np.isfinite(peak)):
        raise ValueError("tensor must be finite: NaN and infinity have no scale")
    return peak
