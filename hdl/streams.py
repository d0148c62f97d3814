"""Multiplier and dot product with stream interfaces, for designs in Amaranth."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import stream
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.golden import FP32
from lmul.hdl.dot import DotProductBlock
from lmul.hdl.framework.component import DesignComponent
from lmul.hdl.framework.flags import FLAGS
from lmul.hdl.framework.hierarchy import place
from lmul.hdl.multiplier.table import multiplier
from lmul.hdl.multiplier.unrounded import scale_bits


class Multiplier(DesignComponent):
    """Multiply into the operands' format, integers into the whole product.

    Latency: `design.pipeline` cycles, 0 for a combinational multiplier. Throughput: one product every
    cycle, without backpressure.

    Parameters
    ----------
    design : Design
        Of the kind `mul`.

    Members
    -------
    operands : In(stream of {a: W, b: W}), always ready
        W of each operand's format.
    products : Out(stream of W bits, of integers as many as both operands have), to be taken at once

    Examples
    --------
    >>> from lmul.design import make_design
    >>> from lmul.golden import E4M3, decode, encode
    >>> from lmul.hdl import Multiplier
    >>> multiplier = Multiplier(make_design("mul", pipeline=2))
    >>> multiplier.latency
    2
    >>> float(decode(multiplier.model(encode(1.5, E4M3), encode(3.0, E4M3)), E4M3))
    4.5
    """

    kind = "mul"

    operands: stream.Interface
    products: stream.Interface

    def __init__(self, design: Design) -> None:
        first, second = design.formats
        operands = StructLayout({"a": first.width, "b": second.width})
        members = {
            "operands": In(stream.Signature(operands, always_ready=True)),
            "products": Out(stream.Signature(design.product_bits, always_ready=True)),
        }
        super().__init__(design, members)

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        block: Any = place(m, platform, "block", multiplier(self.design), self.design)
        valid: Value = self.operands.valid
        for stage in range(self.latency):
            register = Signal(name=f"valid_{stage}")
            m.d.sync += register.eq(valid)
            valid = register
        m.d.comb += [
            block.a.eq(self.operands.payload.a),
            block.b.eq(self.operands.payload.b),
            self.products.payload.eq(block.p),
            self.products.valid.eq(valid),
        ]
        return m


class DotProduct(DesignComponent):
    """Dot products of any length, N lanes at a time.

    Latency: `latency` cycles from the last step to the result. Throughput: one step every cycle,
    without backpressure; a dot product may begin in the cycle after another one ended.

    Parameters
    ----------
    design : Design
        Of the kind `dot`.

    Members
    -------
    steps : In(stream of {a: N codes, b: N codes, first: 1, last: 1}), always ready
        `first` and `last` begin and end a dot product; with `scale` there are `a_scale` and `b_scale` behind
        `b`, S bytes each; with `addend` then `c_in: 32`, the sum to begin with.
    sums : Out(stream of {c: A, flags: {nan: 1, inf: 1, overflow: 1}}), to be taken at once

    Examples
    --------
    >>> from lmul.design import make_design
    >>> from lmul.golden import E4M3, encode
    >>> from lmul.hdl import DotProduct
    >>> dot = DotProduct(make_design("dot", lanes=2))
    >>> dot.latency, dot.products_per_cycle
    (2, 2)
    >>> sums = dot.model(encode([[1.0, 2.0, 4.0]], E4M3), encode([[1.0], [1.0], [1.0]], E4M3))
    >>> sums.values().tolist()
    [[7.875]]
    """

    kind = "dot"

    steps: stream.Interface
    sums: stream.Interface

    def __init__(self, design: Design) -> None:
        first, second = (ArrayLayout(format_.width, design.lanes) for format_ in design.formats)
        scales = dict.fromkeys(("a_scale", "b_scale"), scale_bits(design)) if design.block_scale else {}
        start = {"c_in": FP32.width} if design.addend else {}
        step = StructLayout({"a": first, "b": second, **scales, **start, "first": 1, "last": 1})
        result = StructLayout({"c": design.output_bits, "flags": StructLayout(dict.fromkeys(FLAGS, 1))})
        members = {
            "steps": In(stream.Signature(step, always_ready=True)),
            "sums": Out(stream.Signature(result, always_ready=True)),
        }
        super().__init__(design, members)

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        block = place(m, platform, "block", DotProductBlock, self.design)
        step, result = self.steps.payload, self.sums.payload
        start = [block.a_scale, block.b_scale] if self.design.block_scale else []
        start += [block.c_in] if self.design.addend else []
        m.d.comb += [
            block.in_valid.eq(self.steps.valid),
            Cat(block.a, block.b, *start, block.in_first, block.in_last).eq(step),
            result.eq(Cat(block.c, block.c_flags)),
            self.sums.valid.eq(block.c_valid),
        ]
        return m
