"""What the cores of both dataflows have in common: ports, waves of operands, aligned results."""

from collections.abc import Sequence
from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.hdl.floating.from_fixed import output_element
from lmul.hdl.framework.flags import output_flags, possible_flags
from lmul.hdl.framework.hierarchy import Block
from lmul.hdl.framework.pipeline import cycles_to_sum, stages_after_sum
from lmul.hdl.multiplier.unrounded import scale_bits, split_nan

Grid = list[list[Value]]


class Systolic(Block):
    """R x C elements through which operands move in waves, all moving when `en` is high.

    Parameters
    ----------
    design : Design
        An `array`.

    Members
    -------
    en : In(1)
        Holds every register when low.
    a : In(R*N*W)
        Lane n of row r at bits (r*N+n)*W; with block scales those of each row above its codes.
    b : In(C*N*W)
        Lane n of column c at bits (c*N+n)*W; so too.
    a_valid, b_valid, a_last, b_last : In(1)
        A beat, and whether it ends a tile.
    a_ready, b_ready : Out(1)
        The beat is taken.
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
    a_valid: Signal
    b_valid: Signal
    a_last: Signal
    b_last: Signal
    a_ready: Signal
    b_ready: Signal
    c: Signal
    c_valid: Signal
    c_last: Signal
    c_mismatch: Signal
    c_flags: Signal

    def __init__(self, design: Design) -> None:
        self._design = design
        self._rows, self._cols = design.rows, design.cols
        self._col_waves = (design.cols - 1) // design.share + 1
        self._mac_cycles = cycles_to_sum(design)
        first, second = design.formats
        own = scale_bits(design)
        self._a_bits, self._b_bits = design.lanes * first.width + own, design.lanes * second.width + own
        super().__init__(
            {
                "en": In(1),
                "a": In(design.rows * self._a_bits),
                "b": In(design.cols * self._b_bits),
                "a_valid": In(1),
                "b_valid": In(1),
                "a_last": In(1),
                "b_last": In(1),
                "a_ready": Out(1),
                "b_ready": Out(1),
                "c": Out(design.cols * design.output_bits),
                "c_valid": Out(1),
                "c_last": Out(1),
                "c_mismatch": Out(1),
                "c_flags": Out(3),
            }
        )

    def _wave_of_column(self, col: int) -> int:
        """Give the cycles by which a column lags behind the first one."""
        return col // self._design.share

    def _control_waves(self, m: Module, step: Value, row_waves: int) -> tuple[Grid, Grid]:
        """Move the control of a step from the first rows to the others, and right along all of them.

        Parameters
        ----------
        m : Module
        step : Value
            Valid in its lowest bit.
        row_waves : int
            Cycles that a step takes to reach all rows.

        Returns
        -------
        load, control : list of list of Value
            By the cycles that rows and columns lag: what lets their operand registers load, and the
            control that belongs to their contents.
        """
        loads: Grid = []
        control: Grid = []
        for row_wave in range(row_waves):
            loads.append([])
            control.append([])
            before = step
            for col_wave in range(self._col_waves):
                load = Signal(name=f"load_wave{row_wave}_{col_wave}")
                m.d.comb += load.eq(self.en & before[0])
                before = self._register(m, before, f"control_wave{row_wave}_{col_wave}", self.en, reset=True)
                loads[-1].append(load)
                control[-1].append(before)
            step = control[-1][0]
        return loads, control

    def _move_right(self, m: Module, row: int, row_wave: int, loads: Grid) -> list[Value]:
        """Give the registers that hold a row's operands, one for each group of columns."""
        codes = self.a.word_select(row, self._a_bits)
        operands = self._enter(m, codes, f"a_r{row}", 0)
        skew = [load[0] for load in loads[:row_wave]]
        skewed = [operands, *self._chain(m, operands, f"a_r{row}_skew", skew)][-1]
        return self._chain(m, skewed, f"a_r{row}_g", loads[row_wave])

    def _enter(self, m: Module, codes: Value, name: str, side: int) -> Value:
        """Give the operands of a row (side 0) or column (side 1) as they go through the array."""
        return split_nan(m, codes, self._design, self._design.formats[side], name)

    def _align_columns(self, m: Module, platform: Any, sums: Sequence[Value], status: Value) -> None:
        """Bring what leaves the columns into its output form, and undo the skew of the columns.

        Parameters
        ----------
        m : Module
        platform
        sums : sequence of Value
            {flags, sum} of each column.
        status : Value
            {mismatch, last, valid} of what leaves the first columns.
        """
        cycles = stages_after_sum(self._design) + self._col_waves - 1
        travelling = [status, *self._chain(m, status, "leaving", [self.en] * cycles, reset=True)]
        m.d.comb += Cat(self.c_valid, self.c_last, self.c_mismatch).eq(travelling[-1])
        loads = [Signal(name=f"load_leaving{cycle}") for cycle in range(cycles)]
        m.d.comb += [load.eq(self.en & state[0]) for load, state in zip(loads, travelling, strict=False)]
        bits = self._design.output_bits
        row_flags: list[Value] = []
        for col, total in enumerate(sums):
            aligned = self._align_column(m, platform, col, total, loads[self._wave_of_column(col) :])
            m.d.comb += self.c.word_select(col, bits).eq(aligned[:bits])
            row_flags.append(aligned[bits:])
        for index, place in enumerate(possible_flags(self._design)):
            m.d.comb += self.c_flags[place].eq(Cat(flags[index] for flags in row_flags).any())

    def _align_column(
        self, m: Module, platform: Any, col: int, total: Value, loads: Sequence[Value]
    ) -> Value:
        """Give the possible flags and the output element of what leaves a column, with the last column's."""
        raw, raw_flags = total[: self._design.accumulator_bits], total[self._design.accumulator_bits :]
        options = {"en": self.en, "raw": raw, "flags": raw_flags}
        element, too_large = output_element(m, platform, f"round_c{col}", self._design, **options)
        after = stages_after_sum(self._design)
        all_flags = output_flags(self._design, raw, raw_flags)
        flags: Value = Cat(all_flags[place] for place in possible_flags(self._design))
        flags = [flags, *self._chain(m, flags, f"flags_c{col}_", loads[:after])][-1]
        if self._design.output_overflows:  # The last of the flags is overflow.
            flags = Cat(flags[:-1], flags[-1] | too_large)
        leaving = Cat(element, flags)
        return [leaving, *self._chain(m, leaving, f"c_c{col}_align", loads[after:])][-1]

    def _chain(
        self, m: Module, value: Value, name: str, loads: Sequence[Value], *, reset: bool = False
    ) -> list[Value]:
        """Give registers that follow one another, each with its own enable."""
        chain: list[Value] = []
        for stage, load in enumerate(loads):
            value = self._register(m, value, f"{name}{stage}", load, reset=reset)
            chain.append(value)
        return chain

    def _register(self, m: Module, value: Value, name: str, load: Value, *, reset: bool = False) -> Value:
        register = Signal(len(value), name=name, reset_less=not reset)
        with m.If(load):
            m.d.sync += register.eq(value)
        return register
