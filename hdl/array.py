"""The output-stationary array: operands travel, sums stay until their tile is complete.

Row r of A enters at the left and moves right, column c of B enters at the bottom and moves up, one
element a cycle. The bottom row starts first, so the top row completes last; then every column
moves its results up, and row 0 leaves first. Row r is at height R-1-r, counted from the bottom.

A step that is taken in cycle t is in the element at height h and column c in cycle t+1+h+c. Tiles
may end every R cycles: the results of one have just left an element when those of the next arrive.
"""

from typing import Any

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.hdl.element import Element
from lmul.hdl.flags import output_flags, possible_flags
from lmul.hdl.hierarchy import Block, place
from lmul.hdl.rounding import output_element

Grid = list[list[Value]]


class Array(Block):
    """R x C elements with skewed operands and aligned results, all moving when `en` is high.

    Latency: row 0 of a tile's result is at the output R+C+1 cycles after the tile's last step was
    taken. Throughput: R*C*N products every cycle, for tiles of R steps or more.

    Parameters
    ----------
    arithmetic : Arithmetic
    rows, cols : int

    Members
    -------
    en : In(1)
        Holds every register when low.
    a : In(R*N*W)
        Row r, lane n at bits (r*N+n)*W.
    b : In(C*N*W)
        Column c, lane n at bits (c*N+n)*W.
    take, last, mismatch : In(1)
        A step; whether it ends a tile, and whether that tile is marked. Two last steps are at
        least R cycles of `en` apart.
    c : Out(C*A)
        One row, column c at bits c*A.
    c_valid, c_last, c_mismatch : Out(1)
        A row is there; it is the last of its tile; its tile is marked.
    c_flags : Out(3)
        {overflow, inf, nan}, over the row.
    """

    block_name = "core"
    sequential = True

    en: Signal
    a: Signal
    b: Signal
    take: Signal
    last: Signal
    mismatch: Signal
    c: Signal
    c_valid: Signal
    c_last: Signal
    c_mismatch: Signal
    c_flags: Signal

    def __init__(self, arithmetic: Arithmetic, rows: int, cols: int) -> None:
        self._arithmetic = arithmetic
        self._rows = rows
        self._cols = cols
        first, second = arithmetic.formats
        self._a_bits, self._b_bits = arithmetic.lanes * first.width, arithmetic.lanes * second.width
        super().__init__(
            {
                "en": In(1),
                "a": In(rows * self._a_bits),
                "b": In(cols * self._b_bits),
                "take": In(1),
                "last": In(1),
                "mismatch": In(1),
                "c": Out(cols * arithmetic.output_bits),
                "c_valid": Out(1),
                "c_last": Out(1),
                "c_mismatch": Out(1),
                "c_flags": Out(3),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        shifts = self._drain(m)
        a, b, control = self._skew_operands(m)
        previous: list[Any] = [None] * self._cols
        for height in range(self._rows):
            row = self._rows - 1 - height
            for col in range(self._cols):
                element = place(m, platform, f"element_r{row}_c{col}", Element, self._arithmetic)
                m.d.comb += [
                    element.en.eq(self.en),
                    element.a.eq(a[row][col]),
                    element.b.eq(b[row][col]),
                    Cat(element.valid, element.first, element.last).eq(control[row][col]),
                    element.shift.eq(shifts[col][height]),
                    element.result_in.eq(previous[col].result if height else 0),
                ]
                previous[col] = element
        self._align_columns(m, platform, [element.result for element in previous])
        return m

    def _skew_operands(self, m: Module) -> tuple[Grid, Grid, Grid]:
        """Give the registers that hold the operands and the control of every element, [row][col]."""
        first = Signal(init=1)
        with m.If(self.en & self.take):
            m.d.sync += first.eq(self.last)
        rows, cols = self._rows, self._cols
        a: Grid = [[] for _ in range(rows)]
        b: Grid = [[] for _ in range(rows)]
        control: Grid = [[] for _ in range(rows)]
        step: Value = Cat(self.take, first, self.last)
        for height in range(rows):
            row = rows - 1 - height
            operands = self.a.word_select(row, self._a_bits)
            skewed = self._delay(m, operands, f"a_r{row}_skew", height)[-1]
            a[row] = self._delay(m, skewed, f"a_r{row}_c", cols)[1:]
            control[row] = self._delay(m, step, f"control_r{row}_c", cols, reset=True)[1:]
            step = control[row][0]
        for col in range(cols):
            operands = self.b.word_select(col, self._b_bits)
            skewed = self._delay(m, operands, f"b_c{col}_skew", col)[-1]
            for height, register in enumerate(self._delay(m, skewed, f"b_c{col}_h", rows)[1:]):
                b[rows - 1 - height].append(register)
        return a, b, control

    def _drain(self, m: Module) -> Grid:
        """Move the results of a complete tile up: give the shift of every element, [col][height].

        An element at height h receives h results from below, so it shifts in the first h cycles.
        """
        rows, cols = self._rows, self._cols
        tile_end = Signal()
        m.d.comb += tile_end.eq(self.take & self.last)
        end = self._delay(m, Cat(tile_end, self.mismatch), "tile_end", rows + 1, reset=True)[-1]
        draining = Signal()
        marked = Signal()
        row = Signal(range(max(rows, 2)))
        at_last_row = Signal()
        m.d.comb += at_last_row.eq(draining & (row == rows - 1))
        with m.If(self.en):
            with m.If(end[0]):
                m.d.sync += [draining.eq(1), row.eq(0), marked.eq(end[1])]
            with m.Elif(at_last_row):
                m.d.sync += draining.eq(0)
            with m.Elif(draining):
                m.d.sync += row.eq(row + 1)
        status = Cat(draining, at_last_row, marked)
        aligned = self._delay(m, status, "drain_c", cols - 1, reset=True)[-1]
        m.d.comb += Cat(self.c_valid, self.c_last, self.c_mismatch).eq(aligned)
        # Nothing moves into the bottom row.
        shift = Signal(rows - 1)
        m.d.comb += [bit.eq(draining & (row < height)) for height, bit in enumerate(shift, 1)]
        columns = self._delay(m, shift, "shift_c", cols - 1, reset=True)
        return [[Const(0, 1), *column] for column in columns]

    def _align_columns(self, m: Module, platform: Any, results: list[Value]) -> None:
        """Round what leaves the top of each column, and undo the skew of the columns."""
        bits = self._arithmetic.accumulator_bits
        places = possible_flags(self._arithmetic)
        row_flags: list[Value] = []
        for col, result in enumerate(results):
            raw, flags = result[:bits], result[bits:]
            element = output_element(m, platform, f"round_c{col}", self._arithmetic, raw=raw, flags=flags)
            delay = self._cols - 1 - col
            all_flags = output_flags(self._arithmetic, raw, flags)
            leaving = Cat(element, *(all_flags[flag] for flag in places))
            aligned = self._delay(m, leaving, f"c_c{col}_align", delay)[-1]
            m.d.comb += self.c.word_select(col, len(element)).eq(aligned[: len(element)])
            row_flags.append(aligned[len(element) :])
        for index, flag in enumerate(places):
            m.d.comb += self.c_flags[flag].eq(Cat(flags[index] for flags in row_flags).any())

    def _delay(self, m: Module, value: Value, name: str, cycles: int, *, reset: bool = False) -> list[Value]:
        """Chain registers: give the value after 0, 1, ... cycles of `en`."""
        chain = [value]
        for stage in range(cycles):
            register = Signal(len(value), name=f"{name}{stage}", reset_less=not reset)
            with m.If(self.en):
                m.d.sync += register.eq(chain[-1])
            chain.append(register)
        return chain
