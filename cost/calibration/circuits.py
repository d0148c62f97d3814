"""The circuits that the flow is calibrated on, and the operands they are measured under.

Integers are uniform over their bit patterns; floating-point numbers are random, of N(0, 1), and rounded to
nearest. All change in every cycle. Adders keep the carry and integer multipliers the whole product.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.cost.power.stimulus import stimulus, to_bits, warmup
from lmul.cost.power.zero_delay import Bits
from lmul.design import Design, make_design
from lmul.golden import BF16, E4M3, FP16, FP32, Arithmetic, Format, decode, encode, find_format, multiply
from lmul.hdl import export
from lmul.hdl.floating.add import FloatAdd
from lmul.hdl.verilog.export import block_verilog
from lmul.workloads import Operands

SEED = 45

STREAMS, CYCLES = 64, 128
"""Sequences of operands that are simulated, and how long each is."""

TERM_FORMATS = {"exact": BF16, "lmul": find_format("e8m3")}
"""Formats that hold every product of two e4m3 numbers, with the exponent of fp32."""

_OPERATION = """
module {name}(input [{high}:0] a, b, output [{result_high}:0] y);
  assign y = a {operator} b;
endmodule
"""

_INT8_MAC = """
module int8_mac(input clk, first, input [7:0] a, b, output reg [31:0] sum);
  always @(posedge clk) sum <= (first ? 32'd0 : sum) + a * b;
endmodule
"""

_ACCUMULATE = """
module accumulate(input clk, first, input {sign} [{high}:0] x, output reg {sign} [{sum_high}:0] sum);
  always @(posedge clk) sum <= first ? x : sum + x;
endmodule
"""

_FLOAT_ACCUMULATE = """
module accumulate(input clk, first, input [{high}:0] x, output reg [{sum_high}:0] sum);
  wire [{sum_high}:0] total, augend = first ? {sum_width}'d0 : sum;
  float_add add(.a(augend), .b({{x, {{{padding}{{1'b0}}}}}}), .c(total));
  always @(posedge clk) sum <= total;
endmodule
"""

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Circuit:
    """Something to measure.

    Parameters
    ----------
    name : str
        What it computes.
    detail : str
        How it does so.
    verilog, top : str
        All modules, and the name of the top one.
    ports : mapping of str to uint8 array, shape (cycles, streams, bits)
        Its inputs but the clock, as `lmul.cost.power.zero_delay.simulate` takes them.
    warmup : int
        First cycles that do not count.
    accumulator : str
        Name of the circuit that is its accumulator alone; empty where that means nothing.
    """

    name: str
    detail: str
    verilog: str
    top: str
    ports: Mapping[str, Bits]
    warmup: int
    accumulator: str = ""


def operations() -> Iterator[Circuit]:
    """Make a circuit for each operation of Horowitz's table, named as there."""
    for width in (8, 32):
        yield _integer_operation(f"int{width} add", "+", width, width + 1)
    for width in (8, 32):
        yield _integer_operation(f"int{width} mul", "*", width, 2 * width)
    for format_ in (FP16, FP32):
        yield float_adder(format_)
        yield _float_multiplier(format_)


def accumulations() -> Iterator[Circuit]:
    """Make multiply-accumulates, each after its accumulator alone on the same products."""
    x, y = _uniform_integers(8)
    int32 = _accumulate("int32 sum, int8 products", x * y, "", 16, 32)
    yield from (int32, _int8_mac(x, y, int32.name))
    normal = np.random.default_rng(SEED).normal(size=(CYCLES, STREAMS))
    yield _float_accumulate("fp32 sum, fp32 terms", FP32, encode(normal, FP32))
    pair = _normal_operands()
    for mul in ("exact", "lmul"):
        products = _products(mul, pair)
        alone = _float_accumulate(f"fp32 sum, {mul} products", TERM_FORMATS[mul], products)
        yield from (alone, _multiply_accumulate(_dot(mul, "fp32"), pair, alone.name))
    for mul in ("exact", "lmul"):
        design = _dot(mul, "exact")
        values = decode(_products(mul, pair), TERM_FORMATS[mul])
        terms = np.ldexp(values.astype(np.float64), -design.lsb_exponent).astype(np.int64)
        bits = design.term_bits + 1, design.accumulator_bits
        alone = _accumulate(f"exact sum, {mul} products", terms, "signed", *bits)
        yield from (alone, _multiply_accumulate(design, pair, alone.name))


def float_adder(format_: Format) -> Circuit:
    """Make a combinational IEEE 754 adder, the one inside the accumulators."""
    name = f"{format_.name}_add"
    return Circuit(
        f"{format_.name} add",
        "IEEE 754, to nearest even, with subnormals, infinities, NaN",
        block_verilog(FloatAdd(format_), name),
        name,
        _normal_ports(format_),
        0,
    )


def _integer_operation(name: str, operator: str, width: int, result_width: int) -> Circuit:
    top = name.replace(" ", "_")
    verilog = _OPERATION.format(name=top, high=width - 1, result_high=result_width - 1, operator=operator)
    a, b = _uniform_integers(width)
    ports = {"a": to_bits(a, width), "b": to_bits(b, width)}
    detail = f"unsigned, {result_width}-bit result"
    return Circuit(name, detail, verilog, top, ports, 0)


def _float_multiplier(format_: Format) -> Circuit:
    design = make_design("mul", mul="exact", format=format_.name, overflow="ieee")
    text = export(design)
    return Circuit(
        f"{format_.name} mul",
        "to nearest even, infinities, NaN; subnormals are flushed",
        text.verilog,
        text.name,
        _normal_ports(format_),
        0,
    )


def _int8_mac(x: Integers, y: Integers, accumulator: str) -> Circuit:
    ports = {**_first(), "a": to_bits(x, 8), "b": to_bits(y, 8)}
    return Circuit(
        "int8 mul, int32 sum",
        "unsigned, 32-bit register",
        _INT8_MAC,
        "int8_mac",
        ports,
        1,
        accumulator,
    )


def _accumulate(name: str, terms: Integers, sign: str, width: int, sum_width: int) -> Circuit:
    verilog = _ACCUMULATE.format(sign=sign, high=width - 1, sum_high=sum_width - 1)
    ports = {**_first(), "x": to_bits(terms, width)}
    detail = f"{sum_width}-bit adder and register, {width}-bit terms"
    return Circuit(name, detail, verilog, "accumulate", ports, 1)


def _float_accumulate(name: str, format_: Format, terms: NDArray[Any]) -> Circuit:
    """Add terms of a format of as many exponent bits to an fp32 sum."""
    verilog = _FLOAT_ACCUMULATE.format(
        high=format_.width - 1,
        sum_high=FP32.width - 1,
        sum_width=FP32.width,
        padding=FP32.width - format_.width,
    )
    return Circuit(
        name,
        f"fp32 adder and register, terms of {format_.mantissa_bits} mantissa bits",
        verilog + block_verilog(FloatAdd(FP32), "float_add"),
        "accumulate",
        {**_first(), "x": to_bits(terms, format_.width)},
        1,
    )


def _multiply_accumulate(design: Design, pair: Operands, accumulator: str) -> Circuit:
    text = export(design)
    return Circuit(
        f"e4m3 {design.mul}, {design.acc} sum",
        f"{design.accumulator_bits}-bit register, flags",
        text.verilog,
        text.name,
        stimulus(design, [pair]),
        warmup(design),
        accumulator,
    )


def _dot(mul: str, acc: str) -> Design:
    return make_design("dot", mul=mul, acc=acc, lanes=1, out="raw")


def _uniform_integers(width: int) -> Integers:
    return np.random.default_rng(SEED).integers(0, 1 << width, (2, CYCLES, STREAMS))


def _normal_ports(format_: Format) -> dict[str, Bits]:
    normal = np.random.default_rng(SEED).normal(size=(2, CYCLES, STREAMS))
    a, b = encode(normal, format_)
    return {"a": to_bits(a, format_.width), "b": to_bits(b, format_.width)}


def _normal_operands() -> Operands:
    """Draw the factors of a matrix product with a dot product for each stream."""
    rng = np.random.default_rng(SEED)
    side = round(STREAMS**0.5)
    a, b = rng.normal(size=(side, CYCLES)), rng.normal(size=(CYCLES, side))
    return Operands("N(0, 1)", a.astype(np.float32), b.astype(np.float32))


def _products(mul: str, pair: Operands) -> NDArray[Any]:
    """Multiply in every step of every stream, as `stimulus` lays them out: codes of the term's format."""
    format_ = TERM_FORMATS[mul]
    a, b = (
        np.where(codes & E4M3.magnitude_mask < E4M3.smallest_normal, 0, codes)
        for codes in pair.codes(E4M3, E4M3)
    )
    rows, columns = np.divmod(np.arange(STREAMS), b.shape[1])
    x, y = (encode(decode(codes, E4M3), format_) for codes in (a[rows].T, b[:, columns]))
    return multiply(x, y, Arithmetic(format=format_, mul=mul))


def _first() -> dict[str, Bits]:
    first = np.zeros((CYCLES, STREAMS, 1), dtype=np.uint8)
    first[0] = 1
    return {"first": first}
