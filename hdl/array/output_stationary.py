"""The output-stationary core: operands travel, sums stay until their tile is complete.

Row r of A enters at the left and moves right, column c of B enters at the bottom and moves up. An
operand register feeds the S elements beside it, so a wave passes S rows or columns in a cycle. The
bottom row starts first, so the top row completes last; then every column moves its results up, and
row 0 leaves first. Row r is at height R-1-r, counted from the bottom.

A step that is taken in cycle t is in the element at height h and column c in cycle t+1+h//S+c//S.
Tiles may end every R cycles: the results of one have just left an element when those of the next
arrive.
"""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value

from lmul.hdl.array.element import Element
from lmul.hdl.array.systolic import Grid, Systolic
from lmul.hdl.framework.hierarchy import place
from lmul.hdl.framework.pipeline import stages_after_sum


class OutputStationary(Systolic):
    """Take a step of both operands at a time, and give the rows of a tile after its last step.

    A step is taken when both operands are there. A tile ends with the last beat; where the operands
    disagree about it, the tile is marked and the longer one is dropped up to its own end. Of tiles that
    take turns nothing can be dropped, since steps of others come between: such a tile is marked, and so
    are all of its turn until both operands end together again.

    Latency: from a tile's last step to its first row (R-1)//S + (C-1)//S + 3 cycles, and one for each
    register stage in the datapath. Throughput: R*C*N products every cycle, for tiles of R steps or
    more.
    """

    @property
    def latency(self) -> int:
        """Cycles from the last step of a tile to its first row."""
        waves = self._row_wave(self._rows - 1) + self._col_waves - 1
        return waves + self._mac_cycles + stages_after_sum(self._design) + 2

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        step, tile_end = self._join_operands(m)
        loads, control = self._control_waves(m, step, self._row_wave(self._rows - 1) + 1)
        b = [self._move_up(m, col, loads) for col in range(self._cols)]
        shifts, status = self._drain(m, tile_end)
        below: list[Any] = [None] * self._cols
        for height in range(self._rows):
            row = self._rows - 1 - height
            row_wave = self._row_wave(height)
            a = self._move_right(m, row, row_wave, loads)
            for col in range(self._cols):
                col_wave = self._wave_of_column(col)
                element = place(m, platform, f"element_r{row}_c{col}", Element, self._design)
                m.d.comb += [
                    element.en.eq(self.en),
                    element.a.eq(a[col_wave]),
                    element.b.eq(b[col][row_wave]),
                    Cat(element.valid, element.first, element.last).eq(control[row_wave][col_wave]),
                    element.shift.eq(shifts[col_wave][height]),
                    element.result_in.eq(below[col].result if height else 0),
                ]
                below[col] = element
        self._align_columns(m, platform, [element.result for element in below], status)
        return m

    def _row_wave(self, height: int) -> int:
        """Give the cycles by which a row lags behind the bottom one."""
        return height // self._design.share

    def _move_up(self, m: Module, col: int, loads: Grid) -> list[Value]:
        """Give the registers that hold a column's operands, one for each group of rows."""
        col_wave = self._wave_of_column(col)
        operands = self._enter(m, self.b.word_select(col, self._b_bits), f"b_c{col}", 1)
        skewed = [operands, *self._chain(m, operands, f"b_c{col}_skew", loads[0][:col_wave])][-1]
        return self._chain(m, skewed, f"b_c{col}_g", [load[col_wave] for load in loads])

    def _join_operands(self, m: Module) -> tuple[Value, Value]:
        """Take a step when both operands are there.

        Returns
        -------
        step : Value
            {last, first, valid}.
        tile_end : Value
            {mismatch, valid}.
        """
        take = Signal()
        last = Signal()
        mismatch = Signal()
        turns = self._design.interleave
        # Of the turn of this step, and above it of those that come next.
        first = Signal(turns, init=(1 << turns) - 1)
        tile_end = Signal()
        drain_busy = self._drain_busy(m, tile_end)
        with m.If(take):
            m.d.sync += first.eq(Cat(first[1:], last))
        drop_a, drop_b = self._drop(m, take) if turns == 1 else (Const(0, 1), Const(0, 1))
        m.d.comb += [
            last.eq(self.a_last | self.b_last),
            mismatch.eq(self.a_last ^ self.b_last),
            take.eq(self.en & self.a_valid & self.b_valid & ~drop_a & ~drop_b & ~(last & drain_busy)),
            tile_end.eq(take & last),
            self.a_ready.eq(take | drop_a),
            self.b_ready.eq(take | drop_b),
        ]
        return Cat(take, first[0], last), Cat(tile_end, mismatch)

    def _drop(self, m: Module, take: Value) -> tuple[Value, Value]:
        """Tell whether beats of either operand are dropped: its tile is longer than the other's."""
        drop_a = Signal()
        drop_b = Signal()
        with m.If(take):
            m.d.sync += [
                drop_a.eq(self.b_last & ~self.a_last),
                drop_b.eq(self.a_last & ~self.b_last),
            ]
        with m.If(drop_a & self.a_valid & self.a_last):
            m.d.sync += drop_a.eq(0)
        with m.If(drop_b & self.b_valid & self.b_last):
            m.d.sync += drop_b.eq(0)
        return drop_a, drop_b

    def _drain_busy(self, m: Module, tile_end: Value) -> Value:
        """Tell whether the last tile ended less than R cycles ago: its results are in the way."""
        remaining = Signal(range(self._rows))
        drain_busy = Signal()
        m.d.comb += drain_busy.eq(remaining.any())
        with m.If(self.en):
            with m.If(tile_end):
                m.d.sync += remaining.eq(self._rows - 1)
            with m.Elif(drain_busy):
                m.d.sync += remaining.eq(remaining - 1)
        return drain_busy

    def _drain(self, m: Module, tile_end: Value) -> tuple[Grid, Value]:
        """Move the results of a complete tile up.

        An element at height h receives h results from below, so it shifts in the first h cycles.

        Returns
        -------
        shift : list of list of Value
            For each group of columns, that of the element at every height.
        status : Value
            {mismatch, last, valid} of what leaves the first columns.
        """
        rows = self._rows
        cycles = self._row_wave(rows - 1) + 1 + self._mac_cycles
        end = self._chain(m, tile_end, "tile_end", [self.en] * cycles, reset=True)[-1]
        draining = Signal()
        marked = Signal()
        row = Signal(range(max(rows, 2)))
        next_row = Signal(len(row))
        at_last_row = Signal()
        begin = Signal(name="begin_drain")
        m.d.comb += [
            begin.eq(end[0]),
            next_row.eq(row + 1),
            at_last_row.eq(draining & (row == rows - 1)),
        ]
        load = Signal(name="load_drain")
        m.d.comb += load.eq(self.en & (begin | draining))
        with m.If(load):
            m.d.sync += [draining.eq(begin | ~at_last_row), row.eq(Mux(begin, 0, next_row))]
        with m.If(self.en & begin):
            m.d.sync += marked.eq(end[1])
        # Nothing moves into the bottom row.
        shift = Signal(rows - 1)
        m.d.comb += [bit.eq(draining & (row < height)) for height, bit in enumerate(shift, 1)]
        columns = [shift, *self._chain(m, shift, "shift", [self.en] * (self._col_waves - 1), reset=True)]
        return [[Const(0, 1), *column] for column in columns], Cat(draining, at_last_row, marked)
