"""The array of multiply-accumulate elements, with a stream for each operand and one for the results."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.hdl.array.output_stationary import OutputStationary
from lmul.hdl.array.systolic import Systolic
from lmul.hdl.array.weight_stationary import WeightStationary
from lmul.hdl.framework.component import DesignComponent
from lmul.hdl.framework.flags import FLAGS
from lmul.hdl.framework.hierarchy import Block, place
from lmul.hdl.multiplier.unrounded import scale_bits

CORES: dict[str, type[Systolic]] = {"os": OutputStationary, "ws": WeightStationary}

ROW_FLAGS = StructLayout(dict.fromkeys((*FLAGS, "mismatch"), 1))
"""What a row of results comes with, over all its elements."""


def _scales(design: Design, lines: int) -> dict[str, int]:
    """Give the field of the scales of so many rows or columns in a beat, if there are any."""
    return {"scale": lines * scale_bits(design)} if design.block_scale else {}


class Array(DesignComponent, Block):
    """R x C elements with AXI4-Stream's handshakes, as Amaranth's streams.

    `last` ends a tile in all three streams. The array halts while a row of results waits.

    Output-stationary: a beat of `a` and one of `b` are a step of N products for every element, and
    are taken together. A tile has any number of steps and gives R rows. Where `a` and `b` disagree
    about the last step, the rows of the tile have the flag `mismatch`, and the longer one is dropped
    up to its own last beat.

    Weight-stationary: R beats of `b` are the weights of a tile. Then every beat of `a`, one row of
    R*N products, gives one row; a tile has any number of them. The weights of the next tile may come
    while a tile runs, and a tile starts when its own are complete. Where there are more or less than
    R beats of them, the rows of the tile have the flag `mismatch`: surplus beats are dropped, missing
    weights are those of the tile before. Sums of more than R*N products are added by the user.

    Latency: `latency` cycles, from the last step of a tile to its first row, or from a row of `a` to
    its row. Throughput: R*C*N products every cycle, where tiles have R steps or R rows and more.

    Parameters
    ----------
    design : Design
        An `array`.

    Members
    -------
    a : In(stream.Signature(StructLayout({"data": R*N*W, "last": 1})))
        Row r, lane n at bits (r*N+n)*W of data; weight-stationary: product r*N+n of the row. With `--scale`
        there is `scale: R*S*8` behind data, those of row r at bits r*S*8; of `b` of column c at c*S*8.
    b : In(stream.Signature(StructLayout({"data": C*N*W, "last": 1})))
        Column c, lane n at bits (c*N+n)*W of data; weight-stationary: product i*N+n in beat i.
    c : Out(stream.Signature(StructLayout({"data": C*A, "last": 1, "flags": ROW_FLAGS})))
        One row, column c at bits c*A of data.

    Raises
    ------
    ValueError
        The design is of another kind.
    UserError
        There is a model of the design, but no hardware.

    Examples
    --------
    >>> from lmul.design import make_design
    >>> from lmul.hdl import Array
    >>> array = Array(make_design("array", rows=2, cols=2, lanes=4))
    >>> array.latency, array.products_per_cycle
    (4, 16)
    """

    kind = "array"
    sequential = True
    block_name = "array"

    a: stream.Interface
    b: stream.Interface
    c: stream.Interface

    def __init__(self, design: Design) -> None:
        first, second = (design.lanes * format_.width for format_ in design.formats)
        a = StructLayout({"data": design.rows * first, **_scales(design, design.rows), "last": 1})
        b = StructLayout({"data": design.cols * second, **_scales(design, design.cols), "last": 1})
        c = StructLayout({"data": design.cols * design.output_bits, "last": 1, "flags": ROW_FLAGS})
        streams = {name: stream.Signature(layout) for name, layout in (("a", a), ("b", b), ("c", c))}
        super().__init__(design, {"a": In(streams["a"]), "b": In(streams["b"]), "c": Out(streams["c"])})

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        core = place(m, platform, "core", CORES[self.design.dataflow], self.design)
        m.d.comb += [
            core.a.eq(self._operands(self.a.payload, self.design.rows)),
            core.a_last.eq(self.a.payload.last),
            core.a_valid.eq(self.a.valid),
            self.a.ready.eq(core.a_ready),
            core.b.eq(self._operands(self.b.payload, self.design.cols)),
            core.b_last.eq(self.b.payload.last),
            core.b_valid.eq(self.b.valid),
            self.b.ready.eq(core.b_ready),
        ]
        row = Cat(core.c, core.c_last, core.c_flags, core.c_mismatch)
        m.d.comb += core.en.eq(~core.c_valid | self._register_rows(m, row, core.c_valid))
        return m

    def _operands(self, payload: Any, lines: int) -> Value:
        """Give the operands of a beat, those of each row or column with their scales."""
        if not self.design.block_scale:
            return Value.cast(payload.data)
        codes, own = len(payload.data) // lines, scale_bits(self.design)
        return Cat(
            Cat(payload.data.word_select(line, codes), payload.scale.word_select(line, own))
            for line in range(lines)
        )

    def _register_rows(self, m: Module, row: Value, valid: Value) -> Value:
        """Register the output and its ready: a row that arrives as the sink stops waits in `spare`.

        Returns
        -------
        Value
            Ready for a row.
        """
        row_out = Signal(len(row))
        spare = Signal(len(row), reset_less=True)
        out_valid = Signal()
        spare_valid = Signal()
        advance = Signal()
        load_out = Signal()
        load_spare = Signal()
        m.d.comb += [
            advance.eq(self.c.ready | ~out_valid),
            load_out.eq(advance & (valid | spare_valid)),
            load_spare.eq(~advance & valid & ~spare_valid),
            self.c.valid.eq(out_valid),
            Value.cast(self.c.payload).eq(row_out),
        ]
        m.d.sync += spare_valid.eq(~advance & (valid | spare_valid))
        with m.If(advance):
            m.d.sync += out_valid.eq(valid | spare_valid)
        with m.If(load_out):
            m.d.sync += row_out.eq(Mux(spare_valid, spare, row))
        with m.If(load_spare):
            m.d.sync += spare.eq(row)
        return ~spare_valid
