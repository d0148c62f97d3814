"""Tensors to codes by compiled loops, one slice with its own scale after the other, without copies."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.formats import codec
from lmul.golden.formats.format import Codes, Format, Integer
from lmul.host.parallel import run_parts, worth_compiling


def has_loops(tensor: Any, format_: Format, rounding: Any, axis: int | None) -> bool:
    """Tell whether there are loops for a tensor, and it is large enough for them."""
    known = isinstance(tensor, np.ndarray) and tensor.dtype in (np.float32, np.float64) and tensor.ndim > 1
    plain = rounding in codec.ROUNDINGS and axis in (None, -1, -2)
    return known and plain and worth_compiling(tensor.size * codec.STEPS)


def has_block_loops(tensor: Any, format_: Format, rounding: Any, block: int, axis: int) -> bool:
    """Tell whether there are loops for a tensor in whole blocks along an axis."""
    return has_loops(tensor, format_, rounding, -1) and tensor.shape[axis] % block == 0


class Slices:
    """A tensor as rows that have a scale in common.

    Parameters
    ----------
    tensor : ndarray of float32 or float64, shape (..., M, N)
    axis : {None, -1, -2}
        Along which numbers have a scale in common; None: all of them.
    """

    def __init__(self, tensor: NDArray[Any], axis: int | None) -> None:
        self._axis = axis
        turned = self._turned(tensor)
        self._shape = turned.shape
        self._rows = np.ascontiguousarray(turned).reshape(-1, turned.shape[-1])

    def peaks(self) -> NDArray[np.float64]:
        """Give the largest magnitudes, of shape 1 along the axis, or one; that of NaN is NaN."""
        from lmul.golden.formats import encode_loop

        bits = self._rows.view(f"i{self._rows.itemsize}")
        magnitude, found = bits.dtype.type(np.iinfo(bits.dtype).max), np.empty(len(bits), bits.dtype)
        run_parts(lambda part: encode_loop.find_peaks(bits[part], magnitude, found[part]), len(found))
        peaks = found.view(self._rows.dtype).astype(np.float64)
        if self._axis is None:
            return np.asarray(np.max(peaks, initial=0.0))
        return self._turned(peaks.reshape(*self._shape[:-1], 1))

    def encode(self, scale: NDArray[np.float64], format_: Format, rounding: Any) -> Codes:
        """Round all numbers, divided by the scales of `peaks`, into a format; what is too large saturates."""
        from lmul.golden.formats import encode_loop

        codes = np.empty(self._rows.shape, dtype=format_.dtype)
        scales = np.broadcast_to(self._turned(scale).reshape(-1) if scale.ndim else scale, len(codes))
        scales, how = np.ascontiguousarray(scales), _arguments(format_, rounding)
        loop: Any = (
            encode_loop.encode_integer_rows if isinstance(format_, Integer) else encode_loop.encode_rows
        )

        def encode(part: slice) -> None:
            loop(self._rows[part], scales[part], *how, codes[part])

        run_parts(encode, len(codes))
        return self._turned(codes.reshape(self._shape))

    def _turned(self, array: NDArray[Any]) -> NDArray[Any]:
        return array.swapaxes(-1, -2) if self._axis == -2 else array


def _arguments(format_: Format, rounding: Any) -> tuple[Any, ...]:
    """Give what the loop of a format takes of it and of a rounding."""
    if isinstance(format_, Integer):
        nearest = rounding == codec.RoundMode.roundTiesToEven
        return format_.largest, nearest, (1 << format_.width) - 1
    return codec.loop_arguments(format_, rounding)


class Blocks:
    """A tensor as blocks along an axis that have a scale in common.

    Parameters
    ----------
    tensor : ndarray of float32 or float64
    block : int
        Numbers of a block, a divisor of the axis' length.
    axis : int
    """

    def __init__(self, tensor: NDArray[Any], block: int, axis: int) -> None:
        self._axis = axis
        turned = self._turned(tensor)
        self._shape = turned.shape
        self._slices = Slices(turned.reshape(*turned.shape[:-1], -1, block), -1)

    def peaks(self) -> NDArray[np.float64]:
        """Give the largest magnitude of each block; that of NaN is NaN."""
        return self._turned(self._slices.peaks()[..., 0])

    def encode(self, scale: NDArray[np.float64], format_: Format, rounding: Any) -> Codes:
        """Round all numbers, divided by the scales of their blocks, into a format, as `Slices` does."""
        codes = self._slices.encode(self._turned(scale)[..., None], format_, rounding)
        return self._turned(codes.reshape(self._shape))

    def _turned(self, array: NDArray[Any]) -> NDArray[Any]:
        return array.swapaxes(self._axis, -1)
