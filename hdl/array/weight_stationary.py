"""The weight-stationary core: weights stay, rows of A and partial sums travel.

The element in row r and column c holds the N weights of column c for the products k = r*N to r*N+N-1.
A row of A enters at the left, N products for each row of elements, and moves right; an operand
register feeds the S elements beside it. Sums start from zero in row 0 and move down a row a cycle,
so they grow in the order of k.

A row of A that is taken in cycle t is in the element at row r and column c in cycle t+1+r+c//S. The
weights of the next tile enter while a tile runs and wait beside those in use; the first row of A of
that tile exchanges them wherever it comes. Weights of column c enter c//S cycles after those of
column 0, as rows of A do: those of the next tile may enter from the cycle in which a tile starts.
"""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value

from lmul.hdl.array.element import WeightElement
from lmul.hdl.array.systolic import Grid, Systolic
from lmul.hdl.framework.hierarchy import place
from lmul.hdl.framework.pipeline import stages_after_sum


class WeightStationary(Systolic):
    """Take the weights of a tile, then any number of rows of A, and give a row for each.

    A tile of `b` is R beats, beat i with the weights of row i: products k = i*N to i*N+N-1. A tile of
    `a` is M rows of R*N products, k at bits k*W; M is at least 1. A row of `c` follows for every row
    of `a`. Sums of more products than R*N are cut into tiles whose results the user adds.

    A tile of `a` starts when its weights are complete. Where a tile of `b` is shorter or longer than
    R beats, the rows of its tile are marked: the missing weights are those of the tile before, the
    surplus beats are dropped.

    Latency: from a row of `a` to its row of `c` R + (C-1)//S + 1 cycles, and one for each register
    stage in the datapath. Throughput: R*C*N products every cycle, for tiles of R rows or more.
    """

    @property
    def latency(self) -> int:
        """Cycles from a row of `a` to its row of `c`."""
        waves = self._rows + self._col_waves - 1
        return waves + self._mac_cycles + stages_after_sum(self._design)

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        take = Signal()
        start = Signal()
        write, loaded, marked = self._take_weights(m, start)
        status = self._take_rows(m, take, start, loaded, marked)
        loads, valid = self._control_waves(m, take, self._rows)
        swaps = self._swaps(m, start, loads)
        b, writes = self._move_weights(m, write)
        above: list[Any] = [None] * self._cols
        for row in range(self._rows):
            a = self._move_right(m, row, row, loads)
            for col in range(self._cols):
                wave = self._wave_of_column(col)
                element = place(m, platform, f"element_r{row}_c{col}", WeightElement, self._design)
                m.d.comb += [
                    element.en.eq(self.en),
                    element.a.eq(a[wave]),
                    element.b.eq(b[col]),
                    element.write.eq(writes[row][wave]),
                    element.swap.eq(swaps[row][wave]),
                    element.valid.eq(valid[row][wave]),
                    element.sum_in.eq(above[col].sum if row else 0),
                ]
                above[col] = element
        self._align_columns(m, platform, [element.sum for element in above], status)
        return m

    def _take_rows(self, m: Module, take: Signal, start: Signal, loaded: Value, marked: Value) -> Value:
        """Take rows of A, the first one of a tile when its weights are complete.

        Returns
        -------
        Value
            {mismatch, last, valid} of what leaves the first column.
        """
        first = Signal(init=1)
        mismatch = Signal()
        tile_marked = Signal()
        m.d.comb += [
            take.eq(self.en & self.a_valid & (loaded | ~first)),
            start.eq(take & first),
            self.a_ready.eq(take),
            mismatch.eq(Mux(first, marked, tile_marked)),
        ]
        with m.If(take):
            m.d.sync += [first.eq(self.a_last), tile_marked.eq(mismatch)]
        status = Cat(take, self.a_last, mismatch)
        cycles = self._rows + self._mac_cycles
        return self._chain(m, status, "status", [self.en] * cycles, reset=True)[-1]

    def _take_weights(self, m: Module, start: Value) -> tuple[Value, Value, Value]:
        """Take the weights of the next tile, from the cycle in which a tile starts.

        Returns
        -------
        write : Value
            {row, valid} of the beat.
        loaded : Value
            The weights of the next tile are complete.
        marked : Value
            They were not as many as they should be.
        """
        row = Signal(range(max(self._rows, 2)))
        at_last_row = Signal()
        write = Signal()
        complete = Signal()
        loaded = Signal()
        marked = Signal(reset_less=True)
        drop = Signal()
        m.d.comb += [
            at_last_row.eq(row == self._rows - 1),
            write.eq(self.en & self.b_valid & ~drop & (start | ~loaded)),
            complete.eq(write & (self.b_last | at_last_row)),
            self.b_ready.eq(write | drop),
        ]
        with m.If(write):
            m.d.sync += row.eq(Mux(complete, 0, row + 1))
        with m.If(complete):
            m.d.sync += [loaded.eq(1), marked.eq(~self.b_last | ~at_last_row), drop.eq(~self.b_last)]
        with m.Elif(start):
            m.d.sync += loaded.eq(0)
        with m.If(drop & self.b_valid & self.b_last):
            m.d.sync += drop.eq(0)
        return Cat(write, row), loaded, marked

    def _swaps(self, m: Module, start: Value, loads: Grid) -> Grid:
        """Tell elements that the operands which they load are the first ones of a tile."""
        swaps: Grid = []
        for row in range(self._rows):
            below = row < self._rows - 1
            registers = max(self._col_waves - 1, int(below))
            starts = [start, *self._chain(m, start, f"start_r{row}_c", [self.en] * registers)]
            swaps.append([])
            for wave, load in enumerate(loads[row]):
                swap = Signal(name=f"swap_r{row}_c{wave}")
                m.d.comb += swap.eq(load & starts[wave])
                swaps[-1].append(swap)
            start = starts[int(below)]
        return swaps

    def _move_weights(self, m: Module, write: Value) -> tuple[list[Value], Grid]:
        """Move beats of `b` right, as rows of A do.

        Returns
        -------
        b : list of Value
            For each column, the weights that enter it.
        writes : list of list of Value
            For each row and each group of columns, whether they are that row's.
        """
        waves = self._col_waves
        beats = [write, *self._chain(m, write, "write_c", [self.en] * (waves - 1), reset=True)]
        loads = [Signal(name=f"load_b{wave}") for wave in range(waves - 1)]
        m.d.comb += [load.eq(self.en & beat[0]) for load, beat in zip(loads, beats, strict=False)]
        b = []
        for col in range(self._cols):
            weights = self._enter(m, self.b.word_select(col, self._b_bits), f"b_c{col}", 1)
            skew = loads[: self._wave_of_column(col)]
            b.append([weights, *self._chain(m, weights, f"b_c{col}_skew", skew)][-1])
        writes: Grid = []
        for row in range(self._rows):
            writes.append([])
            for wave, beat in enumerate(beats):
                write_row = Signal(name=f"write_r{row}_c{wave}")
                of_row = beat[1:] == row if row else ~beat[1:].any()
                m.d.comb += write_row.eq(self.en & beat[0] & of_row)
                writes[-1].append(write_row)
        return b, writes
