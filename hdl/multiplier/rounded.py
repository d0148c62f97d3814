"""The multiplier whose result has its operands' format."""

from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from operator import and_
from types import SimpleNamespace
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.hdl.framework.hierarchy import Block
from lmul.hdl.framework.pipeline import Pipeline
from lmul.hdl.multiplier.correction import correction
from lmul.hdl.multiplier.operand import Operand, operand_offset
from lmul.hdl.primitives.shift import shift_right_sticky

CUTS = (
    (),
    ("sum",),
    ("sum", "result"),
    ("input", "sum", "result"),
    ("input", "sum", "field", "result"),
)
"""Where the registers of a pipeline are, by its number of stages."""

RESET = ("sign", "nan", "special", "nonzero")
"""Registers that a reset clears: the product is +0 then."""


@dataclass(frozen=True)
class _Case:
    """A special result: when it is, and the bits of the code that it sets and clears."""

    flag: Value
    sets: int = 0
    clears: int = 0


class MultiplierBlock(Block):
    """Multiply into the operands' format.

    Latency: `design.pipeline` cycles, 0 for a combinational multiplier. Throughput: one product every
    cycle. A pipeline gives +0 once `rst` was high for as many cycles.

    Parameters
    ----------
    design : Design

    Members
    -------
    a, b : In(W)
    p : Out(W)
    """

    block_name = "mul"

    a: Signal
    b: Signal
    p: Signal

    def __init__(self, design: Design) -> None:
        self._arithmetic = design
        self._format = design.format
        self._cuts = CUTS[design.pipeline]
        self.sequential = design.pipeline > 0
        width = design.format.width
        super().__init__({"a": In(width), "b": In(width), "p": Out(width)})

    @property
    def latency(self) -> int:
        """Cycles from the operands to their product."""
        return self._arithmetic.pipeline

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        pipeline = Pipeline(m, self._cuts, RESET)
        codes = pipeline.cut("input", a=self.a, b=self.b)
        x = Operand(m, codes.a, self._format, self._arithmetic.subnormals, "a")
        y = Operand(m, codes.b, self._format, self._arithmetic.subnormals, "b")
        exact, flush = self._arithmetic.mul == "exact", self._arithmetic.subnormals == "flush"
        combine = self._multiply_significands if exact else self._add_fields
        total = pipeline.cut("sum", **_classify(m, x, y), **combine(m, x, y))
        if flush:
            field = self._round(m, total) if exact else self._correct(m, total)
        else:
            field = self._round_to_grid(m, total, *(self._normalise if exact else self._extend)(m, total))
        classes = {"sign": total.sign, "special": total.special, "nan": total.nan}
        code = self._select(pipeline.cut("field", **classes, **field))
        if "result" in self._cuts:
            # A signal of its own, since the parts of the code would make one long line.
            selected = Signal(len(self.p) - 1)
            m.d.comb += selected.eq(code[:-1])
            code = Cat(selected, code[-1])
        m.d.comb += self.p.eq(pipeline.cut("result", code=code).code)
        return m

    @property
    def _late_constant(self) -> int:
        """What is left to add to the sum of the fields: the constants that are no carry into the last bit."""
        return self._arithmetic.mul_constant if self._arithmetic.mul_constant > 1 else 0

    def _add_fields(self, m: Module, x: Operand, y: Operand) -> dict[str, Value]:
        """Add exponents and mantissas as one number, and what corrects it but for a late constant."""
        field_sum = Signal(self._format.mantissa_bits + len(x.exponent) + 1)
        total = Cat(x.mantissa, x.exponent) + Cat(y.mantissa, y.exponent)
        constant = 0 if self._late_constant else self._arithmetic.mul_constant
        added = correction(m, x.mantissa, y.mantissa, self._arithmetic, constant)
        if not self._late_constant or not isinstance(added, Const):
            total += added
        m.d.comb += field_sum.eq(total)
        return {"field_sum": field_sum}

    def _multiply_significands(self, m: Module, x: Operand, y: Operand) -> dict[str, Value]:
        """Multiply the significands and add the exponents."""
        product = Signal(2 * self._format.mantissa_bits + 2)
        m.d.comb += product.eq(Cat(x.mantissa, 1) * Cat(y.mantissa, 1))
        return {"product": product, "exponent_sum": x.exponent + y.exponent}

    def _correct(self, m: Module, total: SimpleNamespace) -> dict[str, Value]:
        """Add the constant to a sum of fields and take the bias off its exponent."""
        bits = self._format.mantissa_bits
        if not self._late_constant:
            return self._unbias(m, total, total.field_sum[:bits], total.field_sum[bits:])
        # Taking the bias off is adding one, since it is one less than a power of two: one constant will do.
        field = Signal(len(total.field_sum), name="biased_field")
        m.d.comb += field.eq(total.field_sum + (self._late_constant + (1 << bits)))
        exponent = field[bits:]
        top, second, low = exponent[-1], exponent[-2], exponent[:-2]
        overflow = Signal()
        normal = Signal()
        m.d.comb += [
            overflow.eq(self._of_nonzero(total, top & (second | low.all()))),
            normal.eq(top | (second & low.any())),
        ]
        return {"field": Cat(field[:-2], top), "overflow": overflow, "nonzero": total.nonzero & normal}

    def _round(self, m: Module, total: SimpleNamespace) -> dict[str, Value]:
        """Round a product to nearest even and take the bias off its exponent."""
        bits = self._format.mantissa_bits
        # Half a unit in the last place, which is twice as large for a product of 2 or more.
        half = Const(1 << (bits - 1), bits)
        rounded = Signal(len(total.product))
        mantissa = Signal(bits)
        exponent = Signal(self._format.exponent_bits + 1)
        at_least_two = rounded[-1]
        m.d.comb += [
            rounded.eq(total.product + half + Cat(Const(0, bits - 1), total.product[-1])),
            mantissa.eq(
                Mux(at_least_two, _even_if_tie(rounded[:-1], bits), _even_if_tie(rounded[:-2], bits))
            ),
            exponent.eq(total.exponent_sum + at_least_two),
        ]
        return self._unbias(m, total, mantissa, exponent)

    def _unbias(
        self, m: Module, total: SimpleNamespace, mantissa: Value, exponent: Value
    ) -> dict[str, Value]:
        """Take the bias off an exponent, and see what does not fit."""
        top, second, low = exponent[-1], exponent[-2], exponent[:-2]
        # The bias is one less than a power of two: taking it off a larger sum is adding one.
        unbiased = Cat(*(bit ^ low[:index].all() for index, bit in enumerate(low)), low.all() | top)
        above = {
            "ieee": low[1:].all(),
            "fn": low[1:].all() & (low[0] | mantissa.all()),
            "finite": low.all(),
        }[self._format.specials]
        overflow = Signal()
        normal = Signal()
        m.d.comb += [
            overflow.eq(self._of_nonzero(total, top & (second | above))),
            normal.eq(top | second),
        ]
        return {"field": Cat(mantissa, unbiased), "overflow": overflow, "nonzero": total.nonzero & normal}

    def _of_nonzero(self, total: SimpleNamespace, too_large: Value) -> Value:
        """Leave out zeros: with two exponent bits, or in a reset, the sum of fields can look too large.

        A reset clears `nonzero`, but leaves what the fields add up to.
        """
        masked = self._format.exponent_bits == 2 or self._cuts
        return too_large & total.nonzero if masked else too_large

    def _is_special(self, field: Value) -> Value:
        """Tell whether a field stands for infinity or NaN."""
        exponent = field[self._format.mantissa_bits :]
        return {"ieee": exponent.all(), "fn": field.all(), "finite": Const(0, 1)}[self._format.specials]

    def _extend(self, m: Module, total: SimpleNamespace) -> tuple[Value, Value]:
        """Give a sum of fields room for the bits that the subnormal grid cuts off."""
        bits = self._format.mantissa_bits
        field = Signal(len(total.field_sum) + 1, name="biased_field")
        m.d.comb += field.eq(total.field_sum + self._late_constant)
        return Cat(Const(0, 2), field[:bits], 1), field[bits:]

    def _normalise(self, m: Module, total: SimpleNamespace) -> tuple[Value, Value]:
        """Shift the leading one of a product to the top."""
        at_least_two = total.product[-1]
        significand = Signal(len(total.product))
        exponent = Signal(len(total.exponent_sum) + 1)
        m.d.comb += [
            significand.eq(Mux(at_least_two, total.product, total.product << 1)),
            exponent.eq(total.exponent_sum + at_least_two),
        ]
        return significand, exponent

    def _round_to_grid(
        self, m: Module, total: SimpleNamespace, significand: Value, exponent_sum: Value
    ) -> dict[str, Value]:
        """Shift what is below the smallest normal number down to its exponent, and round to nearest even."""
        bits = self._format.mantissa_bits
        offset = 2 * operand_offset(self._format, "full") - self._format.bias
        biased_exponent = Signal(self._format.exponent_bits + 1)
        subnormal = Signal()
        places = Signal(range(bits + 3))
        distance = Signal(len(places))
        m.d.comb += [
            biased_exponent.eq(exponent_sum - offset),
            subnormal.eq(exponent_sum <= offset),
            places.eq(offset + 1 - exponent_sum),
            # What is shifted by M + 2 places, or more, becomes zero.
            distance.eq(
                Mux(exponent_sum < offset - bits, bits + 2, places & subnormal.replicate(len(places)))
            ),
        ]
        shifted = shift_right_sticky(m, significand, distance, "shifted")
        rest = len(shifted) - 1 - bits
        round_up = Signal()
        field = Signal(self._format.width)
        overflow = Signal()
        m.d.comb += [
            round_up.eq(shifted[rest - 1] & (shifted[rest] | shifted[: rest - 1].any())),
            # A mantissa that rounds up to 2 carries into the exponent, which is what it should do.
            field.eq(Cat(shifted[rest:-1], Mux(subnormal, 0, biased_exponent)) + round_up),
            overflow.eq((field[-1] | self._is_special(field[:-1])) & total.nonzero),
        ]
        return {"field": field[:-1], "overflow": overflow, "nonzero": total.nonzero}

    def _select(self, s: SimpleNamespace) -> Value:
        """Choose between the field and the special results, bit by bit."""
        code = Cat(s.field, s.sign)
        cases = self._cases(s)
        parts: list[Value] = []
        start = 0
        for (clearing, setting), run in groupby(range(len(code)), lambda bit: _acting(cases, bit)):
            end = start + len(list(run))
            bits = code[start:end]
            if clearing:
                kept = reduce(and_, (~cases[index].flag for index in clearing))
                bits &= kept.replicate(len(bits))
            for index in setting:
                bits |= cases[index].flag.replicate(len(bits))
            parts.append(bits)
            start = end
        return Cat(*parts)

    def _cases(self, s: SimpleNamespace) -> list[_Case]:
        """Give the results that are not the field. A bit that a case sets is set, whatever else."""
        format_ = self._format
        cases = [_Case(~s.nonzero, clears=format_.magnitude_mask)]
        infinite, nan = s.special, s.nan
        if self._arithmetic.overflow == "saturate" or format_.specials == "finite":
            largest = format_.largest_finite
            # A sum of fields that is too large has the top bit.
            kept = format_.sign_mask >> 1 if self._arithmetic.subnormals == "flush" else 0
            cases.append(_Case(s.overflow & ~infinite, largest - kept, format_.magnitude_mask - largest))
        elif format_.specials == "fn":
            nan = nan | s.overflow
        else:
            infinite = infinite | s.overflow
        if format_.infinity is not None:
            cases.append(_Case(infinite, format_.infinity, format_.mantissa_mask))
        if format_.nan is not None:
            # A NaN of an IEEE format has the infinity's bits set already.
            cases.append(_Case(nan, format_.nan - (format_.infinity or 0), format_.sign_mask))
        return cases


def _acting(cases: list[_Case], bit: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the indices of the cases that clear a bit, and of those that set it."""
    clearing = tuple(index for index, case in enumerate(cases) if case.clears >> bit & 1)
    return clearing, tuple(index for index, case in enumerate(cases) if case.sets >> bit & 1)


def _classify(m: Module, x: Operand, y: Operand) -> dict[str, Value]:
    """Give the sign and the class of a product, as far as they follow from those of the operands."""
    nonzero = Signal()
    special = Signal()
    nan = Signal()
    m.d.comb += [
        nonzero.eq(x.nonzero & y.nonzero),
        special.eq(x.special | y.special),
        nan.eq(x.nan | y.nan | (special & ~nonzero)),
    ]
    return {"sign": x.sign ^ y.sign, "nonzero": nonzero, "special": special, "nan": nan}


def _even_if_tie(value: Value, bits: int) -> Value:
    """Give the top bits of a value to which half a unit was added: a remainder of zero was a tie."""
    rest = len(value) - bits
    return Cat(value[rest] & value[:rest].any(), value[rest + 1 :])
