"""The multiply-accumulate of N lanes into an fp32 number, all of a step's products added at once."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed

from lmul.golden import FP32
from lmul.hdl.accumulator.base import Accumulator
from lmul.hdl.accumulator.fused_blocks import FusedAlign, FusedRound
from lmul.hdl.accumulator.fused_scale import Scale
from lmul.hdl.framework.hierarchy import place
from lmul.hdl.framework.pipeline import Pipeline
from lmul.hdl.multiplier.unrounded import RawProduct
from lmul.hdl.primitives.adder import sum_and_next
from lmul.hdl.primitives.compressor import compress, count_ones
from lmul.hdl.primitives.maximum import maximum
from lmul.hdl.primitives.shift import shift_right


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
        lanes, step = self.lanes(m, platform, pipeline, operands, step)
        largest, step["reached"] = self.tops(m, lanes, step)
        lanes = [self._distance(m, number, lane, largest) for number, lane in enumerate(lanes)]
        lanes, step = pipeline.cut_lanes("step", lanes, step)
        step["reached"] = self.reached(m, step)
        sums = self._sums()
        counts = self._counts(m, platform, lanes)
        if self._design.interleave > 1:
            # The running sum finds its places while the products find theirs.
            step |= self._augend_terms(m, sums, step)
        (counts,), step = pipeline.cut_lists("counts", {"count": counts}, step)
        if self._design.interleave == 1:
            step |= self._augend_terms(m, sums, step)
        self._accumulate(m, platform, counts, step, sums)
        return m

    def lanes(
        self, m: Module, platform: Any, pipeline: Pipeline, operands: SimpleNamespace, step: dict[str, Value]
    ) -> tuple[list[Lane], dict[str, Value]]:
        """Multiply the operands, and give the terms of the sum and what else belongs to a step."""
        products = self.multiply(m, platform, operands)
        special = step | self.special_flags(products)
        special |= self.scales(m, operands, special)
        finite = [replace(product, inf=None, nan=None) for product in products]
        products, step = pipeline.cut_lanes("products", finite, special)
        return pipeline.cut_lanes("terms", self.terms(m, platform, products, step), step)

    def scales(self, m: Module, operands: SimpleNamespace, step: dict[str, Value]) -> dict[str, Value]:
        """Give what the scales of blocks are to a step, where there are any."""
        return {}

    def terms(
        self, m: Module, platform: Any, products: list[RawProduct], step: dict[str, Value]
    ) -> list[Lane]:
        """Give the terms of a step."""
        return [self._lane(m, number, product) for number, product in enumerate(products)]

    def tops(self, m: Module, lanes: list[Lane], step: dict[str, Value]) -> tuple[Value, Value]:
        """Give the exponent that the terms of a step are aligned to.

        Returns
        -------
        largest : Value
            As the exponents of the terms are counted.
        reached : Value
            With the bias of all exponents that of the first place of the running sum, which may be above all
            products.
        """
        largest, bits = self._largest(m, lanes), self._scale.bits
        return (largest - self._scale.rebias)[:bits], (largest + self._scale.reach)[: bits + 1]

    def reached(self, m: Module, step: dict[str, Value]) -> Value:
        """Give the exponent of the first place of the running sum, of what `tops` gave for it."""
        return step["reached"]

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
                if lowest < (1 << len(lane.exponent)) - 1:  # Else none is above.
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
        m.d.comb += whole.eq(largest - lane.exponent)
        places = whole[:bits] | whole[bits:].any().replicate(bits)
        return replace(lane, exponent=places)

    def _counts(self, m: Module, platform: Any, lanes: list[Lane]) -> list[Value]:
        """Count the ones of every place of the terms, and on top the negative ones, those of -0 too."""
        rows = [self._term(m, platform, number, lane) for number, lane in enumerate(lanes)]
        columns = [Cat(row, lane.sign) for row, lane in zip(rows, lanes, strict=True)]
        return count_ones(m, [*columns, Const(-1, len(columns[0]))], "count")

    def _sums(self) -> list[Signal]:
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
        loop = Pipeline(m, ("magnitude",)[: self._design.loop_registers], ("valid",), self.en)
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
        """Give what a step is added to, of what may begin a sum all bits of the mantissa."""
        if self._design.addend:
            augend = Signal(FP32.width, name="accumulator_augend")
            m.d.comb += augend.eq(Mux(step["first"], step["addend"], Cat(self._below, own)))
            return augend
        other = self.augend(m, own, step, "accumulator")
        return other[len(self._below) :] if self._travels else other

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
        normal, subnormal = field.any(), Value.cast(Const(0, 1))
        if self._scale.has_subnormals:
            # A subnormal's exponent is that of the smallest normal number.
            subnormal = ~normal & mantissa.any()
        biased = Cat(field[0] | subnormal, field[1:]) + (self._scale.bias - FP32.bias)
        counts = (normal | subnormal) & ~special
        own = biased & counts.replicate(len(exponent))
        if self._scale.least_of_zero:  # 1, which cuts off what products have below a sum of that exponent.
            own = Cat(own[0] | ~counts, own[1:])
        m.d.comb += [special.eq(field.all()), exponent.eq(own)]
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
