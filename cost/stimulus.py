"""What the ports of a design see under real operands, as the netlist simulation takes it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.cost.activity import Bits
from lmul.design import Design
from lmul.errors import UserError
from lmul.hdl.axi import whole_bytes
from lmul.sim.tiles import tiles
from lmul.workloads import Operands

RESET_CYCLES = 2
STREAMS = 64
"""Independent streams of one matrix product: what fits in the bits of one word."""

Codes = NDArray[Any]


def stimulus(design: Design, operands: Sequence[Operands]) -> dict[str, Bits]:
    """Give the input ports of a design in every cycle, busy in all of them after the reset.

    A stream computes dot products (or an array's tiles) one after the other, as a real run does,
    and the streams are spread evenly over the outputs of their matrix product. All streams are as
    long as the longest dot product.

    Parameters
    ----------
    design : Design
    operands : sequence of Operands
        Matrix products, each with as many streams; quantised here, one scale a tensor.

    Returns
    -------
    dict of str to ndarray of uint8, shape (cycles, streams, bits)
        By port name, the clock left out.
    """
    cycles = max(-(-pair.a.shape[1] // design.lanes) for pair in operands)
    make = _array_ports if design.kind == "array" else _vector_ports
    parts = [make(design, *pair.codes(*design.formats), cycles) for pair in operands]
    ports = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
    return _after_reset(ports) if design.latency else ports


def check_operands(design: Design, operands: Sequence[Operands]) -> None:
    """Refuse operands that leave no step to count after the warm-up.

    Raises
    ------
    UserError
    """
    begun = RESET_CYCLES + _cycles_ahead(design) if design.latency else 0
    least = (1 + warmup(design) - begun) * design.lanes + 1
    longest = max(pair.a.shape[1] for pair in operands)
    if longest < least:
        raise UserError(
            f"operands have K = {longest}, too few to measure {design.name}: take K = {least} or more"
        )


def warmup(design: Design) -> int:
    """Give the first cycles of a stimulus that are not operation: the reset, first weights, first step."""
    if design.kind == "mul":
        return RESET_CYCLES + design.pipeline if design.pipeline else 0
    return RESET_CYCLES + _cycles_ahead(design) + 1


def _vector_ports(design: Design, a: Codes, b: Codes, cycles: int) -> dict[str, Bits]:
    """Send rows of A and columns of B into `mul` or `dot`."""
    steps = -(-a.shape[1] // design.lanes)
    vectors = -(-cycles // steps)
    rows, cols = np.divmod(_spread(a.shape[0] * b.shape[1], STREAMS * vectors), b.shape[1])
    first, second = design.formats
    ports = {
        "a": _bits(_stream(a[rows], design.lanes, vectors)[:cycles], first.width),
        "b": _bits(_stream(b.T[cols], design.lanes, vectors)[:cycles], second.width),
    }
    if design.kind == "mul":
        return ports
    step = np.arange(cycles) % steps
    control = {"in_valid": step >= 0, "in_first": step == 0, "in_last": step == steps - 1}
    return ports | {name: _level(values, STREAMS) for name, values in control.items()}


def _array_ports(design: Design, a: Codes, b: Codes, cycles: int) -> dict[str, Bits]:
    """Send tiles back to back into a sink that is always ready, weights a tile ahead."""
    jobs = list(tiles(a, b, design))
    interval = max(len(jobs[0].a), len(jobs[0].b), design.rows)
    per_stream = -(-cycles // interval)
    starts = _spread(len(jobs), min(STREAMS, len(jobs)))
    chosen = [[jobs[(start + n) % len(jobs)] for n in range(per_stream)] for start in starts]
    ahead = _cycles_ahead(design)
    ports: dict[str, Bits] = {}
    for name, size, format_ in zip("ab", (design.rows, design.cols), design.formats, strict=True):
        width = whole_bytes(size * design.lanes * format_.width)
        length = len(getattr(jobs[0], name))
        cycle = np.arange(cycles + ahead) - (ahead if name == "a" else 0)
        tile, beat = np.divmod(np.maximum(cycle, 0), interval)
        # Between two tiles the last beat stays.
        index = np.minimum(tile, per_stream - 1) * length + np.minimum(beat, length - 1)
        beats = [[beat for tile in stream for beat in getattr(tile, name)] for stream in chosen]
        ports[f"s_axis_{name}_tdata"] = np.stack([_words(stream, width)[index] for stream in beats], axis=1)
        ports[f"s_axis_{name}_tvalid"] = _level((cycle >= 0) & (beat < length), len(chosen))
        ports[f"s_axis_{name}_tlast"] = _level(beat == length - 1, len(chosen))
    return ports | {"m_axis_c_tready": _level(np.ones(cycles + ahead, np.bool_), len(chosen))}


def _cycles_ahead(design: Design) -> int:
    """Count the cycles by which the weights of a tile come before its rows."""
    return design.rows if design.kind == "array" and design.dataflow == "ws" else 0


def _spread(size: int, count: int) -> NDArray[np.int64]:
    """Choose indices below `size` evenly."""
    return np.linspace(0, size, count, endpoint=False).astype(np.int64)


def _stream(codes: Codes, lanes: int, vectors: int) -> Codes:
    """Lay vectors one after the other: (streams * vectors, K) to (cycles, streams, lanes)."""
    count, depth = codes.shape
    padded = np.pad(codes, [(0, 0), (0, -depth % lanes)])
    return padded.reshape(count // vectors, -1, lanes).transpose(1, 0, 2)


def to_bits(numbers: NDArray[Any], width: int) -> Bits:
    """Take numbers apart, in two's complement: (...,) to (..., width), the first bit lowest."""
    bits: Bits = ((numbers[..., None] >> np.arange(width, dtype=numbers.dtype)) & 1).astype(np.uint8)
    return bits


def _bits(codes: Codes, width: int) -> Bits:
    """Take codes apart: (..., n) to (..., n * width), the first bit lowest."""
    return to_bits(codes, width).reshape(*codes.shape[:-1], -1)


def _words(beats: list[int], width: int) -> Bits:
    """Take beats of whole bytes apart: to (beats, width)."""
    octets = b"".join(beat.to_bytes(width // 8, "little") for beat in beats)
    bits: Bits = np.unpackbits(np.frombuffer(octets, dtype=np.uint8), bitorder="little")
    return bits.reshape(len(beats), width)


def _level(values: NDArray[np.bool_], streams: int) -> Bits:
    return np.broadcast_to(values.astype(np.uint8)[:, None, None], (len(values), streams, 1))


def _after_reset(ports: dict[str, Bits]) -> dict[str, Bits]:
    """Put cycles of reset in front, in which all other inputs are low."""
    padded = {name: np.pad(bits, [(RESET_CYCLES, 0), (0, 0), (0, 0)]) for name, bits in ports.items()}
    cycles, streams, _ = next(iter(padded.values())).shape
    return padded | {"rst": _level(np.arange(cycles) < RESET_CYCLES, streams)}
