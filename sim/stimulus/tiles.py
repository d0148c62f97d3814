"""Matrices of codes to the beats of the array's streams, tile by tile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeVar

import numpy as np

from lmul.design import Design
from lmul.golden import Codes
from lmul.golden.sums.blocks.scales import Scales
from lmul.hdl.axi_stream import codes_bits
from lmul.hdl.multiplier.unrounded import SCALE_BITS
from lmul.sim.stimulus.scales import model_sums
from lmul.sim.stimulus.turns import FILLER, turns_of_tiles


@dataclass(frozen=True)
class Beats:
    """What the operands of a tile are on the streams of an array.

    Parameters
    ----------
    a, b : list of int
        tdata of every beat.
    """

    a: list[int]
    b: list[int]


AnyBeats = TypeVar("AnyBeats", bound=Beats)


@dataclass(frozen=True)
class Tile(Beats):
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

    rows: list[int]
    flags: list[int]


def in_turn(tiles_: Sequence[AnyBeats], design: Design) -> list[AnyBeats]:
    """Give the beats of tiles as an array takes them, some of them in turn.

    Parameters
    ----------
    tiles_ : sequence of Beats
        As many of `a` as of `b`.
    design : Design
        An `array`.

    Returns
    -------
    list of Beats
        The tiles in the order in which they end, each with all beats since the end of the one before.
    """
    if design.interleave == 1:
        return list(tiles_)
    found: list[AnyBeats] = []
    a: list[int] = []
    b: list[int] = []
    for place, step in turns_of_tiles([len(tile.a) for tile in tiles_], design.interleave):
        a.append(0 if place == FILLER else tiles_[place].a[step])
        b.append(0 if place == FILLER else tiles_[place].b[step])
        if place != FILLER and step == len(tiles_[place].a) - 1:
            found.append(replace(tiles_[place], a=a, b=b))
            a, b = [], []
    return found


@dataclass(frozen=True)
class Tiling:
    """The operands of a matrix product as an array takes them, padded with zeros.

    Parameters
    ----------
    a, b : list of ndarray of codes, shape (beats, codes of a beat)
        What is sent of each operand for a tile.
    pairs : list of (int, int)
        Of each tile of the product, in their order: its operands' places in `a` and `b`.
    """

    a: list[Codes]
    b: list[Codes]
    pairs: list[tuple[int, int]]


def tiles(a: Codes, b: Codes, design: Design, scales: Scales | None = None) -> Iterator[Tile]:
    """Cut a matrix product into the tiles of an array, padded with zeros.

    Parameters
    ----------
    a : ndarray of codes, shape (M, K)
    b : ndarray of codes, shape (K, N)
    design : Design
        An `array`. In a weight-stationary one K is cut too: results are those of R*N products.
    scales : Scales, optional
        Of every step, for a design with block scales.
    """
    operands, (first, second) = tiling(a, b, design), design.formats
    a_beats = [pack(codes, first.width) for codes in operands.a]
    b_beats = [pack(codes, second.width) for codes in operands.b]
    if scales:
        own = scale_tiling(scales, design)
        a_beats, b_beats = (
            [_with_scales(*both, bits) for both in zip(beats, codes, strict=True)]
            for beats, codes, bits in zip((a_beats, b_beats), (own.a, own.b), codes_bits(design), strict=True)
        )
    for (left, right), results in zip(operands.pairs, _results(a, b, design, scales), strict=True):
        yield Tile(a_beats[left], b_beats[right], *results)


def _with_scales(beats: list[int], scales: Codes, above: int) -> list[int]:
    """Put the scales of every beat above its codes."""
    return [beat | own << above for beat, own in zip(beats, pack(scales, SCALE_BITS), strict=True)]


def scale_tiling(scales: Scales, design: Design) -> Tiling:
    """Cut the scales of a matrix product for the tiles of an array, as `tiling` does its operands."""
    return tiling(scales.a, scales.b, design, design.scales_a_step)


def tiling(a: Codes, b: Codes, design: Design, lanes: int | None = None) -> Tiling:
    """Cut the operands of a matrix product for the tiles of an array, as `tiles` takes them.

    Parameters
    ----------
    a, b : ndarray of codes, shapes (M, K) and (K, N)
    design : Design
    lanes : int, optional
        Codes of each row in a step. Default: those of the design.
    """
    lanes = design.lanes if lanes is None else lanes
    a, b, height, depth = _padded(a, b, design, lanes)
    starts, tops, lefts = (
        range(0, size, part) for size, part in ((a.shape[1], depth), (len(a), height), (len(b), design.cols))
    )
    a_tiles = [a[top : top + height, start : start + depth] for start in starts for top in tops]
    if not design.weight_stationary:
        a_tiles = [_steps(codes, lanes) for codes in a_tiles]
    b_tiles = [
        _steps(b[left : left + design.cols, start : start + depth], lanes)
        for start in starts
        for left in lefts
    ]
    places = np.ndindex(len(starts), len(tops), len(lefts))
    return Tiling(a_tiles, b_tiles, [(n * len(tops) + t, n * len(lefts) + k) for n, t, k in places])


def _results(
    a: Codes, b: Codes, design: Design, scales: Scales | None
) -> Iterator[tuple[list[int], list[int]]]:
    """Give what the rows of every tile's result are: tdata, and tuser."""
    a, b, height, depth = _padded(a, b, design, design.lanes)
    own = _padded(scales.a, scales.b, design, design.scales_a_step)[:2] if scales else None
    parts = depth // design.lanes * design.scales_a_step
    for number, start in enumerate(range(0, a.shape[1], depth)):
        part = slice(number * parts, (number + 1) * parts)
        of_tile = Scales(own[0][:, part], own[1][:, part].T) if own else None
        sums = model_sums(a[:, start : start + depth], b[:, start : start + depth].T, design, of_tile)
        elements, flags = sums.output(), sums.flags
        for top, left in product(range(0, len(a), height), range(0, len(b), design.cols)):
            rows, cols = slice(top, top + height), slice(left, left + design.cols)
            row_flags = np.bitwise_or.reduce(flags[rows, cols], axis=1)
            yield pack(elements[rows, cols], design.output_bits), row_flags.tolist()


def _padded(a: Codes, b: Codes, design: Design, lanes: int) -> tuple[Codes, Codes, int, int]:
    """Give both operands with zeros up to whole tiles, b transposed, and rows and products of a tile."""
    if design.weight_stationary:
        height, depth = len(a), design.rows * lanes
    else:
        height, depth = design.rows, -(-a.shape[1] // lanes) * lanes
    return _pad(a, height, depth), _pad(b.T, design.cols, depth), height, depth


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
