"""What the ports of a design see under real operands, as the netlist simulation takes it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.cost.power.zero_delay import Bits
from lmul.design import Design
from lmul.errors import UserError
from lmul.golden import FP32, Codes
from lmul.golden.sums.blocks.scales import Scales
from lmul.hdl.multiplier.unrounded import SCALE_BITS
from lmul.sim.stimulus.scales import model_sums, neutral_scales, seeded_scales
from lmul.sim.stimulus.tiles import scale_tiling, tiling
from lmul.sim.stimulus.turns import FILLER, turns_of_tiles
from lmul.workloads import Operands

RESET_CYCLES = 2
STREAMS = 64
"""Independent streams of one matrix product: what fits in the bits of one word."""


def stimulus(design: Design, operands: Sequence[Operands]) -> dict[str, Bits]:
    """Give the input ports of a design in every cycle, busy in all of them after the reset.

    A stream computes dot products (or an array's tiles) one after the other, as a real run does,
    and the streams are spread evenly over the outputs of their matrix product. All streams are as
    long as the longest dot product.

    Parameters
    ----------
    design : Design
    operands : sequence of Operands
        Matrix products, each with as many streams; quantised here, as they ask for.

    Returns
    -------
    dict of str to ndarray of uint8, shape (cycles, streams, bits)
        By port name, the clock left out.
    """
    if design.block_scale:
        scaled = [pair.scaled(design) for pair in operands]
        return code_stimulus(design, [(a, b) for a, b, _ in scaled], [scales for _, _, scales in scaled])
    return code_stimulus(design, [codes for pair in operands for codes in pair.products(*design.formats)])


def code_stimulus(
    design: Design, products: Sequence[tuple[Codes, Codes]], scales: Sequence[Scales | None] | None = None
) -> dict[str, Bits]:
    """Give the stimulus of matrix products of codes, of shapes (M, K) and (K, N), as `stimulus` does.

    With block scales, those of every step of each product are given, or are drawn.
    """
    cycles = busy_cycles(design, products)
    make = _array_ports if design.kind == "array" else _vector_ports
    if scales is None:
        scales = [seeded_scales(design, a, b) for a, b in products]
    parts = [make(design, a, b, cycles, own) for (a, b), own in zip(products, scales, strict=True)]
    ports = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
    return _after_reset(ports, design) if design.latency else ports


def busy_cycles(design: Design, products: Sequence[tuple[Codes, Codes]]) -> int:
    """Give the number of cycles of a stimulus in which operands come: those of the longest dot product."""
    if design.kind == "array" and design.interleave > 1:
        return max(tile_interval(design, a) for a, _ in products) * design.interleave
    longest: int = max(a.shape[1] for a, _ in products)
    return -(-longest // design.lanes) * design.interleave


def chosen_vectors(
    design: Design, a: Codes, b: Codes, cycles: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the rows of A and columns of B that each stream of a `mul` or `dot` takes one after the other.

    Returns
    -------
    rows, columns : ndarray of int64, shape (streams, vectors)
    """
    vectors = -(-cycles // busy_cycles(design, [(a, b)])) * design.interleave
    outputs = _spread(a.shape[0] * b.shape[1], STREAMS * vectors).reshape(STREAMS, vectors)
    rows, columns = np.divmod(outputs, b.shape[1])
    return rows, columns


def starts(design: Design, a: Codes, b: Codes) -> NDArray[np.uint32]:
    """Give what the sums of a `dot` with an addend begin with: of their size, with bits in every place.

    Returns
    -------
    ndarray of codes of fp32, shape (M, N)
        Sums of one step of the same products, as a tile of K leaves them, and bits below the register's.
    """
    a, b = a[:, : design.lanes], b[: design.lanes]
    scales = neutral_scales(design, (len(a), a.shape[1], b.shape[1]))
    sums = model_sums(a, b, design, scales).raw.astype(np.uint32)
    fused = design.fused
    below = np.random.default_rng(1).integers(0, 1 << FP32.mantissa_bits - fused.mantissa_bits, sums.shape)
    field = sums >> FP32.mantissa_bits & 0xFF
    return np.where((field > 0) & (field < 0xFF), sums | below.astype(np.uint32), sums)


def chosen_tiles(tiles: int, interval: int, cycles: int) -> list[list[int]]:
    """Give the tiles, of so many, that each stream of an `array` takes one after the other.

    Parameters
    ----------
    tiles : int
    interval : int
        Cycles from a tile to the next.
    cycles : int
    """
    starts = _spread(tiles, min(STREAMS, tiles))
    return [[(int(start) + n) % tiles for n in range(-(-cycles // interval))] for start in starts]


def tile_interval(design: Design, a: Codes) -> int:
    """Give the cycles from a tile of an `array` to the next, in a product with A of shape (M, K).

    Of tiles that take turns also the steps of one, zeros first: a multiple of the turns, and so many that the
    last step of a tile comes R cycles or more after that of the one before, which is in another turn.
    """
    steps: int = len(a) if design.weight_stationary else -(-a.shape[1] // design.lanes)
    turns = design.interleave
    return -(-max(design.rows + turns - 1, steps) // turns) * turns


def tile_schedule(design: Design, interval: int, cycles: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the tile of each cycle, by its place in the order of a stream, and its cycle within the tile.

    Returns
    -------
    tile, beat : ndarray of int64, shape (cycles,)
        `FILLER` where there is none in turn; no beat comes where a tile has no more of them.
    """
    if design.interleave == 1:
        return np.divmod(np.arange(cycles), interval)
    lengths = [interval] * (cycles // interval + design.interleave)
    order = np.array(turns_of_tiles(lengths, design.interleave))[:cycles]
    return order[:, 0], order[:, 1]


def check_operands(design: Design, operands: Sequence[Operands]) -> None:
    """Refuse operands that leave no step to count after the warm-up.

    Raises
    ------
    UserError
    """
    begun = RESET_CYCLES + _cycles_ahead(design) if design.latency else 0
    least = (1 + warmup(design) - begun) * design.lanes + 1
    # A design's own scales are no bounds of its sums.
    longest = max(pair.a.shape[1] if design.block_scale else pair.longest_sum for pair in operands)
    if longest < least:
        raise UserError(
            f"operands have K = {longest}, too few to measure {design.name}: take K = {least} or more"
        )


def warmup(design: Design) -> int:
    """Give the first cycles of a stimulus that are not operation: the reset, first weights, first step."""
    if design.kind == "mul":
        return RESET_CYCLES + design.pipeline if design.pipeline else 0
    return RESET_CYCLES + _cycles_ahead(design) + 1


def idle_cycles(
    ports: Mapping[str, Bits], warmup: int, *, change: bool = False
) -> tuple[dict[str, Bits], int]:
    """Give cycles without operands behind some of a stimulus, and how many of all are not to be counted.

    What says that there are operands is low. All results leave before the cycles that count.

    Parameters
    ----------
    ports : mapping of str to ndarray of uint8, shape (cycles, streams, bits)
    warmup : int
        First cycles that are not operation.
    change : bool
        Whether the ports of the operands go on changing, as a bus that others use does; else they stay as
        they are in the last cycle with operands.
    """
    cycles = len(next(iter(ports.values())))
    busy = min(warmup + BUSY_BEFORE_IDLE, cycles)
    order = np.arange(busy + SETTLING)
    if change:
        again = warmup + (order - warmup) % (cycles - warmup)
        order = np.where(order < cycles, order, again)
    else:
        order = np.minimum(order, busy - 1)
    shown = {name: bits[order] for name, bits in ports.items()}
    for name in VALIDS & shown.keys():
        shown[name][busy:] = 0
    return shown, len(order) - COUNTED - 1


VALIDS = {"in_valid", "s_axis_tvalid", "s_axis_a_tvalid", "s_axis_b_tvalid"}
"""Ports that say that there are operands."""

BUSY_BEFORE_IDLE, SETTLING, COUNTED = 16, 96, 16
"""Cycles with operands before those without, of the latter, and of these the last ones that count."""


def _vector_ports(design: Design, a: Codes, b: Codes, cycles: int, scales: Scales | None) -> dict[str, Bits]:
    """Send rows of A and columns of B into `mul` or `dot`."""
    steps, turns = -(-a.shape[1] // design.lanes), design.interleave
    rows, cols = chosen_vectors(design, a, b, cycles)
    first, second = design.formats
    ports = {
        "a": _bits(_stream(a[rows], design.lanes, turns)[:cycles], first.width),
        "b": _bits(_stream(b.T[cols], design.lanes, turns)[:cycles], second.width),
    }
    if design.kind == "mul":
        return ports
    if scales:
        own = zip("ab", (scales.a[rows], scales.b.T[cols]), strict=True)
        ports |= {
            f"{side}_scale": _bits(_stream(codes, design.scales_a_step, turns)[:cycles], SCALE_BITS)
            for side, codes in own
        }
    if design.addend:  # Held from the first step of a sum to its last.
        held = np.repeat(starts(design, a, b)[rows, cols][..., None], steps, axis=2)
        ports["c_in"] = to_bits(_in_turn(held, turns)[:cycles], FP32.width)
    step = np.arange(cycles) // turns % steps
    control = {"in_valid": step >= 0, "in_first": step == 0, "in_last": step == steps - 1}
    levels = {name: _level(values, STREAMS) for name, values in control.items()}
    return _streamed(ports, levels) if design.stream else ports | levels


def _streamed(ports: dict[str, Bits], levels: dict[str, Bits]) -> dict[str, Bits]:
    """Send the same steps as beats of a stream, into a sink that is always ready."""
    return {
        "s_axis_tdata": np.concatenate([_octets(bits) for bits in ports.values()], axis=2),
        "s_axis_tvalid": levels["in_valid"],
        "s_axis_tlast": levels["in_last"],
        "m_axis_tready": np.ones_like(levels["in_valid"]),
    }


def _array_ports(design: Design, a: Codes, b: Codes, cycles: int, scales: Scales | None) -> dict[str, Bits]:
    """Send tiles back to back into a sink that is always ready, weights a tile ahead."""
    operands, interval = tiling(a, b, design), tile_interval(design, a)
    above = scale_tiling(scales, design) if scales else None
    chosen = chosen_tiles(len(operands.pairs), interval, cycles)
    ahead = _cycles_ahead(design)
    schedule = tile_schedule(design, interval, cycles + ahead)
    ports: dict[str, Bits] = {}
    for side, (name, format_) in enumerate(zip("ab", design.formats, strict=True)):
        parts = _late((operands.a, operands.b)[side], design, interval)
        length = len(parts[0])
        cycle = np.arange(cycles + ahead) - (0 if side else ahead)
        tile, beat = (values[np.maximum(cycle, 0)] for values in schedule)
        # Between two tiles the last beat stays.
        index = np.minimum(tile, len(chosen[0]) - 1) * length + np.minimum(beat, length - 1)
        beats = [(parts, format_.width)]
        if above:
            beats.append((_late((above.a, above.b)[side], design, interval), SCALE_BITS))
        data = []
        for each, width in beats:
            streams = [[each[operands.pairs[n][side]] for n in stream] for stream in chosen]
            codes = np.stack([np.concatenate(stream)[index] for stream in streams], axis=1)
            codes[tile == FILLER] = 0
            data.append(_octets(_bits(codes, width)))
        ports[f"s_axis_{name}_tdata"] = np.concatenate(data, axis=2)
        ports[f"s_axis_{name}_tvalid"] = _level((cycle >= 0) & (beat < length), len(chosen))
        ports[f"s_axis_{name}_tlast"] = _level(beat == length - 1, len(chosen))
    return ports | {"m_axis_c_tready": _level(np.ones(cycles + ahead, np.bool_), len(chosen))}


def _late(parts: list[Codes], design: Design, interval: int) -> list[Codes]:
    """Give the beats of tiles, of those that take turns behind zeros up to the interval."""
    if design.interleave == 1:
        return parts
    return [np.pad(part, [(interval - len(part), 0), (0, 0)]) for part in parts]


def _cycles_ahead(design: Design) -> int:
    """Count the cycles by which the weights of a tile come before its rows."""
    return design.rows if design.weight_stationary else 0


def _spread(size: int, count: int) -> NDArray[np.int64]:
    """Choose indices below `size` evenly."""
    return np.linspace(0, size, count, endpoint=False).astype(np.int64)


def _stream(codes: Codes, lanes: int, turns: int) -> Codes:
    """Lay vectors one after the other, so many in turn: (streams, vectors, K) to (cycles, streams, lanes)."""
    padded = np.pad(codes, [(0, 0), (0, 0), (0, -codes.shape[2] % lanes)])
    return _in_turn(padded.reshape(*padded.shape[:2], -1, lanes), turns)


def _in_turn(steps: NDArray[Any], turns: int) -> NDArray[Any]:
    """Order steps, shape (streams, vectors, steps, ...) to (cycles, streams, ...), some vectors in turn."""
    streams, vectors, count = steps.shape[:3]
    grouped = steps.reshape(streams, vectors // turns, turns, count, *steps.shape[3:]).swapaxes(2, 3)
    return np.moveaxis(grouped.reshape(streams, -1, *steps.shape[3:]), 0, 1)


def to_bits(numbers: NDArray[Any], width: int) -> Bits:
    """Take numbers apart, in two's complement: (...,) to (..., width), the first bit lowest."""
    bits: Bits = ((numbers[..., None] >> np.arange(width, dtype=numbers.dtype)) & 1).astype(np.uint8)
    return bits


def _bits(codes: Codes, width: int) -> Bits:
    """Take codes apart: (..., n) to (..., n * width), the first bit lowest."""
    return to_bits(codes, width).reshape(*codes.shape[:-1], -1)


def words(beats: list[int], width: int) -> Bits:
    """Take beats of whole bytes apart: to (beats, width)."""
    octets = b"".join(beat.to_bytes(width // 8, "little") for beat in beats)
    bits: Bits = np.unpackbits(np.frombuffer(octets, dtype=np.uint8), bitorder="little")
    return bits.reshape(len(beats), width)


def _octets(bits: Bits) -> Bits:
    """Fill words up to whole bytes with zeros."""
    return np.pad(bits, [(0, 0), (0, 0), (0, -bits.shape[2] % 8)])


def _level(values: NDArray[np.bool_], streams: int) -> Bits:
    return np.broadcast_to(values.astype(np.uint8)[:, None, None], (len(values), streams, 1))


def reset_port(design: Design, on: NDArray[np.bool_], streams: int) -> dict[str, Bits]:
    """Give the port of the reset, by its name, where it is on in some cycles of all streams."""
    return {design.reset_name: _level(on == bool(design.reset_level), streams)}


def _after_reset(ports: dict[str, Bits], design: Design) -> dict[str, Bits]:
    """Put cycles of reset in front, in which all other inputs are low."""
    padded = {name: np.pad(bits, [(RESET_CYCLES, 0), (0, 0), (0, 0)]) for name, bits in ports.items()}
    cycles, streams, _ = next(iter(padded.values())).shape
    return padded | reset_port(design, np.arange(cycles) < RESET_CYCLES, streams)
