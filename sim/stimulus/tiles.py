"""Matrices of codes to the beats of the array's streams, tile by tile."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.design import Design
from lmul.golden import matmul_codes

Codes = NDArray[Any]


@dataclass(frozen=True)
class Tile:
    """One tile of a matrix product, as the array's ports see it.

    Parameters
    ----------
    a, b : list of int
        tdata of every beat.
    rows : list of int
        Expected tdata of every row of the result.
    flags : list of int
        Expected tuser of every row, {mismatch, overflow, inf, nan}.
    """

    a: list[int]
    b: list[int]
    rows: list[int]
    flags: list[int]


def tiles(a: Codes, b: Codes, design: Design) -> Iterator[Tile]:
    """Cut a matrix product into the tiles of an array, padded with zeros.

    Parameters
    ----------
    a : ndarray of codes, shape (M, K)
    b : ndarray of codes, shape (K, N)
    design : Design
        An `array`. In a weight-stationary one K is cut too: results are those of R*N products.
    """
    cut = _weight_stationary if design.dataflow == "ws" else _output_stationary
    return cut(a, b, design)


def _output_stationary(a: Codes, b: Codes, design: Design) -> Iterator[Tile]:
    a = _pad(a, design.rows, design.lanes)
    b = _pad(b.T, design.cols, design.lanes)
    first, second = design.formats
    sums = matmul_codes(a, b.T, design)
    elements = sums.output()
    flags = sums.flags
    b_tiles = [
        pack(_steps(b[left : left + design.cols], design.lanes), second.width)
        for left in range(0, len(b), design.cols)
    ]
    for top in range(0, len(a), design.rows):
        rows = slice(top, top + design.rows)
        a_beats = pack(_steps(a[rows], design.lanes), first.width)
        for left, b_beats in zip(range(0, len(b), design.cols), b_tiles, strict=True):
            cols = slice(left, left + design.cols)
            row_flags = np.bitwise_or.reduce(flags[rows, cols], axis=1)
            yield Tile(a_beats, b_beats, pack(elements[rows, cols], design.output_bits), row_flags.tolist())


def _weight_stationary(a: Codes, b: Codes, design: Design) -> Iterator[Tile]:
    depth = design.rows * design.lanes
    a = _pad(a, 1, depth)
    b = _pad(b.T, design.cols, depth)
    first, second = design.formats
    for start in range(0, a.shape[1], depth):
        products = slice(start, start + depth)
        a_beats = pack(a[:, products], first.width)
        sums = matmul_codes(a[:, products], b[:, products].T, design)
        elements = sums.output()
        flags = sums.flags
        for left in range(0, len(b), design.cols):
            cols = slice(left, left + design.cols)
            row_flags = np.bitwise_or.reduce(flags[:, cols], axis=1)
            b_beats = pack(_steps(b[cols, products], design.lanes), second.width)
            yield Tile(a_beats, b_beats, pack(elements[:, cols], design.output_bits), row_flags.tolist())


MISMATCH = 0b1000
"""The flag beside those of a sum: one operand's tile ended before the other's."""


def pack(codes: Codes, width: int) -> list[int]:
    """Put the codes of each row side by side, the first one lowest.

    Parameters
    ----------
    codes : ndarray of non-negative integers, of any size as Python's, shape (rows, n)
    width : int
        Bits of a code.
    """
    if codes.dtype == object:
        return [sum(code << (place * width) for place, code in enumerate(row)) for row in codes.tolist()]
    bits = (codes[:, :, None].astype(np.uint64) >> np.arange(width, dtype=np.uint64)) & np.uint64(1)
    packed = np.packbits(bits.astype(np.uint8).reshape(len(codes), -1), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def _pad(codes: Codes, rows: int, columns: int) -> Codes:
    return np.pad(codes, [(0, -codes.shape[0] % rows), (0, -codes.shape[1] % columns)])


def _steps(codes: Codes, lanes: int) -> Codes:
    """Reorder (rows, K) into (steps, rows * lanes)."""
    rows, depth = codes.shape
    return codes.reshape(rows, depth // lanes, lanes).transpose(1, 0, 2).reshape(depth // lanes, rows * lanes)
