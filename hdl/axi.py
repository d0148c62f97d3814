"""The array behind AXI4-Stream ports."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.hdl.array import Array
from lmul.hdl.hierarchy import Block, place


def whole_bytes(bits: int) -> int:
    """Round a width up to whole bytes, as AXI4-Stream's tdata has it."""
    return (bits + 7) // 8 * 8


class ArrayAxiStream(Block):
    """The array with one stream for each operand and one for the results.

    A K-step is taken when both operands are there. A tile ends with tlast; where the operands
    disagree about it, the tile is marked and the longer one is dropped up to its own tlast. The
    whole array halts while a row of results waits for the sink.

    Latency: R+C+2 cycles from the last step of a tile to row 0 of its result. Throughput: one step
    every cycle, for tiles of R steps or more.

    Parameters
    ----------
    arithmetic : Arithmetic
    rows, cols : int

    Members
    -------
    s_axis_a_tdata, s_axis_b_tdata : In
        One K-step, padded to whole bytes: row r, lane n of `a` at bits (r*N+n)*W, column c, lane n
        of `b` at (c*N+n)*W.
    m_axis_c_tdata : Out
        One row, padded to whole bytes: column c at bits c*A.
    m_axis_c_tuser : Out(4)
        {mismatch, overflow, inf, nan}, over the row.
    *_tvalid, *_tready, *_tlast
        As AXI4-Stream has them.
    """

    block_name = "array"
    sequential = True

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

    def __init__(self, arithmetic: Arithmetic, rows: int, cols: int) -> None:
        self._arithmetic = arithmetic
        self._rows = rows
        self._cols = cols
        first, second = (arithmetic.lanes * format_.width for format_ in arithmetic.formats)
        members: dict[str, Any] = {}
        for stream, bits in (("a", rows * first), ("b", cols * second)):
            members |= {
                f"s_axis_{stream}_tdata": In(whole_bytes(bits)),
                f"s_axis_{stream}_tvalid": In(1),
                f"s_axis_{stream}_tready": Out(1),
                f"s_axis_{stream}_tlast": In(1),
            }
        members |= {
            "m_axis_c_tdata": Out(whole_bytes(cols * arithmetic.output_bits)),
            "m_axis_c_tvalid": Out(1),
            "m_axis_c_tready": In(1),
            "m_axis_c_tlast": Out(1),
            "m_axis_c_tuser": Out(4),
        }
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        core = place(m, platform, "core", Array, self._arithmetic, self._rows, self._cols)
        row = Cat(core.c_last, core.c_flags, core.c_mismatch, core.c)
        m.d.comb += core.en.eq(~core.c_valid | self._register_rows(m, row, core.c_valid))
        self._join_operands(m, core)
        return m

    def _join_operands(self, m: Module, core: Array) -> None:
        """Take a step when both operands are there, and keep the ends of tiles R cycles apart."""
        drop_a = Signal()
        drop_b = Signal()
        a_last, b_last = self.s_axis_a_tlast, self.s_axis_b_tlast
        take = Signal()
        m.d.comb += [
            take.eq(
                self.s_axis_a_tvalid
                & self.s_axis_b_tvalid
                & ~drop_a
                & ~drop_b
                & core.en
                & ~(core.last & self._drain_busy(m, core))
            ),
            self.s_axis_a_tready.eq(take | drop_a),
            self.s_axis_b_tready.eq(take | drop_b),
            core.a.eq(self.s_axis_a_tdata),
            core.b.eq(self.s_axis_b_tdata),
            core.take.eq(take),
            core.last.eq(a_last | b_last),
            core.mismatch.eq(a_last ^ b_last),
        ]
        with m.If(take):
            m.d.sync += [drop_a.eq(b_last & ~a_last), drop_b.eq(a_last & ~b_last)]
        with m.If(drop_a & self.s_axis_a_tvalid & a_last):
            m.d.sync += drop_a.eq(0)
        with m.If(drop_b & self.s_axis_b_tvalid & b_last):
            m.d.sync += drop_b.eq(0)

    def _drain_busy(self, m: Module, core: Array) -> Value:
        """Tell whether the last tile ended less than R cycles ago: its results are in the way."""
        remaining = Signal(range(self._rows))
        with m.If(core.en):
            with m.If(core.take & core.last):
                m.d.sync += remaining.eq(self._rows - 1)
            with m.Elif(remaining.any()):
                m.d.sync += remaining.eq(remaining - 1)
        return remaining.any()

    def _register_rows(self, m: Module, row: Value, valid: Value) -> Value:
        """Register the output and its ready: a row that arrives as the sink stops waits in `spare`.

        Returns
        -------
        Value
            Ready for a row.
        """
        row_out = Signal(len(row), reset_less=True)
        spare = Signal(len(row), reset_less=True)
        out_valid = Signal()
        spare_valid = Signal()
        advance = Signal()
        keep = Signal()
        m.d.comb += [
            advance.eq(self.m_axis_c_tready | ~out_valid),
            keep.eq(~advance & valid & ~spare_valid),
        ]
        with m.If(advance):
            m.d.sync += [out_valid.eq(valid | spare_valid), spare_valid.eq(0)]
            with m.If(spare_valid):
                m.d.sync += row_out.eq(spare)
            with m.Else():
                m.d.sync += row_out.eq(row)
        with m.If(keep):
            m.d.sync += [spare_valid.eq(1), spare.eq(row)]
        user = Cat(self.m_axis_c_tlast, self.m_axis_c_tuser)
        m.d.comb += [
            self.m_axis_c_tvalid.eq(out_valid),
            Cat(user, self.m_axis_c_tdata).eq(row_out),
        ]
        return ~spare_valid
