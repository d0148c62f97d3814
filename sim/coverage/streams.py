"""Coverage of the protocol: pauses of every stream, tiles side by side, disagreeing ends, resets."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmul.design import Design
from lmul.sim.coverage.products import Group, make_group
from lmul.sim.stimulus.stress import (
    FIRST,
    LAST,
    RESET,
    RESET_PHASES,
    STALL,
    STREAMS,
    VALID,
    DotStimulus,
    MulStimulus,
    StressTile,
)
from lmul.sim.stimulus.stress_operands import Case

Truth = NDArray[np.bool_]
Counts = dict[str, int]

BREAK = 1 << 15
"""In a record of cycles: a reset was here."""

STATES = ("without a beat", "moves", "waits")


@dataclass(frozen=True)
class Stream:
    """One stream, cycle by cycle."""

    valid: Truth
    ready: Truth
    end: Truth

    @property
    def moves(self) -> Truth:
        """Cycles in which a beat is taken."""
        return self.valid & self.ready


class StreamCoverage:
    """Counts of what happened on the three streams of an array.

    Parameters
    ----------
    design : Design
        An `array`.

    Attributes
    ----------
    cycles : array of 16 bits
        Each cycle as the bench saw it: {end of a tile taken, ready, valid} of `c`, `b` and `a`; `BREAK`
        for a reset.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        self.cycles = array("H")
        self._resets = dict.fromkeys(RESET_PHASES[:-1], 0)
        self._tiles: list[StressTile | None] = []

    def note_reset(self, phase: str) -> None:
        """Note that the array was reset while it was doing this."""
        self._resets[phase] += 1
        self._tiles.append(None)
        self.cycles.append(BREAK)

    def note_tile(self, tile: StressTile) -> None:
        """Note that all rows of a tile were compared."""
        self._tiles.append(tile)

    def groups(self) -> list[Group]:
        """Give the groups of bins."""
        cycles = np.array(self.cycles, dtype=np.int64)
        parts = np.split(cycles, np.flatnonzero(cycles == BREAK))
        segments = [_streams(part[part != BREAK]) for part in parts]
        groups = [_total(f"pauses of {name}", [_pauses(part[name]) for part in segments]) for name in STREAMS]
        groups.append(_total("streams at once", [_at_once(part) for part in segments]))
        groups.append(_total("tiles without a gap", [_gapless(part) for part in segments]))
        groups.append(self._lengths())
        groups.append(make_group("resets while", self._resets, {}))
        return [_without_unreachable(group, self._design) for group in groups]

    def _lengths(self) -> Group:
        lengths = [_length_names(tile, self._design) if tile else [] for tile in self._tiles]
        shortest, longest = ("1 row", "R rows or more") if self._weights else ("1 step", "K = depth")
        names = ["1 row", "2 to R-1 rows", "R rows or more"]
        if not self._weights:
            names = ["1 step", "2 to R-1 steps", "R steps or more", "K = depth", "K beyond depth"]
        spoils = ["b longer", "b shorter"] if self._weights else ["a longer", "b longer"]
        counts = {name: sum(name in found for found in lengths) for name in names}
        pairs = list(zip(self._tiles, self._tiles[1:], lengths, lengths[1:], strict=False))
        counts[f"{shortest} after {longest}"] = sum(longest in x and shortest in y for *_, x, y in pairs)
        counts[f"{longest} after {shortest}"] = sum(shortest in x and longest in y for *_, x, y in pairs)
        spoiled = [tile.spoil if tile else "" for tile in self._tiles]
        counts |= {f"marked, {name}": spoiled.count(name) for name in spoils}
        counts["right after a marked one"] = sum(
            bool(x and y and x.spoil and not y.spoil) for x, y, *_ in pairs
        )
        return Group("tiles", counts)

    @property
    def _weights(self) -> bool:
        return self._design.weight_stationary


def _length_names(tile: StressTile, design: Design) -> list[str]:
    """Give the bins of tile lengths that a tile is in."""
    if design.weight_stationary:
        unit, length = "row", len(tile.case.a)
        names = []
    else:
        unit, products = "step", tile.case.a.shape[1]
        length = -(-products // design.lanes)
        names = ["K = depth"] * (products == design.depth) + ["K beyond depth"] * (products > design.depth)
    if length == 1:
        names.append(f"1 {unit}")
    return [
        *names,
        f"R {unit}s or more" if length >= design.rows else f"2 to R-1 {unit}s" if length > 1 else "",
    ]


def _streams(cycles: NDArray[np.int64]) -> dict[str, Stream]:
    bits = {name: cycles >> 3 * place for place, name in enumerate(STREAMS)}
    return {
        name: Stream(*((part >> place & 1).astype(bool) for place in range(3))) for name, part in bits.items()
    }


def _pauses(stream: Stream) -> Counts:
    """Count how beats were waited for: their source's valid, and their sink's ready."""
    at = np.flatnonzero(stream.moves)
    without = np.diff(np.cumsum(~stream.valid)[at], prepend=0)
    waits = np.diff(np.cumsum(stream.valid & ~stream.ready)[at], prepend=0)
    counts = {"back to back": (without == 0) & (waits == 0)}
    for name, cycles in (("no beat", without), ("waits", waits)):
        counts |= {
            f"{name} for 1 cycle": cycles == 1,
            f"{name} for 2 to 9": (cycles >= 2) & (cycles <= 9),
            f"{name} for 10 or more": cycles >= 10,
        }
    counts[f"waits for {STALL:,} or more"] = waits >= STALL
    counts["valid before ready"] = stream.valid & ~stream.ready
    counts["ready before valid"] = stream.ready & ~stream.valid
    return {name: int(np.count_nonzero(found)) for name, found in counts.items()}


def _at_once(streams: Mapping[str, Stream]) -> Counts:
    """Count cycles by what all three streams do."""
    code = sum(
        np.where(stream.moves, 1, np.where(stream.valid, 2, 0)) * 9 // 3**place
        for place, stream in enumerate(streams.values())
    )
    found = np.bincount(np.asarray(code, dtype=np.int64), minlength=27).tolist()
    names = [f"a {x}, b {y}, c {z}" for x in STATES for y in STATES for z in STATES]
    return dict(zip(names, found, strict=True))


def _gapless(streams: Mapping[str, Stream]) -> Counts:
    """Count tiles whose first beat follows the last one of the tile before at once."""
    return {
        f"of {name}": int(np.count_nonzero(stream.end[:-1] & stream.moves[1:]))
        for name, stream in streams.items()
    }


def _total(name: str, parts: Sequence[Counts]) -> Group:
    return Group(name, {place: sum(part[place] for part in parts) for place in parts[0]})


def _without_unreachable(group: Group, design: Design) -> Group:
    """Leave out what the dataflow or the size of an array rules out."""
    weights, reasons = design.weight_stationary, {}
    if group.name == "pauses of a" and weights:
        reasons["ready before valid"] = "a row of `a` is waited for, and then taken"
    if group.name == "streams at once" and weights:
        reasons["a waits, b waits, c without a beat"] = "rows of `a` wait for weights, or both for the sink"
    elif group.name == "streams at once" and design.rows == 1:
        reasons["a waits, b waits, c without a beat"] = "both wait for nothing but the sink"
    if group.name == "tiles" and design.rows < 3:
        unit = "rows" if weights else "steps"
        reasons[f"2 to R-1 {unit}"] = "R is too small"
    if group.name == "tiles" and weights and design.rows == 1:
        reasons["marked, b shorter"] = "weights are one beat"
    if design.interleave > 1:
        reasons |= _apart(group)
    return make_group(group.name, group.bins, reasons)


def _apart(group: Group) -> dict[str, str]:
    """Give what tiles that take turns rule out: that one operand's beat is taken without the other's."""
    if group.name == "tiles":
        why = "no tile after it would be right: the bench has a test of its own"
        return {name: why for name in group.bins if "marked" in name}
    if group.name in {"pauses of a", "pauses of b"}:
        return {"ready before valid": "no beat is dropped"}
    if group.name == "streams at once":
        return {
            name: "no beat is dropped" for name in group.bins if ("a moves" in name) != ("b moves" in name)
        }
    return {}


def dot_groups(design: Design, stimulus: DotStimulus, compared: Sequence[Case]) -> list[Group]:
    """Give what happened on the inputs of a dot product: gaps, lengths, resets."""
    control = stimulus.control
    reset = control & RESET != 0
    taken = (control & VALID != 0) & ~reset
    at = np.flatnonzero(taken)
    gaps = np.diff(at) - 1
    follows = control[at[1:]] & FIRST != 0
    lengths = np.array([case.a.shape[1] for case in compared])
    counts = {
        "steps without a gap": gaps == 0,
        "a gap of 1": gaps == 1,
        "a gap of 2 to 9": (gaps >= 2) & (gaps <= 9),
        "a gap of 10 or more": gaps >= 10,
        "dot products without a gap": (gaps == 0) & follows,
        "1 step": lengths <= design.lanes,
        "more steps": lengths > design.lanes,
        "K = depth": lengths == design.depth,
        "K beyond depth": lengths > design.depth,
    }
    begins = np.flatnonzero(reset[1:] & ~reset[:-1]) + 1
    before = at[np.searchsorted(at, begins) - 1]
    ended = control[before] & LAST != 0
    under_way = ended & (begins - before < design.latency)
    counts |= {
        "reset within a dot product": ~ended,
        "reset while a result is under way": under_way,
        "reset when idle": ended & ~under_way,
        "valid in a reset": reset & (control & VALID != 0),
    }
    reasons = (
        {"reset while a result is under way": "it is there a cycle later"} if design.latency == 1 else {}
    )
    return [
        make_group("steps", {name: int(np.count_nonzero(found)) for name, found in counts.items()}, reasons)
    ]


def mul_groups(design: Design, stimulus: MulStimulus) -> list[Group]:
    """Give the resets of a pipelined multiplier."""
    if not design.pipeline:
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], stimulus.reset, [0]])))
    lengths = edges[1::2] - edges[::2]
    counts = {
        "shorter than the pipeline": int(np.count_nonzero(lengths < design.pipeline)),
        "as long or longer": int(np.count_nonzero(lengths >= design.pipeline)),
    }
    reasons = {"shorter than the pipeline": "one stage is cleared at once"} if design.pipeline == 1 else {}
    return [make_group("resets", counts, reasons)]
