"""From an unrounded product to a number of a floating-point accumulator."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.golden.accumulators import Floating
from lmul.hdl.floating.rounding import limit, round_field, select_special
from lmul.hdl.framework.flags import has_special
from lmul.hdl.framework.hierarchy import Block
from lmul.hdl.multiplier.unrounded import exponent_offset, largest_exponent
from lmul.hdl.primitives.shift import shift_right_sticky


class FloatTerm(Block):
    """Round an unrounded product to the accumulator's format, to nearest even. Combinational.

    Parameters
    ----------
    arithmetic : Arithmetic
        With a floating-point accumulator.

    Members
    -------
    sign, nonzero : In(1)
    inf, nan : In(1)
        Only for formats that have them.
    significand : In(M+1), or In(2M+2) for `exact`
    exponent : In(X)
        As `UnroundedProduct` gives them.
    term : Out(A)
    """

    block_name = "term"
    sequential = False

    sign: Signal
    nonzero: Signal
    inf: Signal
    nan: Signal
    significand: Signal
    exponent: Signal
    term: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        self._format = Floating.FORMATS[arithmetic.acc]
        self._specials = [name for name in ("inf", "nan") if has_special(name, arithmetic)]
        members: dict[str, Any] = {
            "sign": In(1),
            "nonzero": In(1),
            "significand": In(arithmetic.significand_bits),
            "exponent": In(largest_exponent(arithmetic).bit_length()),
            "term": Out(self._format.width),
        }
        super().__init__(members | {name: In(1) for name in self._specials})

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        format_ = self._format
        significand, exponent = self._rebias(m)
        smallest = Signal()
        distance = Signal(len(exponent))
        biased = Signal(len(exponent))
        below = Signal(len(exponent))
        m.d.comb += [
            smallest.eq(exponent[-1] | ~exponent.any()),
            below.eq(1 - exponent),
            distance.eq(Mux(smallest, below, 0)),
            biased.eq(Mux(smallest, 1, exponent)),
        ]
        shifted = shift_right_sticky(m, significand, distance, "shifted")
        field: Value = limit(m, round_field(m, shifted, biased, format_), format_)
        field &= self.nonzero.replicate(len(field))
        inf, nan = (getattr(self, n) if n in self._specials else Const(0, 1) for n in ("inf", "nan"))
        special = {"nan": nan, "inf": inf, "negative": self.sign}
        m.d.comb += self.term.eq(select_special(field, self.sign, **special, format_=format_))
        return m

    def _rebias(self, m: Module) -> tuple[Value, Signal]:
        """Bring the leading one to the top, and the exponent to the accumulator's bias, signed."""
        bits = len(self.significand)
        significand = Signal(bits, name="normalised")
        at_least_two = self.significand[-1]
        step: Value = Const(0, 1)
        if self._arithmetic.mul == "exact":
            step = ~at_least_two
            m.d.comb += significand.eq(Mux(at_least_two, self.significand, self.significand << 1))
        else:
            m.d.comb += significand.eq(self.significand)
        # Zeros on the right, so that there is something to round off.
        padding = max(0, self._format.mantissa_bits + 3 - bits)
        bias = self._format.bias + bits - 1 - exponent_offset(self._arithmetic)
        reach = (1 << len(self.exponent)) + abs(bias) + 1
        exponent = Signal(range(-reach, reach), name="rebiased")
        m.d.comb += exponent.eq(self.exponent + bias - step)
        return Cat(Const(0, padding), significand), exponent
