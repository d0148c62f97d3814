"""From a floating-point product to a fixed-point term of a sum."""

from typing import Any

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.hdl.framework.hierarchy import Block, place
from lmul.hdl.multiplier.unrounded import RawProduct, exponent_offset, largest_exponent


def place_align(m: Module, platform: Any, name: str, arithmetic: Arithmetic, product: RawProduct) -> "Align":
    """Place an aligner of a product."""
    align = place(m, platform, name, Align, arithmetic)
    m.d.comb += [
        align.sign.eq(product.sign),
        align.nonzero.eq(product.nonzero),
        align.significand.eq(product.significand),
        align.exponent.eq(product.exponent),
    ]
    return align


class Align(Block):
    """Shift a significand to its weight, and invert it if it is negative. Combinational.

    Bits below the accumulator's last one are cut off. A magnitude that does not fit `fixed` becomes
    the largest that does. An inverted term is one less than the number that it stands for; the
    adders make up for it.

    Parameters
    ----------
    arithmetic : Arithmetic

    Members
    -------
    sign, nonzero : In(1)
    significand : In(M+1), or In(2M+2) for `exact`
    exponent : In(X)
        As `UnroundedProduct` gives them.
    term : Out(T)
        In accumulator LSBs; its sign is `sign`.
    clamped : Out(1)
        The magnitude did not fit; only where there are such products.
    """

    block_name = "align"
    sequential = False

    sign: Signal
    nonzero: Signal
    significand: Signal
    exponent: Signal
    term: Signal
    clamped: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        members: dict[str, Any] = {
            "sign": In(1),
            "nonzero": In(1),
            "significand": In(arithmetic.significand_bits),
            "exponent": In(largest_exponent(arithmetic).bit_length()),
            "term": Out(arithmetic.term_bits),
        }
        super().__init__(members | ({"clamped": Out(1)} if arithmetic.clamps else {}))

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        bits = len(self.term)
        # At this exponent the significand counts accumulator LSBs.
        unit = exponent_offset(self._arithmetic) + self._arithmetic.lsb_exponent
        whole = self._shift(m, unit)
        zeros = min(max(-unit, 0), bits)
        placed = Signal(bits - zeros)
        m.d.comb += placed.eq(whole[zeros:bits])
        magnitude: Value = Cat(Const(0, zeros), placed)
        if self._arithmetic.clamps:
            m.d.comb += self.clamped.eq(whole[bits:].any())
            magnitude |= self.clamped.replicate(bits)
        m.d.comb += self.term.eq(magnitude ^ self.sign.replicate(bits))
        return m

    def _shift(self, m: Module, unit: int) -> Value:
        """Shift the significand left by the exponent less `unit`, and drop what is behind the point."""
        bits = len(self.term)
        if 1 << len(self.exponent) > 4 * (bits + len(self.significand)):
            return shift_within(m, self.significand, self.nonzero, self.exponent, unit, bits)
        top = len(self.significand) + largest_exponent(self._arithmetic)
        kept = slice(max(unit, 0), top if self._arithmetic.clamps else max(unit, 0) + bits)
        # A shifter up to the significand's own width, where bits overlap; beyond, places exclude each other.
        low = min((len(self.significand) - 1).bit_length(), len(self.exponent))
        shifted = Signal(len(self.significand) + (1 << low) - 1)
        m.d.comb += shifted.eq(self.significand << self.exponent[:low])
        return Cat(Const(0, max(-unit, 0)), self._place(m, shifted, low, kept))

    def _place(self, m: Module, value: Value, low: int, kept: slice) -> Value:
        """Put a value at the place that the upper bits of the exponent select, among those that are kept."""
        upper = self.exponent[low:]
        step = 1 << low
        # A value is shorter than two steps: every other place fits beside each other into one word.
        words: list[list[Value]] = [[], []]
        for number in range(1 << len(upper)):
            first = number * step
            start, stop = max(first, kept.start), min(first + len(value), kept.stop)
            if start >= stop:
                continue
            select = Signal(name=f"place_{number}")
            here = upper == number if number else ~upper.any()
            placed = Signal(stop - start, name=f"at_{number}")
            m.d.comb += [
                select.eq(here & self.nonzero),
                placed.eq(value[start - first : stop - first] & select.replicate(stop - start)),
            ]
            word = words[number % 2]
            word += [Const(0, start - kept.start - len(Cat(*word))), placed]
        whole = Signal(kept.stop - kept.start, name="whole")
        m.d.comb += whole.eq(Cat(*words[0]) | Cat(*words[1]))
        return whole


def shift_within(
    m: Module, significand: Value, nonzero: Value, exponent: Value, unit: int, bits: int, prefix: str = ""
) -> Value:
    """Shift a significand left by an exponent less `unit`, by a shifter for what is kept alone.

    Parameters
    ----------
    m : Module
    significand, nonzero, exponent : Value
    unit : int
        The exponent at which the significand counts units of the result.
    bits : int
        Of the result that are kept.
    prefix : str
        Of the signals' names.

    Returns
    -------
    Value
        The bits, and above them those of a significand that begins inside; the last one if it begins above.
    """
    width = len(significand)
    last = unit + bits - 1
    distance = Signal(range(last - (1 << len(exponent)), last + 1), name=f"{prefix}distance")
    above = Signal(name=f"{prefix}above")
    reaches = Signal(name=f"{prefix}reaches")
    near = Signal(width, name=f"{prefix}near")
    shifted = Signal(bits + width - 1, name=f"{prefix}shifted")
    places = distance[: (bits + width - 2).bit_length()]
    m.d.comb += [
        # From the last exponent at which the significand begins inside.
        distance.eq(last - exponent),
        above.eq(distance[-1] & nonzero),
        reaches.eq(nonzero & ~distance[len(places) :].any()),
        near.eq(significand & reaches.replicate(width)),
        shifted.eq(Cat(Const(0, bits - 1), near) >> places),
    ]
    return Cat(shifted, above)
