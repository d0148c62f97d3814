"""Stimuli that press on a design's protocol: pauses of all patterns, resets at any time, disagreeing ends.

Everything is random, from one seed, for the design alone, before a simulation starts.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.design import Design
from lmul.golden import FP32, multiply
from lmul.hdl.multiplier.unrounded import SCALE_BITS
from lmul.sim.stimulus.classes import classes_of
from lmul.sim.stimulus.pairs import code_pairs
from lmul.sim.stimulus.scales import neutral_scales
from lmul.sim.stimulus.stress_operands import Case, draw_cases
from lmul.sim.stimulus.turns import turns

Bits = NDArray[np.bool_]
Integers = NDArray[np.int64]

STREAMS = ("a", "b", "c")

STALL = 10_000
"""Cycles for which the sink of one run is not ready."""

LONG_TILE = 256
"""Beats from which on a tile meets only pauses that are short."""

RESET_PHASES = ("idle", "loading", "in flight", "draining", "stalled", "blocked", "any")
"""What an array is doing when it is reset.

`stalled`: a row waits for the sink. `blocked`: so does a beat of `a`. `any`: whatever it does after a random
number of cycles.
"""

RESETS = 8
"""Resets of an array in each of these phases."""

DOT_RESETS = 100
"""Resets of a dot product, about."""

MISMATCHES = 200
"""Tiles of a run in which most ends disagree."""


def _none(_: np.random.Generator) -> Integers:
    return np.array([0])


def _alternating(rng: np.random.Generator) -> Integers:
    return np.roll([0, 1], rng.integers(2))


def _coin(rng: np.random.Generator) -> Integers:
    return np.append(rng.random(96) < rng.choice([0.2, 0.5, 0.8]), 0).astype(np.int64)


def _bursts(rng: np.random.Generator) -> Integers:
    return np.repeat(np.arange(16) & 1, rng.integers(1, 13, 16))


def _long_stalls(rng: np.random.Generator) -> Integers:
    return np.repeat([0, 1, 0, 1], rng.integers([1, 20, 1, 60], [9, 60, 9, 200]))


def _slow(rng: np.random.Generator) -> Integers:
    return np.roll(np.arange(int(rng.integers(4, 17))) > 0, rng.integers(16)).astype(np.int64)


PATTERNS: dict[str, Callable[[np.random.Generator], Integers]] = {
    "none": _none,
    "alternating": _alternating,
    "coin": _coin,
    "bursts": _bursts,
    "long stalls": _long_stalls,
    "slow": _slow,
}
"""Pauses of a stream by cycle, repeated; a source does not offer then, a sink is not ready."""

SHORT_PATTERNS = ("none", "alternating", "coin", "bursts")

MIXED_PATTERNS = ("alternating", "coin", "bursts", "slow")


@dataclass(frozen=True)
class StressTile:
    """One tile of an array with backpressure.

    Parameters
    ----------
    case : Case
    spoil : str
        How the streams disagree about its end, empty if they do not: `a longer`, `b longer`, or of
        weights that were sent in the tile before too, `b shorter`.
    surplus : ndarray of codes, shape (beats, rows or columns * lanes)
        What the longer stream has more; the number of weights left out, as its length, where `b` is shorter.
    pauses : tuple of three bool arrays
        Of `a` and `b` from the first beat of the tile on, and of `c` from its first row on; repeated.
    """

    case: Case
    spoil: str
    surplus: Integers
    pauses: tuple[Bits, Bits, Bits]


@dataclass(frozen=True)
class Reset:
    """When a run is given up.

    Parameters
    ----------
    phase : str
        A name of `RESET_PHASES`.
    cycles : int
        How many cycles the array is in that phase before.
    length : int
        Cycles that the reset is held.
    """

    phase: str
    cycles: int
    length: int


@dataclass(frozen=True)
class Run:
    """Tiles that are sent one after another.

    Parameters
    ----------
    tiles : list of StressTile
    reset : Reset or None
        None: all tiles are to come out, and the next run goes on from there.
    """

    tiles: list[StressTile]
    reset: Reset | None


def draw_runs(design: Design, seed: int) -> list[Run]:
    """Draw what an array is to go through.

    Parameters
    ----------
    design : Design
        An `array`.
    seed : int
        Not negative.
    """
    rng = np.random.default_rng(seed)
    cases = draw_cases(design, rng)
    short = [case for case in cases if _beats(case, design) < LONG_TILE]
    disagreeing = _tiles(design, _some(short, MISMATCHES, rng), rng, MIXED_PATTERNS, spoiled=0.7)
    neighbours = [_unpaused(case) for case in _neighbours(design, cases)]
    others = (disagreeing, neighbours, _stalled(design, short, rng))
    runs = [Run(tiles, None) for tiles in (_tiles(design, cases, rng), *others)]
    for phase in RESET_PHASES * RESETS:
        tiles = _tiles(design, _some(short, int(rng.integers(1, 4)), rng), rng, spoiled=0.6)
        if phase in {"stalled", "blocked"}:
            tiles = [_stalling(case) for case in _some(short, 4, rng)]
        # Short pauses, or a phase such as the loading would hardly come before the tile has ended.
        latest = {"any": 40, "in flight": 4}.get(phase, 8)
        # What would leave by itself in a longer one is found by a reset of one cycle.
        runs.append(Run(tiles, Reset(phase, int(rng.integers(1, latest)), int(rng.choice([1, 1, 2, 3])))))
    return [runs[index] for index in rng.permutation(len(runs))]


def _beats(case: Case, design: Design) -> int:
    steps = -(-case.a.shape[1] // design.lanes)
    return max(len(case.a), design.rows) if design.weight_stationary else steps


def _some(cases: Sequence[Case], count: int, rng: np.random.Generator) -> list[Case]:
    return [cases[index] for index in rng.integers(len(cases), size=count)]


def _tiles(
    design: Design,
    cases: Sequence[Case],
    rng: np.random.Generator,
    patterns: Sequence[str] = tuple(PATTERNS),
    spoiled: float = 0.3,
) -> list[StressTile]:
    """Give every case pauses, and let the streams disagree about the end of a share of them.

    Not of those that take turns: no tile after it would be right.
    """
    tiles: list[StressTile] = []
    for case in cases:
        names = SHORT_PATTERNS if _beats(case, design) >= LONG_TILE else patterns
        spoils = ("", "b longer", "b shorter") if design.weight_stationary else ("", "a longer", "b longer")
        spoil = str(rng.choice(spoils, p=[1 - spoiled, spoiled / 2, spoiled / 2]))
        if design.interleave > 1 or (spoil == "b shorter" and design.rows == 1):
            spoil = ""
        surplus = _surplus(design, spoil, rng)
        if spoil == "b shorter":
            tiles.append(StressTile(case, "", surplus[:0], _pauses(names, rng)))
        tiles.append(StressTile(case, spoil, surplus, _pauses(names, rng)))
    return tiles


def _surplus(design: Design, spoil: str, rng: np.random.Generator) -> Integers:
    side = 0 if spoil == "a longer" else 1
    lines = (design.rows, design.cols)[side] * design.lanes
    beats = 0 if not spoil else int(rng.integers(1, design.rows if spoil == "b shorter" else 25))
    return rng.integers(0, 1 << design.formats[side].width, (beats, lines))


def _pauses(names: Sequence[str], rng: np.random.Generator) -> tuple[Bits, Bits, Bits]:
    a, b, c = (PATTERNS[names[int(rng.integers(len(names)))]](rng).astype(bool) for _ in STREAMS)
    return a, b, c


def _unpaused(case: Case) -> StressTile:
    never = np.zeros(1, dtype=bool)
    return StressTile(case, "", np.zeros((0, 0), dtype=np.int64), (never, never, never))


def _stalling(case: Case) -> StressTile:
    tile = _unpaused(case)
    return replace(tile, pauses=(*tile.pauses[:2], np.repeat([False, True], [2, 30])))


def _neighbours(design: Design, cases: Sequence[Case]) -> list[Case]:
    """Put the shortest and the longest of the usual tiles side by side, each after itself and the other."""
    usual = sorted(
        (case for case in cases if design.weight_stationary or case.a.shape[1] <= design.depth),
        key=lambda case: (_beats(case, design), case.a.shape[1]),
    )
    short, long = usual[0], usual[-1]
    return [short, short, long, short, short, short, long, long, *[short] * 2 * design.rows, *usual[:8]]


def _stalled(design: Design, cases: Sequence[Case], rng: np.random.Generator) -> list[StressTile]:
    """Give a run whose first row waits for the sink, while the sources go on offering."""
    shortest = min(cases, key=lambda case: _beats(case, design))
    first, *others = (_unpaused(case) for case in [shortest, *_some(cases, 12, rng)])
    # The row has to come before it can wait.
    stall = np.arange(3 * STALL) < STALL + 8 * (design.latency + design.rows)
    return [replace(first, pauses=(*first.pauses[:2], stall)), *others]


@dataclass(frozen=True)
class DotStimulus:
    """Every cycle of a dot product under stress.

    Parameters
    ----------
    cases : list of Case
        The dot products whose last step is taken, in this order.
    a, b : ndarray of codes, shape (cycles, lanes)
        Garbage where nothing is valid.
    control : ndarray of int64, shape (cycles,)
        {rst, last, first, valid}.
    scales : ndarray of codes, shape (cycles, 2 * scales a step)
        With block scales those of a, then those of b; garbage too where nothing is valid.
    start : ndarray of codes of fp32, shape (cycles,)
        With an addend what its port shows, garbage but in first steps; else empty.
    """

    cases: list[Case]
    a: Integers
    b: Integers
    control: Integers
    scales: Integers
    start: Integers


VALID, FIRST, LAST, RESET = 1, 2, 4, 8
"""Bits of the control of a cycle."""


def draw_dot(design: Design, seed: int) -> DotStimulus:
    """Draw what a dot product is to go through: gaps of garbage, and resets.

    A reset comes at any of its steps, or up to the cycle in which its result would come. In it the
    inputs are garbage, valid or not.

    Parameters
    ----------
    design : Design
        A `dot`.
    seed : int
    """
    rng = np.random.default_rng(seed)
    cases = draw_cases(design, rng)
    short = [case for case in cases if _beats(case, design) < LONG_TILE]
    longer = [case for case in short if _beats(case, design) > 1]
    ended: list[Case] = []
    pieces: list[Integers] = []
    for first in range(0, len(cases), design.interleave):
        group = cases[first : first + design.interleave]
        if rng.random() < DOT_RESETS * len(group) / len(cases):
            before, cut = (
                some[rng.integers(len(some))] for some in (short, longer if rng.random() < 0.5 else short)
            )
            # What came before is through; another result may still be under way.
            steps, whole = _in_turn([before], design)
            pieces += [_garbage(design.latency, design, rng), _spread(steps, design, rng)]
            steps, cut_off = _in_turn([cut], design)
            pieces.append(_cut(_spread(steps, design, rng), design, rng))
            count = np.count_nonzero(pieces[-1][:, 0] & (LAST | VALID | RESET) == LAST | VALID)
            ended += [*whole, *cut_off[:count]]
        steps, whole = _in_turn(group, design)
        pieces.append(_spread(steps, design, rng))
        ended += whole
    cycles = np.concatenate([*pieces, _garbage(design.latency + 4, design, rng)])
    ends = np.cumsum([1, design.lanes, design.lanes, 2 * design.scales_a_step])
    control, a, b, scales, start = np.split(cycles, ends, axis=1)
    return DotStimulus(ended, a, b, control[:, 0], scales, start.reshape(-1))


def _in_turn(cases: Sequence[Case], design: Design) -> tuple[Integers, list[Case]]:
    """Give the steps of dot products that take turns, and these in the order of their last steps."""
    zero = np.zeros((1, 1), np.uint32)
    filler = Case("zeros", zero, zero, scales=neutral_scales(design, (1, 1, 1)))
    steps = [_steps(case, design) for case in (*cases, filler)]
    order = list(turns([len(one) for one in steps[:-1]], design.interleave))
    ended = [(*cases, filler)[place] for place, step in order if step == len(steps[place]) - 1]
    return np.stack([steps[place][step] for place, step in order]), ended


def _steps(case: Case, design: Design) -> Integers:
    """Give {control, a, b} of every step of a dot product, behind them scales, and with an addend {start}."""
    a, b = (np.pad(line, (0, -len(line) % design.lanes)) for line in (case.a[0], case.b[:, 0]))
    a, b = a.reshape(-1, design.lanes), b.reshape(-1, design.lanes)
    control = np.full((len(a), 1), VALID)
    control[0] |= FIRST
    control[-1] |= LAST
    starts = np.full((len(a), int(design.addend)), ~case.start & 0xFFFFFFFF)
    starts[0] = case.start
    own = (case.scales.a[0], case.scales.b[:, 0]) if case.scales else ()
    scales = [codes.reshape(-1, design.scales_a_step).astype(np.int64) for codes in own]
    return np.concatenate([control, a, b, *scales, starts], axis=1)


def _garbage(cycles: int, design: Design, rng: np.random.Generator) -> Integers:
    """Give cycles in which nothing is valid and everything else is anything."""
    widths = np.repeat([format_.width for format_ in design.formats], design.lanes)
    others = [SCALE_BITS] * 2 * design.scales_a_step + [FP32.width] * design.addend
    widths = np.append(widths, others).astype(np.int64)
    control = rng.integers(0, 4, (cycles, 1)) * FIRST
    return np.concatenate([control, rng.integers(0, 1 << widths, (cycles, len(widths)))], axis=1)


def _spread(steps: Integers, design: Design, rng: np.random.Generator) -> Integers:
    """Put garbage between steps, wherever a random pattern pauses."""
    names = tuple(PATTERNS) if len(steps) < LONG_TILE else SHORT_PATTERNS
    pattern = PATTERNS[names[int(rng.integers(len(names)))]](rng).astype(bool)
    periods = len(steps) // np.count_nonzero(~pattern) + 1
    places = np.flatnonzero(~np.tile(pattern, periods))[: len(steps)]
    spread = _garbage(int(places[-1]) + 1, design, rng)
    spread[places] = steps
    return spread


def _cut(piece: Integers, design: Design, rng: np.random.Generator) -> Integers:
    """End a piece by a reset."""
    piece = np.concatenate([piece, _garbage(design.latency + 2, design, rng)])
    piece = piece[: rng.integers(len(piece))]
    reset = _garbage(int(rng.integers(1, 4)), design, rng)
    reset[:, 0] |= RESET | rng.integers(0, 2, len(reset)) * VALID
    return np.concatenate([piece, reset])


@dataclass(frozen=True)
class MulStimulus:
    """Every cycle of a multiplier under stress.

    Parameters
    ----------
    pairs : ndarray of codes, shape (cycles, 2)
    reset : ndarray of bool, shape (cycles,)
        Of a pipelined one.
    """

    pairs: Integers
    reset: Bits


def draw_mul(design: Design, seed: int) -> MulStimulus:
    """Draw what a multiplier is to go through: all pairs of codes, or all pairs of classes and much more.

    Parameters
    ----------
    design : Design
        A `mul`.
    seed : int
    """
    rng = np.random.default_rng(seed)
    own, other = (classes_of(format_) for format_ in design.formats)
    crossed = np.stack(np.meshgrid(np.arange(len(own)), np.arange(len(other))), -1).reshape(-1, 2)
    crossed = np.tile(crossed, (4, 1))
    first, second = design.formats
    if first == second:
        both = own.draw(crossed, rng)
    else:
        both = np.stack([own.draw(crossed[:, 0], rng), other.draw(crossed[:, 1], rng)], -1)
    drawn = [both.astype(np.int64), code_pairs(first, seed, second)]
    if not design.integer:
        drawn += [_near_halves(design, rng), _near_landmarks(design, rng)]
    pairs = np.concatenate(drawn)
    pairs = pairs[rng.permutation(len(pairs))]
    reset = np.zeros(len(pairs), dtype=bool)
    if design.pipeline:
        starts = np.flatnonzero(rng.random(len(pairs)) < 1 / 256)
        held = np.arange(2 * design.pipeline) < rng.integers(1, 2 * design.pipeline + 1, (len(starts), 1))
        cycles = starts[:, None] + np.arange(2 * design.pipeline)
        reset[cycles[held] % len(pairs)] = True
    return MulStimulus(pairs, reset)


def _near_halves(design: Design, rng: np.random.Generator) -> Integers:
    """Draw pairs whose products lie on or beside what rounding decides: ties, and powers of two."""
    format_, count = design.format, 1 << 12
    bits = format_.mantissa_bits
    few = rng.integers(0, 1 << bits, count) & ~((1 << rng.integers(bits // 2, bits + 1, count)) - 1)
    other = rng.integers(0, 1 << bits, count) & ~((1 << rng.integers(0, bits + 1, count)) - 1)
    one = 1 << bits
    mirrored = np.clip((2 << 2 * bits) // (one + few) - one + rng.integers(-1, 2, count), 0, one - 1)
    second = np.where(rng.random(count) < 0.5, mirrored, other)
    exponents = format_.bias + rng.integers(-1, 2, (count, 2))
    # Products that subnormal results are rounded from.
    low = rng.random(count) < 0.5
    exponents[low, 0] = 1 + rng.integers(0, max(format_.bias - 1, 1), np.count_nonzero(low))
    exponents[low, 1] = np.clip(
        format_.bias - exponents[low, 0] + rng.integers(-bits - 1, 2, np.count_nonzero(low)), 1, None
    )
    signs = rng.integers(0, 2, (count, 2)) * format_.sign_mask
    pairs: Integers = signs | exponents << bits | np.stack([few, second], -1)
    return pairs


def _near_landmarks(design: Design, rng: np.random.Generator) -> Integers:
    """Draw pairs whose products are the smallest normal number, one or the largest, or just below."""
    format_, count = design.format, 1 << 7
    landmarks = (format_.smallest_normal, format_.bias << format_.mantissa_bits, format_.largest_finite)
    wanted = np.repeat(landmarks, count)
    first = rng.integers(format_.smallest_normal, format_.largest_finite + 1, wanted.shape)
    # Products grow with the second factor: halve the range in which they reach what is wanted.
    low, high = np.zeros_like(first), np.full_like(first, format_.largest_finite)
    for _ in range(format_.width):
        middle = (low + high) // 2
        reached = multiply(first, middle, design) >= wanted
        low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
    second = np.maximum(high - rng.integers(0, 2, high.shape), 0)
    signs = rng.integers(0, 2, (len(first), 2)) * format_.sign_mask
    pairs: Integers = signs | np.stack([first, second], -1)
    return pairs


def mul_products(design: Design, stimulus: MulStimulus) -> Integers:
    """Give what a pipelined multiplier shows in every cycle, before the edge that ends it.

    A pair's product where no reset was on its way; +0 once a reset was as long as the pipeline; -1 where
    neither is.
    """
    latency, reset = design.latency, stimulus.reset
    products = multiply(stimulus.pairs[:, 0], stimulus.pairs[:, 1], design).astype(np.int64)
    products[~through(reset, under_way(design))] = -1
    products[through(~reset, latency)] = 0
    return np.concatenate([np.full(latency, -1), products])


def under_way(design: Design) -> int:
    """Count the cycles from that of its last operands in which a reset takes a result away."""
    # An asynchronous one clears the output in its own cycle.
    return design.latency + (design.reset == "async")


def through(stops: Bits, latency: int) -> Bits:
    """Tell for every cycle whether it and the `latency` - 1 cycles after it have no stop, such as a reset."""
    counted = np.cumsum(np.concatenate([[0], stops, np.zeros(latency)]))
    passed: Bits = counted[latency : latency + len(stops)] == counted[: len(stops)]
    return passed


def digest(stimulus: Any) -> str:
    """Give a fingerprint of a stimulus: equal if and only if every bit of it is."""
    found = hashlib.sha256()
    for part in _parts(stimulus):
        found.update(part)
    return found.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, np.ndarray):
        yield f"{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, list | tuple):
        yield str(len(value)).encode()
        for element in value:
            yield from _parts(element)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from _parts(getattr(value, name))
    else:
        yield repr(value).encode()
