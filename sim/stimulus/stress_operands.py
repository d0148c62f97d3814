"""Operands that press on a sum: every pair of classes, storms of specials, the ends of the accumulator."""

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.design import Design
from lmul.golden import (
    FP32,
    Arithmetic,
    Codes,
    Format,
    Integer,
    decode,
    encode,
    find_format,
    matmul_codes,
    wide_product,
)
from lmul.golden.accumulators import Fused
from lmul.golden.formats.block_scale import NO_SCALE
from lmul.golden.sums.blocks.scales import Scales
from lmul.sim.stimulus.classes import Classes, classes_of
from lmul.sim.stimulus.scales import ONE, draw_scales, model_sums, neutral_scales

LONGEST = 1 << 17
"""Products of the longest sum that is tried: twice the largest depth."""

LONGEST_FLOAT = 1024
"""The same with a floating-point accumulator, where longer sums of equal products stand still."""

SUMS = 64
"""Sums that each kind of operands is drawn for at least, in 4 tiles or more."""

ROUNDED = 2048
"""Sums that press on the rounding of the result, where there is one."""

MOST_TERMS = 16
"""Products of such a sum."""

FAR_APART = 12
"""Sums of each kind whose steps are far apart."""

CARRIES = 12
"""Sums of each sign that carry beyond their first place."""

TABLE = 128
"""Codes of wide formats of which such products are made."""

CROSS = "pairs of classes"

CANCELLATION = "cancellation"

SCALED = ("numbers", "classes of numbers", "all zero", "smallest numbers", "largest numbers", CANCELLATION)
"""Kinds whose scales are drawn; of others that would hide what is special about them."""

Term = tuple[int, int, int]
"""A product and its operands' codes."""


@dataclass(frozen=True)
class Case:
    """The operands of one tile of an array, or of one dot product.

    Parameters
    ----------
    kind : str
        What is special about them, for messages.
    a : ndarray of codes, shape (M, K)
    b : ndarray of codes, shape (K, N)
    start : int
        Code of fp32 that a dot product with an addend begins with.
    scales : Scales or None
        Of every step, for a design with block scales.
    """

    kind: str
    a: Codes
    b: Codes
    start: int = 0
    scales: Scales | None = None


def draw_cases(design: Design, rng: np.random.Generator) -> list[Case]:
    """Draw operands of every kind, in any order.

    Parameters
    ----------
    design : Design
        A `dot`, whose cases are one dot product each, or an `array`, whose cases are one tile each.
    rng : numpy.random.Generator
    """
    drawing = _Drawing(design, rng)
    cases = [*drawing.crosses(), *drawing.storms(), *drawing.extremes(), *drawing.sticky()]
    cases += drawing.rounded() if design.converts and not design.accumulator_format else []
    cases += drawing.beyond_output()
    if isinstance(design.accumulator, Fused) and not design.integer:
        cases += [*drawing.far_apart(), *drawing.carries()]
    if design.block_scale:
        cases = [drawing.scaled(case) for case in [*cases, *drawing.scales_apart()]]
    cases = [cases[index] for index in rng.permutation(len(cases))]
    if not design.addend:
        return cases
    starts = draw_starts(rng, (len(cases),)).tolist()
    # Beside a large sum to begin with no fault of a single product would show, nor what scales make of it.
    return [
        case if case.kind == CROSS or (case.scales and rng.random() < 1 / 3) else replace(case, start=start)
        for case, start in zip(cases, starts, strict=True)
    ]


def draw_starts(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.uint32]:
    """Draw codes of fp32 for sums to begin with.

    Half are zero or near one, as in operation; the others any code, subnormal, the largest, infinite or NaN.
    """
    near = rng.integers(0x30000000, 0x50000000, shape) | rng.integers(0, 2, shape) << 31
    edges = rng.choice(
        [0, 1 << 31, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001], shape
    )
    kinds = [
        np.zeros(shape, np.int64),
        near,
        rng.integers(0, 1 << 32, shape),
        rng.integers(0, 1 << 23, shape),
        edges,
    ]
    return np.choose(rng.choice(5, shape, p=[0.1, 0.4, 0.3, 0.1, 0.1]), kinds).astype(np.uint32)


def longest_sum(design: Design) -> int:
    """Give the most products that one sum of a design can have, as far as they are tried."""
    if design.weight_stationary:
        return design.rows * design.lanes
    return LONGEST


def largest_term(design: Design, sign: int) -> int:
    """Give the magnitude of the largest product of a sign, 1 for negative, in units of the register."""
    if not (design.integer and sign):
        return design.largest_term
    widths = [format_.width for format_ in design.formats]
    # The most negative number of the narrower format times the largest of the wider one.
    return ((1 << (max(widths) - 1)) - 1) << (min(widths) - 1)


def negated(codes: Any, format_: Format) -> Any:
    """Give the codes of numbers with the other sign; of an integer's most negative one there is none."""
    if isinstance(format_, Integer):
        return -codes & ((1 << format_.width) - 1)
    return codes ^ format_.sign_mask


def products_to_overflow(design: Design, sign: int = 0) -> int | None:
    """Give the number of largest products of a sign whose sum leaves the accumulator's range.

    None where there is no such sum: `longest_sum` is not enough, or rounding ends the growth before.
    """
    if design.accumulator_format is None:
        limit, term = 1 << (design.accumulator_bits - 1), largest_term(design, sign)
        # There is one number less above zero than below.
        reached = limit - 1 if design.integer and not sign else limit
        products = reached // term + 1 if term else LONGEST + 1
        return products if products <= longest_sum(design) else None

    if design.integer:  # Groups of integers are small beside what fp32 holds.
        return None
    plain = replace(design, scale=NO_SCALE)

    def overflows(products: int) -> bool:
        a, b = (np.full((1, products), format_.largest_finite) for format_ in design.formats)
        return bool(matmul_codes(a, b.T, plain).inf[0, 0])

    # A sum that is infinite stays so, however many products follow.
    whole_steps = range(design.lanes, min(LONGEST_FLOAT, longest_sum(design)) + 1, design.lanes)
    place = bisect_left(whole_steps, True, key=overflows)
    return whole_steps[place] if place < len(whole_steps) else None


def far_apart(design: Design, places: int) -> tuple[int, int] | None:
    """Give codes of powers of two whose product lies so many places above the smallest normal one.

    None where no product does.
    """
    first, second = design.formats
    places += max(FP32.min_exponent - first.min_exponent - second.min_exponent, 0)
    above = min(places, (first.largest_finite >> first.mantissa_bits) - 1)
    rest = places - above
    if rest > (second.largest_finite >> second.mantissa_bits) - 1:
        return None
    return (above + 1) << first.mantissa_bits, (rest + 1) << second.mantissa_bits


@lru_cache
def terms_beyond_output(design: Design, sign: int) -> list[Term]:
    """Give products whose sum the accumulator holds, but not the output.

    Parameters
    ----------
    design : Design
    sign : {0, 1}
        1 for a negative sum.

    Returns
    -------
    list of (value, code, code)
        Each the largest that there is room for; none where there is no such sum.
    """
    terms: list[Term] = []
    if not design.output_overflows:
        return terms
    output, register = find_format(design.out), design.accumulator_format
    lowest = 2 ** (output.bias + 1) - 2 ** (output.bias - output.mantissa_bits - 1)
    room = Fraction(2) ** design.lsb_exponent * (2 ** (design.accumulator_bits - 1) - 1 + sign)
    if register:
        room = Fraction(register.largest)
    needed = room - lowest
    while room > needed and len(terms) < min(MOST_TERMS, longest_sum(design)):
        value, a, b = _largest_term(design, room)
        if not value:
            return []
        terms.append((value, a, b | design.formats[1].sign_mask * sign))
        room -= value
    return terms if room <= needed else []


def _largest_term(design: Design, most: Fraction) -> Term:
    """Give the largest product that does not exceed a number, as the accumulator takes it."""
    first, second = design.formats
    limit = float(most) if float(most) <= most else math.nextafter(float(most), 0)
    a = np.arange(first.largest_finite + 1)
    low, high = np.zeros_like(a), np.full_like(a, second.largest_finite)
    # Products grow with the second factor: halve the range in which they become too large.
    for _ in range(second.width):
        middle = (low + high + 1) // 2
        fits = accumulated(wide_product(a, middle, design), design) <= limit
        low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
    values = accumulated(wide_product(a, low, design), design)
    place = int(np.argmax(values))
    return int(values[place]), int(a[place]), int(low[place])


def accumulated(products: NDArray[np.float64], arithmetic: Arithmetic) -> NDArray[np.float64]:
    """Give unrounded products as an accumulator takes them: truncated, or rounded, large ones to infinity."""
    format_ = arithmetic.accumulator_format
    if format_ is None:
        unit = 2.0**arithmetic.lsb_exponent
        truncated: NDArray[np.float64] = np.trunc(products / unit) * unit
        return truncated
    with np.errstate(over="ignore"):
        return decode(encode(products, format_, "nearest", "ieee"), format_).astype(np.float64)


def _terms(target: int, table: list[Term], format_: Format) -> list[Term]:
    """Give products whose sum is as near to a target as so many can be; each the nearest to what is left."""
    values = [value for value, _, _ in table]
    terms: list[Term] = []
    while target and len(terms) < MOST_TERMS:
        # What is less than any product is the difference of two.
        wanted = abs(target) if 2 * abs(target) > values[0] else abs(target) + values[0]
        place = min(bisect_left(values, wanted), len(values) - 1)
        if place and wanted - values[place - 1] < values[place] - wanted:
            place -= 1
        value, a, b = table[place]
        terms.append((value, a, negated(b, format_) if target < 0 else b))
        target -= value if target > 0 else -value
    return terms


class _Drawing:
    """Draws cases of one design."""

    def __init__(self, design: Design, rng: np.random.Generator) -> None:
        self.design = design
        self.rng = rng
        self.sides = tuple(classes_of(format_) for format_ in design.formats)
        array = design.kind == "array"
        self.weights = design.weight_stationary
        self.cols = design.cols if array else 1
        self.height = design.rows if array else 1

    def rows(self) -> int:
        """Draw the rows of a tile; only weight-stationary ones have any number."""
        if not self.weights:
            return self.height
        return int(self.rng.choice([1, 2, self.height, self.height + 1, 3 * self.height]))

    def products(self) -> int:
        """Draw the products of a sum, in steps few or about as many as an array has rows."""
        if self.weights:
            return longest_sum(self.design)
        steps = int(self.rng.choice([1, 1, 2, self.height, self.height + 1, 3 * self.height]))
        return int(self.rng.integers((steps - 1) * self.design.lanes, steps * self.design.lanes)) + 1

    def case(self, kind: str, *names: str) -> Case:
        """Draw a case whose operands are of these classes."""
        rows, products = self.rows(), self.products()
        a, b = (
            side.draw(self.rng.choice(side.places(*names), shape), self.rng)
            for side, shape in zip(self.sides, ((rows, products), (products, self.cols)), strict=True)
        )
        return Case(kind, a, b)

    def finite(self, side: int, shape: tuple[int, int]) -> Codes:
        """Draw numbers, every code as often as any other."""
        format_ = self.design.formats[side]
        if isinstance(format_, Integer):
            return self.rng.integers(0, 1 << format_.width, shape)
        magnitude = self.rng.integers(0, format_.largest_finite + 1, shape)
        return magnitude | self.rng.integers(0, 2, shape) * format_.sign_mask

    def numbers(self, kind: str, products: int | None = None) -> Case:
        """Draw a case of numbers."""
        products = products or self.products()
        return Case(kind, self.finite(0, (self.rows(), products)), self.finite(1, (products, self.cols)))

    def scaled(self, case: Case) -> Case:
        """Give a case scales: drawn ones, or those of 1 where others would hide what is special about it."""
        if case.scales:
            return case
        shape = len(case.a), case.a.shape[1], case.b.shape[1]
        # What cancels does so only beside its own scale.
        drawn = case.kind in SCALED and not (case.kind == CANCELLATION and self.rng.random() < 0.5)
        if drawn or case.kind.startswith(("storm", "special")):
            return replace(case, scales=draw_scales(self.design, shape, self.rng))
        return replace(case, scales=neutral_scales(self.design, shape))

    def scales_apart(self) -> Iterator[Case]:
        """Give sums of two steps whose scales are about as far apart as a term, or a register, has bits.

        Where the second step is the larger one its products cancel, so that what is left of the running sum
        shows.
        """
        design, lanes = self.design, self.design.lanes
        if longest_sum(design) < 2 * lanes or design.scale == "nvfp4":
            return
        fused = isinstance(design.accumulator, Fused)
        bits = design.fused.fraction_bits if fused else design.accumulator_bits
        around = FAR_APART * [bits + more for more in (-2, -1, 0, 1)]
        for places, rising in product(around, (False, True)):
            case = self.numbers("scales apart", 2 * lanes)
            if rising:
                case.a[:, lanes:], case.b[lanes:] = case.a[:, [lanes]], case.b[[lanes]]
                case.b[lanes + 1 :: 2] = negated(case.b[lanes + 1 :: 2], design.formats[1])
            case, parts = self.whole(case), design.scales_a_step
            scales = neutral_scales(design, (len(case.a), case.a.shape[1], self.cols))
            assert scales is not None  # noqa: S101
            scales.a[:, parts : 2 * parts] = ONE[design.scale] + (places if rising else -places)
            yield replace(case, scales=scales)

    def crosses(self) -> Iterator[Case]:
        """Give every pair of classes where it is the only product of a sum that is not zero."""
        first, second = self.sides
        yield from self.cross(first.finite, second.finite)
        if len(first.special):
            yield from self.cross(first.special, np.arange(len(second)))
        if len(second.special):
            yield from self.cross(first.finite, second.special)

    def cross(self, first: NDArray[Any], second: NDArray[Any]) -> Iterator[Case]:
        """Give every pair of some classes, as many in a tile as go into it."""
        rows = len(first) if self.weights else self.height
        products = longest_sum(self.design) if self.weights else self.design.lanes
        for top in range(0, len(first), rows):
            for left in range(0, len(second), self.cols):
                a = self.sides[0].draw(
                    self.rng.choice(self.sides[0].places("zero"), (rows, products)), self.rng
                )
                b = self.finite(1, (products, self.cols))
                place = int(self.rng.integers(products))
                a[:, place] = self.sides[0].draw(first[(top + np.arange(rows)) % len(first)], self.rng)
                b[place] = self.sides[1].draw(second[(left + np.arange(self.cols)) % len(second)], self.rng)
                yield Case(CROSS, a, b)

    def storms(self) -> Iterator[Case]:
        """Give tiles full of one sort of operands."""
        every = ("zero", "subnormal", "smallest", "normal", "one", "largest")
        for _ in range(max(4, SUMS // (self.height * self.cols))):
            yield self.numbers("numbers")
            yield self.numbers("numbers")
            yield self.case("classes of numbers", *every)
            yield self.case("all zero", "zero")
            yield self.case("smallest numbers", "zero", "subnormal", "smallest")
            yield self.case("largest numbers", "largest")
            yield self.cancelling()
            if any(len(side.special) for side in self.sides):
                yield self.case("storm of NaN and infinities", *every, "infinity", "NaN")
                yield from (self.sprinkled() for _ in range(3))
            if any(len(side.places("infinity")) for side in self.sides):
                yield self.case("storm of infinities", "normal", "largest", "infinity")

    def sprinkled(self) -> Case:
        """Draw numbers, and a special operand here and there: it has to stay in its own sums."""
        case = self.numbers("special here and there")
        for side, codes in zip(self.sides, (case.a, case.b), strict=True):
            if len(side.special):
                few = self.rng.random(codes.shape) < 1 / 16
                codes[few] = side.draw(self.rng.choice(side.special, np.count_nonzero(few)), self.rng)
        return case

    def cancelling(self) -> Case:
        """Draw a sum whose second half takes its first half off again."""
        half = max(self.products() // 2, 1) if self.rng.random() < 0.5 else 1
        rows = self.rows()
        a, b = self.finite(0, (rows, half)), self.finite(1, (half, self.cols))
        if self.design.integer:
            b[b == self.design.formats[1].sign_mask] = 0
        a, b = np.concatenate([a, a], axis=1), np.concatenate([b, negated(b, self.design.formats[1])])
        return self.whole(Case(CANCELLATION, a, b))

    def whole(self, case: Case) -> Case:
        """Bring a case to the products that a weight-stationary tile has, with zeros or less of them."""
        if not self.weights:
            return case
        length = longest_sum(self.design)
        missing = max(length - case.a.shape[1], 0)
        a = np.pad(case.a[:, :length], ((0, 0), (0, missing)))
        return Case(case.kind, a, np.pad(case.b[:length], ((0, missing), (0, 0))))

    def extremes(self) -> Iterator[Case]:
        """Give the largest sums of both signs: of depth products, and beyond the accumulator's range."""
        depth = min(self.design.depth, longest_sum(self.design))
        if not self.weights:
            yield self.numbers("numbers of the depth", depth)
            yield self.numbers(
                "more numbers than the depth", depth + int(self.rng.integers(self.design.lanes)) + 1
            )
        for sign in (0, 1):
            beyond = products_to_overflow(self.design, sign)
            yield self.largest("largest sum of the depth", np.full(depth, sign))
            if beyond:
                yield self.largest("beyond the range", np.full(beyond, sign))
                yield from self.beyond_and_back(beyond, sign)

    def beyond_and_back(self, beyond: int, sign: int) -> Iterator[Case]:
        """Give sums that leave the range in some step, and stay or are brought back in a later one."""
        lanes, longest = self.design.lanes, longest_sum(self.design)
        steps = -(-beyond // lanes) * lanes
        if self.design.accumulator_format:
            if 2 * beyond <= longest:
                yield self.largest(
                    "beyond the range and beyond the other end", np.repeat([sign, 1 - sign], beyond)
                )
        elif steps < longest:
            case = self.largest("beyond the range and on", np.full(steps + 1, sign))
            case.a[:, steps] = 0
            yield case
            case = self.largest("beyond the range and back", np.append(np.full(steps, sign), 1 - sign))
            case.a[:, beyond:steps] &= 0 if self.design.integer else self.design.formats[0].sign_mask
            if not self.design.integer and (beyond - 1) * self.design.largest_term == 1 << (
                self.design.accumulator_bits - 1
            ):
                case.a[:, 0] -= 1  # One product less is on the edge of the range else.
            yield case

    def largest(self, kind: str, signs: NDArray[Any]) -> Case:
        """Give sums of the largest products with these signs; operands have any that make them."""
        first, second = self.design.formats
        if self.design.integer:
            return self.largest_integers(kind, signs)
        own = self.rng.integers(0, 2, len(signs))
        a = first.largest_finite | np.tile(own * first.sign_mask, (self.rows(), 1))
        b = second.largest_finite | np.tile((own ^ signs)[:, None] * second.sign_mask, (1, self.cols))
        return self.whole(Case(kind, a, b))

    def largest_integers(self, kind: str, signs: NDArray[Any]) -> Case:
        """Give sums of the largest products of integers, as `largest` does of floating-point numbers."""
        widths = [format_.width for format_ in self.design.formats]
        wide = int(np.argmax(widths))
        codes = [np.full(len(signs), format_.sign_mask) for format_ in self.design.formats]
        codes[wide] -= signs
        return self.whole(
            Case(kind, np.tile(codes[0], (self.rows(), 1)), np.tile(codes[1][:, None], (1, self.cols)))
        )

    def beyond_output(self) -> Iterator[Case]:
        """Give sums that only the output cannot hold."""
        for sign in (0, 1):
            terms = terms_beyond_output(self.design, sign)
            if terms:
                a, b = np.array([codes for _, *codes in terms]).T
                tiled = np.tile(a, (self.rows(), 1)), np.tile(b[:, None], (1, self.cols))
                yield self.whole(Case("beyond the output", *tiled))

    def far_apart(self) -> Iterator[Case]:
        """Give sums of two steps, one of which has the last places of the other, or what is below them.

        Where the second step is the larger one its products cancel, so that what is left of the running sum
        shows. Some of all are lost to resets: there are several of each.
        """
        design, lanes = self.design, self.design.lanes
        fused = design.fused
        if longest_sum(design) < 2 * lanes:
            return
        for places in FAR_APART * [fused.fraction_bits + more for more in (-1, 0, 1)]:
            small, large = far_apart(design, 0), far_apart(design, places)
            for sign, rising in product((0, 1), (True, False)) if small and large else ():
                a = np.zeros((self.rows(), 2 * lanes), dtype=np.int64)
                b = np.zeros((2 * lanes, self.cols), dtype=np.int64)
                for codes, one, other in zip((a.T, b), small or (), large or (), strict=True):
                    # With an odd mantissa, so that something is cut.
                    codes[0 if rising else lanes] = one | 1
                    codes[lanes if rising else 0] = other
                    codes[lanes + 1 : lanes + 2] = other if rising else 0
                b[0] |= design.formats[1].sign_mask * sign
                b[lanes + 1 :] |= design.formats[1].sign_mask
                yield self.whole(Case("far apart", a, b))

    def carries(self) -> Iterator[Case]:
        """Give sums of two steps of one sign: one reaches down to the last place, the next one carries."""
        design, lanes = self.design, self.design.lanes
        ones = [(1 << format_.mantissa_bits) - 1 for format_ in design.formats]
        reached = [places for places in range(design.fused.fraction_bits + 1) if far_apart(design, places)]
        if longest_sum(design) < 2 * lanes or not reached:
            return
        bits = max(ones).bit_length() + 1
        first = [max(reached[-1] - lane * bits, 0) for lane in range(lanes)]
        codes = np.array([far_apart(design, places) for places in first + [reached[-1]] * lanes])
        for sign in CARRIES * [0, 1]:
            drawn = (self.rng.integers(0, mask + 1, len(codes)) for mask in ones)
            a, b = (codes[:, [side]] | mantissas[:, None] for side, mantissas in enumerate(drawn))
            b |= design.formats[1].sign_mask * sign
            yield self.whole(Case("carries", np.tile(a.T, (self.rows(), 1)), np.tile(b, (1, self.cols))))

    def rounded(self) -> Iterator[Case]:
        """Give sums of every size that are on a tie or beside one, or whose rounding carries far."""
        table = self.products_of_codes()
        if not table:
            return
        digits = find_format(self.design.out).mantissa_bits
        largest = min(self.design.accumulator_bits - 1, table[-1][0].bit_length() + 2)
        for _ in range(max(8, ROUNDED // (self.height * self.cols))):
            target = self.beside_tie(int(self.rng.integers(0, largest + 1)), digits)
            terms = _terms(target * int(self.rng.choice([-1, 1])), table, self.design.formats[1])
            case = self.whole(self.numbers("rounded sums", max(len(terms), 1)))
            if len(terms) <= case.a.shape[1]:
                row, col = self.rng.integers(len(case.a)), self.rng.integers(self.cols)
                case.a[row], case.b[:, col] = 0, 0
                for place, (_, a, b) in enumerate(terms):
                    case.a[row, place], case.b[place, col] = a, b
            yield case

    def beside_tie(self, bits: int, digits: int) -> int:
        """Draw a number of so many bits after the first: last digits alike, a remainder that matters."""
        rest = max(bits - digits, 0)
        run = int(self.rng.integers(self.rng.choice([0, bits - rest]), bits - rest + 1))
        kept = 1 << (bits - rest) | int(self.rng.integers(1 << (bits - rest)))
        kept = kept >> run << run | int(self.rng.integers(2)) * ((1 << run) - 1)
        if not rest:
            return kept
        half, below = 1 << (rest - 1), 1 << int(self.rng.integers(rest))
        remainders = 0, half, half - 1, half + 1, half | below, below
        return kept << rest | remainders[self.rng.integers(len(remainders))]

    def products_of_codes(self) -> list[Term]:
        """Give products, in units of the sum's last place, ascending, and operands that make them."""
        codes = []
        for format_ in self.design.formats:
            if isinstance(format_, Integer):
                every = np.arange(1, format_.sign_mask)
            else:
                every = np.arange(format_.smallest_normal, format_.largest_finite + 1)
            codes.append(every if len(every) <= TABLE else self.rng.choice(every, TABLE))
        scales = neutral_scales(self.design, (len(codes[0]), 1, len(codes[1])))
        sums = model_sums(codes[0][:, None], codes[1][None, :], self.design, scales)
        raw = sums.raw.tolist()
        found = {
            raw[row][column]: (raw[row][column], int(codes[0][row]), int(codes[1][column]))
            for row, column in np.argwhere(~sums.overflow).tolist()
        }
        return [found[value] for value in sorted(found) if value > 0]

    def sticky(self) -> Iterator[Case]:
        """Give sums that are NaN or infinite from their first step on, and infinities that meet."""
        lanes, longest = self.design.lanes, longest_sum(self.design)
        for side, own in enumerate(self.sides):
            for place in own.special:
                for steps in (2, 3):
                    if steps * lanes <= longest:
                        yield self.first_special(side, own, int(place), steps * lanes)
            if len(own.places("infinity")) and longest > 1:
                yield self.meeting_infinities(side, own, min(lanes + 1, longest))
                yield self.meeting_infinities(side, own, 2)

    def first_special(self, side: int, own: Classes, place: int, products: int) -> Case:
        """Give a sum of numbers but in its first step, where one factor is special and the other is not 0."""
        operands = self.nonzero(products)
        index = int(self.rng.integers(self.design.lanes))
        line = operands[side][:, index] if side == 0 else operands[side][index]
        line[...] = own.draw(np.full(line.shape, place), self.rng)
        return self.whole(Case("special in the first step", *operands))

    def meeting_infinities(self, side: int, own: Classes, products: int) -> Case:
        """Give sums in which the first product is infinite and the last one is, with the other sign."""
        operands = self.nonzero(products)
        other, both = operands[1 - side], operands[side]
        infinity = own.format_.infinity or 0
        first, last = ((slice(None), 0), (slice(None), -1)) if side == 0 else ((0,), (-1,))
        opposite = ((0,), (-1,)) if side == 0 else ((slice(None), 0), (slice(None), -1))
        both[first], both[last] = infinity, infinity | own.format_.sign_mask
        other[opposite[1]] = other[opposite[0]]
        return self.whole(Case("infinities that meet", *operands))

    def nonzero(self, products: int) -> tuple[Codes, Codes]:
        """Draw operands that are neither zero nor subnormal."""
        a, b = (
            side.draw(self.rng.choice(side.places("smallest", "normal", "one", "largest"), shape), self.rng)
            for side, shape in zip(self.sides, ((self.rows(), products), (products, self.cols)), strict=True)
        )
        return a, b
