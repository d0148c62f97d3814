"""The multiply-accumulate of N lanes into an fp32 number, all of a step's products added at once."""

from dataclasses import dataclass, replace
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.golden import FP32
from lmul.hdl.accumulator.base import Accumulator
from lmul.hdl.framework.hierarchy import Block, place
from lmul.hdl.framework.pipeline import Pipeline
from lmul.hdl.multiplier.unrounded import RawProduct, exponent_offset, largest_exponent
from lmul.hdl.primitives.adder import sum_and_next
from lmul.hdl.primitives.compressor import compress, count_ones
from lmul.hdl.primitives.leading_zeros import leading_zeros
from lmul.hdl.primitives.maximum import maximum
from lmul.hdl.primitives.rounding import rounds_up
from lmul.hdl.primitives.shift import normalise, shift_right


@dataclass(frozen=True)
class Scale:
    """How exponents and significands of a fused sum are counted.

    Parameters
    ----------
    design : Design
        With a fused accumulator.
    """

    design: Design

    @property
    def product_bias(self) -> int:
        """What `UnroundedProduct` adds to the exponent of a product."""
        return exponent_offset(self.design) - self.design.fraction_bits

    @property
    def bias(self) -> int:
        """What is added to every exponent, so that none is negative."""
        return max(self.product_bias, FP32.bias)

    @property
    def rebias(self) -> int:
        """What is added to the exponent of a product to count it as the others."""
        return self.bias - self.product_bias

    @property
    def behind(self) -> int:
        """Places of a term behind those of a significand."""
        return self.design.fused.fraction_bits - self.design.fraction_bits

    @property
    def largest(self) -> int:
        """The largest exponent of a product."""
        return largest_exponent(self.design) + self.rebias

    @property
    def harmless(self) -> int:
        """A sum aligned to this exponent loses no bit: all terms are multiples of the least product bit."""
        if self.design.addend:  # It may have any bits.
            return 0
        return self.design.product_lsb_exponent + self.design.fused.fraction_bits + self.bias

    @property
    def bits(self) -> int:
        """Of an exponent with that bias."""
        products = self.largest
        running = (1 << FP32.exponent_bits) - 2 + self.bias - FP32.bias
        return max(products, running).bit_length()

    @property
    def least(self) -> int:
        """The exponent, with that bias, that a sum is aligned to at least."""
        return self.design.fused.floor + self.bias

    @property
    def has_subnormals(self) -> bool:
        """Whether there are sums below the smallest normal number, all multiples of the least product bit."""
        return self.design.addend or self.design.product_lsb_exponent < FP32.min_exponent

    @property
    def overflows(self) -> bool:
        """Whether a sum can be infinite, of finite terms or of infinite ones."""
        infinities = any(format_.infinity is not None for format_ in self.design.formats)
        return self.design.addend or infinities or self.highest > FP32.bias

    @property
    def highest(self) -> int:
        """The largest exponent of a finite sum: products that are all below its last bit do not change it."""
        return self.largest - self.bias + self.term_bits + 1 + self.design.lanes.bit_length()

    @property
    def term_bits(self) -> int:
        """Of a product's magnitude: F behind the binary point, two before it of exact products, else one."""
        whole = self.design.significand_bits - self.design.fraction_bits
        return self.design.fused.fraction_bits + max(whole, 1)

    @property
    def distance_bits(self) -> int:
        """Of the places by which a product is shifted: all ones shift it out."""
        return min((self.term_bits + max(-self.behind, 0)).bit_length(), self.bits)

    @property
    def reach(self) -> int:
        """Exponents by which the running sum is above all products where it has no bit in common with any."""
        return self.term_bits + 1

    @property
    def running_bits(self) -> int:
        """Of the running sum's magnitude, in the places of the products and above them."""
        return self.design.fused.fraction_bits + 1 + self.reach

    @property
    def total_bits(self) -> int:
        """Of the sum of a step's terms and the running sum, two's complement."""
        return max(self.running_bits, self.term_bits + (self.design.lanes - 1).bit_length()) + 2


@dataclass(frozen=True)
class Lane:
    """A product on its way to the sum.

    Parameters
    ----------
    sign : Value
    significand : Value
    exponent : Value
        As `UnroundedProduct` gives it, 0 of what is no term; after the largest is known the distance to that.
    """

    sign: Value
    significand: Value
    exponent: Value


class FusedMultiplyAccumulate(Accumulator):
    """Add N products to a running sum every cycle, aligned to the largest exponent and normalised once."""

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        self._scale = Scale(self._design)
        pipeline, operands, step = self.front(m)
        products = self.multiply(m, platform, operands)
        special = step | self.special_flags(products)
        finite = [replace(product, inf=None, nan=None) for product in products]
        products, step = pipeline.cut_lanes("products", finite, special)
        lanes, step = pipeline.cut_lanes("terms", [self._lane(m, n, p) for n, p in enumerate(products)], step)
        largest = self._largest(m, lanes)
        # The first place of the running sum, which may be above all products.
        step["reached"] = (largest + self._scale.reach)[: self._scale.bits + 1]
        lanes = [self._distance(m, number, lane, largest) for number, lane in enumerate(lanes)]
        lanes, step = pipeline.cut_lanes("step", lanes, step)
        sums = self._sums(m, step)
        counts = self._counts(m, platform, lanes)
        if self._design.interleave > 1:
            # The running sum finds its places while the products find theirs.
            step |= self._augend_terms(m, sums, step)
        counts, step = _cut_counts(pipeline, counts, step)
        if self._design.interleave == 1:
            step |= self._augend_terms(m, sums, step)
        self._accumulate(m, platform, counts, step, sums)
        return m

    def _lane(self, m: Module, lane: int, product: RawProduct) -> Lane:
        exponent = Signal(len(product.exponent), name=f"exponent_{lane}")
        m.d.comb += exponent.eq(product.exponent & product.nonzero.replicate(len(exponent)))
        significand = product.significand & product.nonzero.replicate(len(product.significand))
        return Lane(product.sign, significand, exponent)

    def _largest(self, m: Module, lanes: list[Lane]) -> Value:
        """Give the largest exponent of the products: all that are too small to cut anything count as one."""
        scale = self._scale
        lowest = max(scale.harmless - scale.rebias, 0)
        above: list[Value] = [lane.exponent for lane in lanes]
        if lowest:
            for number, lane in enumerate(lanes):
                rank = Signal(range(max(scale.largest - scale.harmless, 1) + 1), name=f"above_{number}")
                m.d.comb += rank.eq(Mux(lane.exponent > lowest, lane.exponent - lowest, 0))
                above[number] = rank
        largest = Signal(scale.bits, name="largest_product")
        found = Signal(scale.bits, name="largest_found")
        greatest = maximum(m, above, "product")
        counted: Value = greatest + (lowest + scale.rebias)
        # Of an addend no bit may be cut where there are no products.
        m.d.comb += found.eq(Mux(greatest.any(), counted, 0) if self._design.addend else counted)
        m.d.comb += largest.eq(Mux(found > scale.least, found, scale.least) if scale.least > 1 else found)
        return largest

    def _distance(self, m: Module, number: int, lane: Lane, largest: Value) -> Lane:
        """Give the places by which a product is shifted, all ones for those that are shifted out."""
        bits = self._scale.distance_bits
        whole = Signal(len(largest), name=f"distance_{number}")
        m.d.comb += whole.eq((largest - self._scale.rebias) - lane.exponent)
        places = whole[:bits] | whole[bits:].any().replicate(bits)
        return replace(lane, exponent=places)

    def _counts(self, m: Module, platform: Any, lanes: list[Lane]) -> list[Value]:
        """Count the ones of every place of the terms, and on top the negative ones, those of -0 too."""
        rows = [self._term(m, platform, number, lane) for number, lane in enumerate(lanes)]
        columns = [Cat(row, lane.sign) for row, lane in zip(rows, lanes, strict=True)]
        return count_ones(m, [*columns, Const(-1, len(columns[0]))], "count")

    def _sums(self, m: Module, step: dict[str, Value]) -> list[Signal]:
        """Make the registers of the sums that are added to in turn, without the bits that are always zero."""
        bits = 1 + FP32.exponent_bits + self._scale.design.fused.mantissa_bits
        turns = range(self._design.interleave)
        names = [f"accumulator_{turn}" for turn in turns] if len(turns) > 1 else ["accumulator"]
        return [Signal(bits, name=name, reset_less=not self._clears_sum) for name in names]

    def _turn(self, m: Module, step: dict[str, Value]) -> Value:
        """Count the steps, to tell whose turn it is."""
        turn = Signal(range(self._design.interleave), name="turn")
        with m.If(self.en & step["valid"]):
            m.d.sync += turn.eq(Mux(turn == self._design.interleave - 1, 0, turn + 1))
        return turn

    def _augend_terms(self, m: Module, sums: list[Signal], step: dict[str, Value]) -> dict[str, Value]:
        """Give what a step is added to as a term, with what it cuts off the products."""
        turn = self._turn(m, step) if len(sums) > 1 else Const(0, 1)
        running, infinite, nan = self._running(m, self._augend(m, _chosen(sums, turn), step))
        shift, cut, origin = self._places(m, running.exponent, step["reached"])
        below = max(len(running.significand) - self._scale.design.fused.fraction_bits - 1, 0)
        return {
            "turn": turn,
            "cut": cut,
            "origin": origin,
            "sum_shift": shift,
            "sum_significand": running.significand[below:],
            "sum_sign": running.sign,
            "sum_infinite": infinite,
            "sum_nan": nan,
        }

    def _accumulate(
        self, m: Module, platform: Any, counts: list[Value], step: dict[str, Value], sums: list[Signal]
    ) -> None:
        """Add a step to the running sum, in the places of the products."""
        scale = self._scale
        rows = [*self._rows(m, counts, step["cut"]), self._placed(m, step)]
        pair, _ = compress(m, rows, [step["sum_sign"]], scale.total_bits, "total")
        # One less than the sum, whose inverse is the sum's negative.
        less, total = sum_and_next(m, pair[0], pair[1], "total_less_1")
        magnitude = Signal(scale.total_bits - 1, name="sum_magnitude")
        m.d.comb += magnitude.eq(Mux(less[-1], ~less, total))
        loop = Pipeline(m, ("magnitude",) if self._design.interleave > 2 else (), ("valid",), self.en)
        step = vars(loop.cut("magnitude", **step | {"magnitude": magnitude, "total_sign": less[-1]}))
        self._round(m, platform, step, sums)

    def _round(self, m: Module, platform: Any, step: dict[str, Value], sums: list[Signal]) -> None:
        """Keep a sum as the running one."""
        round_ = place(m, platform, "fused_round", FusedRound, self._design)
        infinite = step["sum_infinite"]
        plus = step.get("plus", Const(0, 1)) | (infinite & ~step["sum_sign"])
        minus = step.get("minus", Const(0, 1)) | (infinite & step["sum_sign"])
        m.d.comb += [
            round_.magnitude.eq(step["magnitude"]),
            round_.sign.eq(step["total_sign"]),
            round_.origin.eq(step["origin"]),
            round_.nan.eq(step["sum_nan"] | step.get("nan", Const(0, 1)) | (plus & minus)),
            round_.plus.eq(plus),
            round_.minus.eq(minus),
        ]
        latest = Signal.like(step["turn"], name="turn_latest")
        m.d.comb += self.sum.eq(Cat(self._below, _chosen(sums, latest)))
        load = self.en & step["valid"]
        if len(sums) > 1:
            with m.If(load):
                m.d.sync += latest.eq(step["turn"])
        for turn, own in enumerate(sums):
            with m.If(load & (step["turn"] == turn)):
                m.d.sync += own.eq(round_.number)
        self.complete(m, step)

    @property
    def _below(self) -> Value:
        """The bits of the mantissa that are always zero."""
        return Const(0, FP32.mantissa_bits - self._scale.design.fused.mantissa_bits)

    def _rows(self, m: Module, counts: list[Value], cut: Value) -> list[Value]:
        """Give numbers whose sum is one less than that of the products, without what is cut off."""
        bits, wide = len(cut), self._scale.total_bits
        negative = Cat(count[-1] for count in counts)
        rows: list[Value] = []
        for weight, count in enumerate(counts):
            row = Signal(bits, name=f"row_{weight}")
            # Of -x, whose places hold ones below the cut: the count is that of negative terms.
            m.d.comb += row.eq((count[:-1] & ~cut) | (cut & count[-1].replicate(bits)))
            rows.append(Cat(Const(0, weight), row))
        less = Signal(len(counts), name="negative_less_1")
        m.d.comb += less.eq(negative - 1)
        above = Cat(~less, Const(-1, wide - bits - len(less)))
        if bits < len(less):
            return [*rows, less, Cat(Const(0, bits), above)]
        return [*rows, Cat(less, Const(0, bits - len(less)), above)]

    def _augend(self, m: Module, own: Value, step: dict[str, Value]) -> Value:
        """Give what a step is added to, without the bits of the mantissa that are always zero."""
        if self._travels:
            return self.sum_in[len(self._below) :]
        augend = Signal(len(own), name="accumulator_augend")
        if self._design.addend:
            augend = Signal(FP32.width, name="accumulator_augend")
            m.d.comb += augend.eq(Mux(step["first"], step["addend"], Cat(self._below, own)))
        else:
            m.d.comb += augend.eq(own & ~step["first"].replicate(len(own)))
        return augend

    def _places(self, m: Module, exponent: Value, reached: Value) -> tuple[Value, Value, Value]:
        """Compare the exponent of the running sum with that of the first place where it has one.

        Returns
        -------
        shift : Value
            Places by which its significand is shifted right.
        cut : Value
            Of every place of a product, whether the running sum's exponent cuts it off.
        origin : Value
            The exponent of the first place: the running sum's own if it is above all products.
        """
        scale = self._scale
        places = Signal(signed(scale.bits + 2), name="sum_places")
        above = Signal(name="sum_above")
        origin = Signal(scale.bits + 1, name="origin")
        shift = Signal(scale.bits + 1, name="sum_shift")
        cut = Signal(scale.term_bits, name="cut")
        m.d.comb += [
            places.eq(reached - exponent),
            above.eq(places[-1]),
            origin.eq(Mux(above, exponent, reached)),
            shift.eq(places[:-1] & (~above).replicate(scale.bits + 1)),
            cut.eq(Cat(shift < scale.reach - place_ for place_ in range(scale.term_bits))),
        ]
        return shift, cut, origin

    def _placed(self, m: Module, step: dict[str, Value]) -> Value:
        """Give the running sum in the places of the products and above, inverted if it is negative."""
        scale, significand = self._scale, step["sum_significand"]
        value: Value = Cat(Const(0, scale.running_bits - len(significand)), significand)
        placed = shift_right(m, value, step["sum_shift"], "sum_placed")
        extended = Cat(placed, Const(0, scale.total_bits - len(placed)))
        return extended ^ step["sum_sign"].replicate(scale.total_bits)

    def _running(self, m: Module, number: Value) -> tuple[Lane, Value, Value]:
        """Take the running sum apart: as a term, and whether it is infinite or NaN."""
        mantissa, field = number[: -FP32.exponent_bits - 1], number[-FP32.exponent_bits - 1 : -1]
        special = Signal(name="sum_special")
        exponent = Signal(self._scale.bits, name="sum_exponent")
        normal, subnormal = field.any(), Const(0, 1)
        if self._scale.has_subnormals:
            # A subnormal's exponent is that of the smallest normal number.
            subnormal = ~normal & mantissa.any()
        biased = Cat(field[0] | subnormal, field[1:]) + (self._scale.bias - FP32.bias)
        counts = (normal | subnormal) & ~special
        m.d.comb += [special.eq(field.all()), exponent.eq(biased & counts.replicate(len(exponent)))]
        significand = Cat(mantissa, normal) & (~special).replicate(len(mantissa) + 1)
        infinite = special & ~mantissa.any() if self._scale.overflows else Const(0, 1)
        return Lane(number[-1], significand, exponent), infinite, special & ~infinite

    def _term(self, m: Module, platform: Any, number: int, lane: Lane) -> Value:
        """Align a product, and invert it if it is negative."""
        align = place(m, platform, f"align_{number}", FusedAlign, self._design)
        m.d.comb += [
            align.sign.eq(lane.sign),
            align.significand.eq(lane.significand),
            align.distance.eq(lane.exponent),
        ]
        term: Value = align.term
        return term


def _chosen(sums: list[Signal], turn: Value) -> Value:
    """Give the sum whose turn it is."""
    chosen: Value = sums[-1]
    for number, own in enumerate(sums[:-1]):
        chosen = Mux(turn == number, own, chosen)
    return chosen


def _cut_counts(
    pipeline: Pipeline, counts: list[Value], step: dict[str, Value]
) -> tuple[list[Value], dict[str, Value]]:
    values = {f"count_{weight}": count for weight, count in enumerate(counts)}
    after = vars(pipeline.cut("counts", **values, **step))
    return [after[name] for name in values], {name: after[name] for name in step}


class FusedAlign(Block):
    """Shift a product's significand right, and invert a negative one.

    Combinational. What is below the last place is cut off. An inverted term is one less than the number that
    it stands for; the adders make up for it.

    Parameters
    ----------
    design : Design

    Members
    -------
    sign : In(1)
    significand : In(S)
    distance : In(D)
        From the largest exponent of the products; all ones for what is shifted out.
    term : Out(T)
        F bits behind the binary point.
    """

    block_name = "align"
    sequential = False

    sign: Signal
    significand: Signal
    distance: Signal
    term: Signal

    def __init__(self, design: Design) -> None:
        scale = Scale(design)
        self._behind = scale.behind
        bits = scale.term_bits
        super().__init__(
            {
                "sign": In(1),
                "significand": In(design.significand_bits),
                "distance": In(scale.distance_bits),
                "term": Out(bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        bits, below = len(self.term), max(-self._behind, 0)
        value: Value = Cat(Const(0, max(self._behind, 0)), self.significand)
        value = Cat(value, Const(0, bits + below - len(value)))
        magnitude = shift_right(m, value, self.distance, "shifted")[below:]
        m.d.comb += self.term.eq(magnitude ^ self.sign.replicate(bits))
        return m


class FusedRound(Block):
    """Normalise a sum and round it to an fp32 number of M mantissa bits. Combinational.

    Parameters
    ----------
    design : Design

    Members
    -------
    magnitude : In(W)
        F bits behind the binary point.
    sign : In(1)
    origin : In(X)
        The exponent that it counts from.
    nan, plus, minus : In(1)
        What takes the place of the number: NaN, an infinity.
    number : Out(1 + 8 + M)
        Without the mantissa's bits that are zero.
    """

    block_name = "fused_round"
    sequential = False

    magnitude: Signal
    sign: Signal
    origin: Signal
    nan: Signal
    plus: Signal
    minus: Signal
    number: Signal

    def __init__(self, design: Design) -> None:
        self._scale = Scale(design)
        super().__init__(
            {
                "magnitude": In(self._scale.total_bits - 1),
                "sign": In(1),
                "origin": In(self._scale.bits + 1),
                "nan": In(1),
                "plus": In(1),
                "minus": In(1),
                "number": Out(1 + FP32.exponent_bits + self._scale.design.fused.mantissa_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        field = self._round(m, *self._normalise(m, self.magnitude))
        infinity = Const((1 << FP32.exponent_bits) - 1, FP32.exponent_bits)
        mantissa_bits = self._scale.design.fused.mantissa_bits
        with m.If(self.nan):
            m.d.comb += self.number.eq(Cat(Const(0, mantissa_bits - 1), Const(1, 1), infinity))
        with m.Elif(self.plus | self.minus):
            m.d.comb += self.number.eq(Cat(Const(0, mantissa_bits), infinity, self.minus))
        with m.Else():
            m.d.comb += self.number.eq(Cat(field, self.sign & field.any()))
        return m

    def _normalise(self, m: Module, magnitude: Signal) -> tuple[Value, Value]:
        """Bring the leading one to the top, as far as the smallest exponent lets it, and give its field."""
        scale = self._scale
        # The exponent field of a sum whose leading one is on top.
        above = len(magnitude) - scale.running_bits + FP32.bias - scale.bias
        if not scale.has_subnormals:
            shifted, zeros = normalise(m, magnitude, "total")
            exponent = Signal(range((2 << scale.bits) + abs(above)), name="exponent_field")
            m.d.comb += exponent.eq((self.origin + above - zeros) & shifted[-1].replicate(len(exponent)))
            return shifted, exponent
        lowest = 0 if scale.design.addend else 1
        padding = max(0, 1 - above - scale.reach - max(scale.least, lowest))
        wide = Cat(magnitude, Const(0, padding))
        room = Signal(range((2 << scale.bits) + abs(above) + padding))
        zeros = leading_zeros(m, Cat(Const(1, 1), wide), "total")
        places = Signal(len(zeros))
        m.d.comb += [room.eq(self.origin + (above + padding)), places.eq(Mux(zeros < room, zeros, room - 1))]
        shifted = Signal(len(wide))
        m.d.comb += shifted.eq(wide << places)
        exponent = Signal(len(room), name="exponent_field")
        m.d.comb += exponent.eq(Mux(shifted[-1], room - places, 0))
        return shifted, exponent

    def _round(self, m: Module, shifted: Value, exponent: Value) -> Value:
        """Cut the mantissa, or round it to nearest even; infinity if the exponent is too large."""
        bits = self._scale.design.fused.mantissa_bits
        padding = max(0, bits + 2 - (len(shifted) - 1))
        wide = Cat(Const(0, padding), shifted)
        rest = len(wide) - 1 - bits
        field = Signal(bits + len(exponent) + 1, name="rounded")
        rounding = rounds_up(wide, rest) if self._scale.design.fused.nearest else Const(0, 1)
        m.d.comb += field.eq(Cat(wide[rest:-1], exponent) + rounding)
        if not self._scale.overflows:
            return field[: bits + FP32.exponent_bits]
        infinity = ((1 << FP32.exponent_bits) - 1) << bits
        limited = Signal(bits + FP32.exponent_bits, name="limited")
        m.d.comb += limited.eq(Mux(field >= infinity, infinity, field))
        return limited
