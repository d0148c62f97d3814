"""The array behind AXI4-Stream ports."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.hdl.array import Array
from lmul.hdl.design_component import DesignComponent
from lmul.hdl.hierarchy import Block, place


def whole_bytes(bits: int) -> int:
    """Round a width up to whole bytes, as AXI4-Stream's tdata has it."""
    return (bits + 7) // 8 * 8


def data_bits(design: Design) -> dict[str, int]:
    """Give the width of tdata of the streams `a`, `b` and `c` of an array."""
    first, second = (design.lanes * format_.width for format_ in design.formats)
    bits = {"a": design.rows * first, "b": design.cols * second, "c": design.cols * design.output_bits}
    return {stream: whole_bytes(width) for stream, width in bits.items()}


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
        Row r, lane n of `a` at bits (r*N+n)*W, column c, lane n of `b` at (c*N+n)*W.
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
