"""The dot product and the array behind AXI4-Stream ports."""

from dataclasses import replace
from typing import Any, NamedTuple

from amaranth import Module, Signal
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.golden import FP32
from lmul.hdl.array.array import Array
from lmul.hdl.dot import DotProductBlock
from lmul.hdl.framework.component import DesignComponent
from lmul.hdl.framework.hierarchy import Block, place
from lmul.hdl.multiplier.unrounded import scale_bits


def whole_bytes(bits: int) -> int:
    """Round a width up to whole bytes, as AXI4-Stream's tdata has it."""
    return (bits + 7) // 8 * 8


def codes_bits(design: Design) -> tuple[int, int]:
    """Give the bits of the codes in a beat of `a` and of `b` of an array, whole bytes: scales are above."""
    first, second = design.formats
    rows, cols = design.rows * design.lanes, design.cols * design.lanes
    return whole_bytes(rows * first.width), whole_bytes(cols * second.width)


def data_bits(design: Design) -> dict[str, int]:
    """Give the width of tdata of the streams `a`, `b` and `c` of an array."""
    (first, second), own = codes_bits(design), scale_bits(design)
    return {
        "a": first + design.rows * own,
        "b": second + design.cols * own,
        "c": whole_bytes(design.cols * design.output_bits),
    }


class StepBits(NamedTuple):
    """Where in tdata of a `dot`'s steps the operands and what belongs to them begin, and how wide it is."""

    b: int
    a_scale: int
    b_scale: int
    start: int
    width: int


def step_bits(design: Design) -> StepBits:
    """Give where in tdata of a `dot`'s steps `b` begins, and behind it scales and `c_in` if there are any."""
    first, second = (whole_bytes(design.lanes * format_.width) for format_ in design.formats)
    scales, own = first + second, scale_bits(design)
    start = scales + 2 * own
    return StepBits(first, scales, scales + own, start, start + FP32.width * design.addend)


class DotAxiStream(DesignComponent, Block):
    """The dot product with AXI4-Stream's names, data padded to whole bytes: a result that waits stops it.

    Latency: that of `DotProductBlock` if nothing pauses. Throughput: one step every cycle. While a result is
    not taken all registers hold, so nothing is lost and nothing has to be stored; `s_axis_tready` follows
    `m_axis_tready` within the cycle.

    Parameters
    ----------
    design : Design
        A `dot`, with `stream` or without.

    Members
    -------
    s_axis_tdata : In
        A step: lane n of `a` at bits n*W, lane n of `b` at n*W above the bytes of `a`; with `--scale` above
        them the scales of `a`, then those of `b`; with `--addend` on top the sum to begin with, which counts
        in the first step.
    s_axis_tlast : In(1)
        Whether the step ends a dot product; the next one begins with the next step.
    m_axis_tdata : Out
        The result.
    m_axis_tuser : Out(3)
        {overflow, inf, nan}.
    *_tvalid, *_tready
        As AXI4-Stream has them.

    Raises
    ------
    ValueError
        The design is of another kind.
    UserError
        There is a model of the design, but no hardware.

    Examples
    --------
    >>> from lmul.design import make_design
    >>> from lmul.hdl import DotAxiStream
    >>> len(DotAxiStream(make_design("dot", lanes=2)).s_axis_tdata)
    32
    """

    kind = "dot"
    block_name = "axi"
    sequential = True

    s_axis_tdata: Signal
    s_axis_tvalid: Signal
    s_axis_tready: Signal
    s_axis_tlast: Signal
    m_axis_tdata: Signal
    m_axis_tvalid: Signal
    m_axis_tready: Signal
    m_axis_tuser: Signal

    def __init__(self, design: Design) -> None:
        members = {
            "s_axis_tdata": In(step_bits(design).width),
            "s_axis_tvalid": In(1),
            "s_axis_tready": Out(1),
            "s_axis_tlast": In(1),
            "m_axis_tdata": Out(whole_bytes(design.output_bits)),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
            "m_axis_tuser": Out(3),
        }
        # A dot product without has no enable.
        super().__init__(replace(design, stream=True) if design.kind == "dot" else design, members)

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        dot = place(m, platform, "dot", DotProductBlock, self.design)
        advance = Signal()
        first = Signal(init=1)
        places = step_bits(self.design)
        if self.design.block_scale:
            m.d.comb += [
                dot.a_scale.eq(self.s_axis_tdata[places.a_scale :]),
                dot.b_scale.eq(self.s_axis_tdata[places.b_scale :]),
            ]
        if self.design.addend:
            m.d.comb += dot.c_in.eq(self.s_axis_tdata[places.start :])
        m.d.comb += [
            advance.eq(~dot.c_valid | self.m_axis_tready),
            dot.en.eq(advance),
            dot.a.eq(self.s_axis_tdata),
            dot.b.eq(self.s_axis_tdata[places.b :]),
            dot.in_valid.eq(self.s_axis_tvalid),
            dot.in_first.eq(first),
            dot.in_last.eq(self.s_axis_tlast),
            self.s_axis_tready.eq(advance),
            self.m_axis_tdata.eq(dot.c),
            self.m_axis_tuser.eq(dot.c_flags),
            self.m_axis_tvalid.eq(dot.c_valid),
        ]
        with m.If(self.s_axis_tvalid & advance):
            m.d.sync += first.eq(self.s_axis_tlast)
        return m


class ArrayAxiStream(DesignComponent, Block):
    """The array with AXI4-Stream's names, data padded to whole bytes.

    Latency and throughput are those of `Array`.

    Parameters
    ----------
    design : Design
        An `array`.

    Members
    -------
    s_axis_a_tdata, s_axis_b_tdata : In
        Row r, lane n of `a` at bits (r*N+n)*W, column c, lane n of `b` at (c*N+n)*W; with `--scale`
        in the bytes above them the scales, those of row r or column c from byte r*S or c*S on.
    m_axis_c_tdata : Out
        One row, column c at bits c*A.
    m_axis_c_tuser : Out(4)
        {mismatch, overflow, inf, nan}, over the row.
    *_tvalid, *_tready, *_tlast
        As AXI4-Stream has them.

    Raises
    ------
    ValueError
        The design is of another kind.
    UserError
        There is a model of the design, but no hardware.

    Examples
    --------
    >>> from lmul.design import make_design
    >>> from lmul.hdl import ArrayAxiStream
    >>> len(ArrayAxiStream(make_design("array", rows=2, cols=3, lanes=1)).m_axis_c_tdata)
    96
    """

    kind = "array"
    sequential = True
    block_name = "axi"

    s_axis_a_tdata: Signal
    s_axis_a_tvalid: Signal
    s_axis_a_tready: Signal
    s_axis_a_tlast: Signal
    s_axis_b_tdata: Signal
    s_axis_b_tvalid: Signal
    s_axis_b_tready: Signal
    s_axis_b_tlast: Signal
    m_axis_c_tdata: Signal
    m_axis_c_tvalid: Signal
    m_axis_c_tready: Signal
    m_axis_c_tlast: Signal
    m_axis_c_tuser: Signal

    def __init__(self, design: Design) -> None:
        bits = data_bits(design)
        members: dict[str, Any] = {}
        for stream in ("a", "b"):
            members |= {
                f"s_axis_{stream}_tdata": In(bits[stream]),
                f"s_axis_{stream}_tvalid": In(1),
                f"s_axis_{stream}_tready": Out(1),
                f"s_axis_{stream}_tlast": In(1),
            }
        members |= {
            "m_axis_c_tdata": Out(bits["c"]),
            "m_axis_c_tvalid": Out(1),
            "m_axis_c_tready": In(1),
            "m_axis_c_tlast": Out(1),
            "m_axis_c_tuser": Out(4),
        }
        super().__init__(design, members)

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        array = place(m, platform, "array", Array, self.design)
        m.d.comb += [
            *self._scales(array),
            array.a.payload.data.eq(self.s_axis_a_tdata),
            array.a.payload.last.eq(self.s_axis_a_tlast),
            array.a.valid.eq(self.s_axis_a_tvalid),
            self.s_axis_a_tready.eq(array.a.ready),
            array.b.payload.data.eq(self.s_axis_b_tdata),
            array.b.payload.last.eq(self.s_axis_b_tlast),
            array.b.valid.eq(self.s_axis_b_tvalid),
            self.s_axis_b_tready.eq(array.b.ready),
            self.m_axis_c_tdata.eq(array.c.payload.data),
            self.m_axis_c_tlast.eq(array.c.payload.last),
            self.m_axis_c_tuser.eq(array.c.payload.flags),
            self.m_axis_c_tvalid.eq(array.c.valid),
            array.c.ready.eq(self.m_axis_c_tready),
        ]
        return m

    def _scales(self, array: Any) -> list[Any]:
        """Take the scales from the bytes above all codes."""
        if not self.design.block_scale:
            return []
        a, b = codes_bits(self.design)
        return [
            array.a.payload.scale.eq(self.s_axis_a_tdata[a:]),
            array.b.payload.scale.eq(self.s_axis_b_tdata[b:]),
        ]
