"""The N-lane dot product as a design of its own, and behind AXI4-Stream ports."""

from typing import Any

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.golden import FP32
from lmul.hdl.accumulator.table import accumulator, sum_flags
from lmul.hdl.floating.from_fixed import output_element
from lmul.hdl.framework.flags import FLAGS, output_flags
from lmul.hdl.framework.hierarchy import Block, place
from lmul.hdl.framework.pipeline import Pipeline, cycles_to_sum, stages_after_sum, sum_cuts
from lmul.hdl.multiplier.unrounded import scale_bits


class DotProductBlock(Block):
    """Dot products of any length, N lanes at a time. Valid-only: there is no backpressure.

    Latency: one cycle from the last step to a result that is the accumulator itself, two to any
    other, and one more for each register stage between. Throughput: one step every cycle.

    Parameters
    ----------
    design : Design

    Members
    -------
    en : In(1)
        Holds every register when low. Only where there is a sink to wait for.
    a, b : In(N*W)
        Lane n at bits n*W to (n+1)*W - 1, W of each operand's format.
    a_scale, b_scale : In(8*S)
        In every step the scales of its blocks, block s at bits s*8. Only with `--scale`.
    in_valid, in_first, in_last : In(1)
        A step, and whether it begins or ends a dot product.
    c_in : In(32)
        With in_first: the sum to begin with, a code of fp32. Only with `--addend`.
    c : Out(A)
        The result while c_valid is high, anything else otherwise.
    c_valid : Out(1)
    c_flags : Out(3)
        {overflow, inf, nan}.
    """

    block_name = "dot"
    sequential = True

    en: Signal
    a: Signal
    b: Signal
    a_scale: Signal
    b_scale: Signal
    in_valid: Signal
    in_first: Signal
    in_last: Signal
    c_in: Signal
    c: Signal
    c_valid: Signal
    c_flags: Signal

    def __init__(self, design: Design) -> None:
        self._design = design
        first, second = design.formats
        members: dict[str, wiring.Member] = {"en": In(1)} if design.stream else {}
        members |= {
            "a": In(design.lanes * first.width),
            "b": In(design.lanes * second.width),
            **({f"{side}_scale": In(scale_bits(design)) for side in "ab"} if design.block_scale else {}),
            "in_valid": In(1),
            "in_first": In(1),
            "in_last": In(1),
            **({"c_in": In(FP32.width)} if design.addend else {}),
            "c": Out(design.output_bits),
            "c_valid": Out(1),
            "c_flags": Out(3),
        }
        super().__init__(members)
        self._enable: Value = self.en if design.stream else Const(1, 1)

    @property
    def latency(self) -> int:
        """Cycles from the last step of a dot product to its result."""
        return cycles_to_sum(self._design) + stages_after_sum(self._design) + self._design.converts

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        mac = place(m, platform, "mac", accumulator(self._design), self._design)
        mac_flags = sum_flags(mac, self._design)
        m.d.comb += [
            mac.en.eq(self._enable),
            mac.a.eq(self._operands(self.a, "a_scale")),
            mac.b.eq(self._operands(self.b, "b_scale")),
            mac.valid.eq(self.in_valid),
            mac.first.eq(self.in_first),
            mac.last.eq(self.in_last),
        ]
        if self._design.addend:
            m.d.comb += mac.addend.eq(self.c_in)
        found = dict(zip(FLAGS, output_flags(self._design, mac.sum, mac_flags), strict=True))
        result = {"c": mac.sum, "valid": mac.done} | found
        if self._design.converts:
            result = self._convert(m, platform, mac_flags, result)
        m.d.comb += [
            self.c.eq(result["c"]),
            self.c_valid.eq(result["valid"]),
            self.c_flags.eq(Cat(result[name] for name in FLAGS)),
        ]
        return m

    def _operands(self, codes: Value, scale: str) -> Value:
        """Give the operands of a step with their scales, where they have any."""
        return Cat(codes, getattr(self, scale)) if self._design.block_scale else codes

    def _convert(
        self, m: Module, platform: Any, mac_flags: Value, complete: dict[str, Value]
    ) -> dict[str, Value]:
        """Bring complete sums into another form, in a register."""
        # Partial sums are kept away from this logic, which would follow every one of them.
        raw = Signal(self._design.accumulator_bits, name="complete_sum")
        m.d.comb += raw.eq(complete.pop("c") & complete["valid"].replicate(len(raw)))
        operands = {"raw": raw, "flags": mac_flags, "en": self._enable}
        element, too_large = output_element(m, platform, "round", self._design, **operands)
        pipeline = Pipeline(m, sum_cuts(self._design), ("valid",), self._enable)
        for point in ("magnitude", "normalised"):
            complete = vars(pipeline.cut(point, **complete))
        complete["overflow"] = complete["overflow"] | too_large
        result = Pipeline(m, ("result",), ("valid", "c", *FLAGS), self._enable)
        return vars(result.cut("result", c=element, **complete))
