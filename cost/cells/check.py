"""Whether a netlist is the design that it is said to be: its simulated outputs against the golden model."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lmul.cost.netlist.netlist import CONSTANT_NETS, Netlist, output_nets
from lmul.cost.power.stimulus import (
    RESET_CYCLES,
    busy_cycles,
    chosen_tiles,
    chosen_vectors,
    code_stimulus,
    reset_port,
    starts,
    tile_interval,
    tile_schedule,
    to_bits,
    words,
)
from lmul.cost.power.zero_delay import Bits, simulate
from lmul.design import Design
from lmul.golden import Codes, Format, multiply
from lmul.hdl.axi_stream import data_bits
from lmul.sim.stimulus.pairs import code_pairs
from lmul.sim.stimulus.scales import model_sums, seeded_scales
from lmul.sim.stimulus.tiles import Tile, tiles
from lmul.sim.stimulus.turns import FILLER
from lmul.workloads import default_operands

MUL_STREAMS = 1024
"""Pairs that a multiplier is given in one cycle of the simulation."""

SIZE = 16
"""Rows and columns of the matrix products that are taken."""

STEPS, MOST_STEPS = 16, 256
"""Steps of a dot product, and of the longest one, of which nothing is left out but what exceeds the depth."""

PAUSED = 0.5
"""Share of the cycles of the second half of a stimulus that come after one without operands."""

READY, DOT_READY = "m_axis_c_tready", "m_axis_tready"

_QUIET = {"in_valid": 0, "s_axis_tvalid": 0, "s_axis_a_tvalid": 0, "s_axis_b_tvalid": 0, READY: 1}
"""Levels of ports in a cycle without operands."""

_SEED = 1

Products = Sequence[tuple[Codes, Codes]]


@dataclass(frozen=True)
class _Expected:
    """What a design does under a stimulus.

    Parameters
    ----------
    ports : mapping of str to uint8 array, shape (cycles, streams, bits)
        The stimulus, until the last result has left.
    valid : str
        Output that is high where there is a result; empty if there is one for all operands.
    results : mapping of str to uint8 array, shape (results, bits)
        Outputs in all cycles with a result, stream after stream.
    cycles : bool array, shape (cycles, streams), or None
        Where the results are. None where the ports have a handshake: then only their order is told.
    counts : int array, shape (streams,)
        Results of each stream.
    ready : str
        Input that has to be high for a result to leave; empty without a handshake.
    """

    ports: Mapping[str, Bits]
    valid: str
    results: Mapping[str, Bits]
    cycles: NDArray[np.bool_] | None
    counts: NDArray[np.int64]
    ready: str = ""


def check_netlist(netlist: Netlist, design: Design) -> str:
    """Simulate a netlist and compare its results with those of the golden model.

    Multipliers get all pairs of codes, of formats above 8 bits those of `lmul.sim.stimulus.pairs`. The others
    get the captured operands and random bit patterns: any, finite ones, and the largest in the longest dot
    products.

    Parameters
    ----------
    netlist : Netlist
    design : Design

    Returns
    -------
    str
        What is wrong, such as ``c differs in 3 of 640 results``; empty if nothing is.

    Raises
    ------
    UserError
        The netlist cannot be simulated.
    """
    if wrong := _wrong_drivers(netlist):
        return wrong
    for expected in _expectations(design):
        if wrong := _difference(netlist, expected):
            return wrong
    return ""


def _wrong_drivers(netlist: Netlist) -> str:
    """Say which net has several drivers, of which a simulation takes the last, or which output has none."""
    inputs = [net for port in netlist.ports if port.direction == "input" for net in port.nets]
    cells = [net for instance in netlist.instances for net in output_nets(instance)]
    driven = Counter([*range(CONSTANT_NETS), *inputs, *cells])
    for net, drivers in driven.items():
        if drivers > 1:
            return f"{netlist.names[net] or 'a constant'} has {drivers} drivers"
    open_ = [port.name for port in netlist.outputs if not driven.keys() >= set(port.nets)]
    return f"{open_[0]} has bits without a driver" if open_ else ""


def _difference(netlist: Netlist, expected: _Expected) -> str:
    outputs = simulate(netlist, expected.ports).outputs
    if expected.valid or expected.cycles is None:
        shown = outputs[expected.valid][RESET_CYCLES:, :, 0] == 1
        if expected.ready:
            shown &= expected.ports[expected.ready][RESET_CYCLES:, :, 0] == 1
    else:
        shown = expected.cycles
    misplaced = expected.cycles is not None and not np.array_equal(shown, expected.cycles)
    if misplaced or not np.array_equal(shown.sum(axis=0), expected.counts):
        return f"{expected.valid} is not high where a result is due"
    for name, bits in expected.results.items():
        offset = len(outputs[name]) - len(shown)
        found = outputs[name][offset:].transpose(1, 0, 2)[shown.T]
        wrong = int((found != bits).any(axis=1).sum())
        if wrong:
            return f"{name} differs in {wrong:,} of {len(bits):,} results"
    return ""


@lru_cache(maxsize=2)
def _expectations(design: Design) -> tuple[_Expected, ...]:
    if design.kind == "mul":
        return (_expected_pairs(design),)
    expect = _expected_tiles if design.kind == "array" else _expected_sums
    return tuple(expect(design, products) for products in _products(design))


def _expected_pairs(design: Design) -> _Expected:
    pairs = code_pairs(design.format)
    pairs = np.pad(pairs, [(0, -len(pairs) % MUL_STREAMS), (0, 0)]).reshape(-1, MUL_STREAMS, 2)
    products = multiply(pairs[..., 0], pairs[..., 1], design)
    width = design.format.width
    ports = {name: to_bits(pairs[..., place], width) for place, name in enumerate("ab")}
    if design.latency:
        ports = {name: np.pad(bits, [(RESET_CYCLES, 0), (0, 0), (0, 0)]) for name, bits in ports.items()}
        ports |= reset_port(design, np.arange(len(pairs) + RESET_CYCLES) < RESET_CYCLES, MUL_STREAMS)
    shown = np.pad(np.ones(pairs.shape[:2], np.bool_), [(design.latency, 0), (0, 0)])
    results = to_bits(products.astype(np.int64).T.reshape(-1), width)
    return _Expected(_drained(design, ports, design.latency), "", {"p": results}, shown, shown.sum(axis=0))


def _expected_sums(design: Design, products: Products) -> _Expected:
    cycles = busy_cycles(design, products)
    pauses = _pauses(cycles)
    shown, codes, flags = [], [], []
    for a, b in products:
        begun = starts(design, a, b) if design.addend else None
        sums = model_sums(a, b, design, seeded_scales(design, a, b), begun)
        rows, columns = chosen_vectors(design, a, b, cycles)
        steps = busy_cycles(design, [(a, b)])
        # The last steps of those that take turns come one after the other.
        turn = np.arange(design.interleave)
        ends = (np.arange(steps, cycles + 1, steps)[:, None] + turn - design.interleave).reshape(-1)
        chosen = rows[:, : len(ends)], columns[:, : len(ends)]
        at = np.zeros((cycles + len(pauses) + design.latency, len(rows)), np.bool_)
        at[ends + np.searchsorted(pauses, ends, side="right") + design.latency] = True
        shown.append(at)
        codes.append(to_bits(sums.output()[chosen].reshape(-1), design.output_bits))
        flags.append(to_bits(sums.flags[chosen].reshape(-1), 3))
    where = np.concatenate(shown, axis=1)
    c = np.concatenate(codes)
    if design.stream:
        names = "m_axis_tvalid", "m_axis_tdata", "m_axis_tuser"
        c = np.pad(c, [(0, 0), (0, -c.shape[1] % 8)])
    else:
        names = "c_valid", "c", "c_flags"
    results = {names[1]: c, names[2]: np.concatenate(flags)}
    ports = _paused(design, code_stimulus(design, products), pauses + RESET_CYCLES)
    counts = where.sum(axis=0)
    if not design.stream:
        return _Expected(_drained(design, ports, design.latency), names[0], results, where, counts)
    drained = _drained(design, ports, 2 * (design.latency + 1))
    # The last results leave in every other cycle.
    drained[DOT_READY][len(ports[DOT_READY]) :: 2] = 0
    return _Expected(drained, names[0], results, None, counts, DOT_READY)


def _expected_tiles(design: Design, products: Products) -> _Expected:
    cycles = busy_cycles(design, products)
    results: list[tuple[int, int, bool]] = []
    counts = []
    for a, b in products:
        jobs = list(tiles(a, b, design, seeded_scales(design, a, b)))
        interval = tile_interval(design, a)
        places, _ = tile_schedule(design, interval, cycles)
        zeros = interval - len(jobs[0].a) if design.interleave > 1 else 0
        beats = np.bincount(places[places != FILLER]) - zeros
        for stream in chosen_tiles(len(jobs), interval, cycles):
            begun = zip(stream, beats, strict=True)
            rows = [row for tile, count in begun for row in _rows(design, jobs[tile], count)]
            results += rows
            counts.append(len(rows))
    data, flags, last = zip(*results, strict=True)
    bits = {
        "m_axis_c_tdata": words(list(data), data_bits(design)["c"]),
        "m_axis_c_tuser": to_bits(np.array(flags), 4),
        "m_axis_c_tlast": to_bits(np.array(last, np.int64), 1),
    }
    ports = _paused(design, code_stimulus(design, products), _pauses(cycles) + RESET_CYCLES)
    drained = _drained(design, ports, 2 * (design.latency + 2 * design.rows))
    # The last results leave in every other cycle.
    drained[READY][-1 : len(ports[READY]) - 1 : -2] = 1
    return _Expected(drained, "m_axis_c_tvalid", bits, None, np.array(counts), READY)


def _rows(design: Design, tile: Tile, cycles: int) -> list[tuple[int, int, bool]]:
    """Give the rows of the result of a tile that some cycles of its beats give: data, flags, the last one."""
    height = len(tile.rows)
    given = min(cycles, height) if design.weight_stationary else height * (len(tile.a) <= cycles)
    return [(tile.rows[row], tile.flags[row], row == height - 1) for row in range(given)]


def _pauses(cycles: int) -> NDArray[np.int64]:
    """Draw the cycles of a stimulus before which nothing comes for a cycle, in its second half."""
    later = np.arange(cycles // 2, cycles)
    return later[np.random.default_rng(_SEED).random(len(later)) < PAUSED]


def _paused(design: Design, ports: Mapping[str, Bits], pauses: NDArray[np.int64]) -> dict[str, Bits]:
    """Put cycles without operands between those of a stimulus: what is not valid is not what comes next."""
    quiet = {name: np.insert(bits, pauses, 1 - bits[pauses], axis=0) for name, bits in ports.items()}
    at = pauses + np.arange(len(pauses))
    for name, level in (_QUIET | _idle(design)).items():
        if name in quiet:
            quiet[name][at] = level
    return quiet


def _drained(design: Design, ports: Mapping[str, Bits], cycles: int) -> dict[str, Bits]:
    """Add cycles without operands, in which the last results leave."""
    levels, padding = _idle(design), [(0, cycles), (0, 0), (0, 0)]
    return {name: np.pad(bits, padding, constant_values=levels.get(name, 0)) for name, bits in ports.items()}


def _idle(design: Design) -> dict[str, int]:
    """Give the levels of a reset that is off and of a sink that takes each result in its cycle."""
    return {design.reset_name: 1 - design.reset_level, DOT_READY: 1}


def _products(design: Design) -> Iterator[Products]:
    """Give the matrix products of codes, those of one length together."""
    rng = np.random.default_rng(_SEED)
    # A weight-stationary array cuts what is longer.
    most = MOST_STEPS * design.lanes if design.weight_stationary else design.depth
    depth = min(STEPS * design.lanes, most)
    captured = (pair.codes(*design.formats) for pair in default_operands())
    yield [
        *((a[:SIZE, :depth], b[:depth, :SIZE]) for a, b in captured),
        _drawn(design, depth, rng, finite=True),
        _drawn(design, min(2 * design.lanes, depth), rng, finite=False),
    ]
    yield [_extremes(design, min(MOST_STEPS * design.lanes, most), rng)]


def _drawn(design: Design, depth: int, rng: np.random.Generator, *, finite: bool) -> tuple[Codes, Codes]:
    """Draw bit patterns of every kind, or finite ones only."""
    drawn: tuple[Codes, ...] = tuple(rng.integers(0, 1 << f.width, (SIZE, depth)) for f in design.formats)
    first, second = drawn
    if finite:
        first, second = (_finite(codes, f) for codes, f in zip((first, second), design.formats, strict=True))
    return first, second.T


def _finite(codes: Codes, format_: Format) -> Codes:
    beyond: Codes = np.maximum((codes & format_.magnitude_mask) - format_.largest_finite, 0)
    return codes - beyond


def _extremes(design: Design, depth: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Draw the largest codes, each row and each column of one sign: the longest sums go furthest."""
    first, second = (
        np.repeat(f.largest_finite | f.sign_mask * rng.integers(0, 2, (SIZE, 1)), depth, axis=1)
        for f in design.formats
    )
    return first, second.T
