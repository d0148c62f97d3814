"""One element of the array, of each dataflow."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.hdl.accumulator.table import accumulator, sum_flags
from lmul.hdl.framework.flags import flag_bits
from lmul.hdl.framework.hierarchy import Block, place
from lmul.hdl.framework.pipeline import cycles_to_sum, stages_before_sum
from lmul.hdl.multiplier.unrounded import operand_bits


class Element(Block):
    """Accumulate a sum and keep the previous one until it has left down the column.

    Latency: a complete sum is in the result register two cycles after its last step, one more for
    each register stage before the sum, and one with `--carry save`. Throughput: one step of N
    products every cycle.

    Parameters
    ----------
    design : Design

    Members
    -------
    en : In(1)
        Holds every register when low.
    a, b : In(N*W), or one more
        As `Accumulator` has them.
    valid, first, last : In(1)
        A step, and whether it begins or ends a sum.
    shift : In(1)
        Takes the result of the element below. No sum completes in the same cycle.
    result_in, result : In, Out
        {flags, sum}, from the element below and of this one.
    """

    block_name = "element"
    sequential = True

    en: Signal
    a: Signal
    b: Signal
    valid: Signal
    first: Signal
    last: Signal
    shift: Signal
    result_in: Signal
    result: Signal

    def __init__(self, design: Design) -> None:
        self._design = design
        first, second = operand_bits(design)
        result_bits = design.accumulator_bits + flag_bits(design)
        super().__init__(
            {
                "en": In(1),
                "a": In(first),
                "b": In(second),
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "shift": In(1),
                "result_in": In(result_bits),
                "result": Out(result_bits),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the last step of a sum to the result register."""
        return cycles_to_sum(self._design) + 1

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        mac = place(m, platform, "mac", accumulator(self._design), self._design)
        m.d.comb += [
            mac.en.eq(self.en),
            mac.a.eq(self.a),
            mac.b.eq(self.b),
            mac.valid.eq(self.valid),
            mac.first.eq(self.first),
            mac.last.eq(self.last),
        ]
        result = Signal(len(self.result), reset_less=True)
        load = Signal()
        m.d.comb += [self.result.eq(result), load.eq(self.en & (mac.done | self.shift))]
        with m.If(load):
            m.d.sync += result.eq(Mux(mac.done, Cat(mac.sum, sum_flags(mac, self._design)), self.result_in))
        return m


class WeightElement(Block):
    """Add products with the weights that are kept here to a sum that travels.

    Latency: one cycle, and one for each register stage before the sum. Throughput: one step of N
    products every cycle.

    Parameters
    ----------
    design : Design

    Members
    -------
    en : In(1)
        Holds the sum when low.
    a, b : In(N*W), or one more
        As `Accumulator` has them.
    write : In(1)
        Takes b as the next weights.
    swap : In(1)
        Makes the next weights those in use, from the next cycle.
    valid : In(1)
        A step.
    sum_in, sum : In, Out
        {flags, sum}, from the element above one cycle before the sum of this one, whatever the
        pipeline.
    """

    block_name = "element"
    sequential = True

    en: Signal
    a: Signal
    b: Signal
    write: Signal
    swap: Signal
    valid: Signal
    sum_in: Signal
    sum: Signal

    def __init__(self, design: Design) -> None:
        self._design = design
        self.has_reset = stages_before_sum(design) > 0
        first, second = operand_bits(design)
        sum_bits = design.accumulator_bits + flag_bits(design)
        super().__init__(
            {
                "en": In(1),
                "a": In(first),
                "b": In(second),
                "write": In(1),
                "swap": In(1),
                "valid": In(1),
                "sum_in": In(sum_bits),
                "sum": Out(sum_bits),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the operands of a step to the sum."""
        return cycles_to_sum(self._design)

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        mac = place(m, platform, "mac", accumulator(self._design), self._design)
        weights = Signal(len(self.b), reset_less=True)
        next_weights = Signal(len(self.b), reset_less=True)
        with m.If(self.write):
            m.d.sync += next_weights.eq(self.b)
        with m.If(self.swap):
            m.d.sync += weights.eq(next_weights)
        bits = self._design.accumulator_bits
        m.d.comb += [
            mac.en.eq(self.en),
            mac.a.eq(self.a),
            mac.b.eq(weights),
            mac.valid.eq(self.valid),
            mac.sum_in.eq(self.sum_in[:bits]),
            self.sum.eq(Cat(mac.sum, sum_flags(mac, self._design))),
        ]
        if flag_bits(self._design):
            m.d.comb += mac.flags_in.eq(self.sum_in[bits:])
        return m
