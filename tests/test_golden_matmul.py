"""Dot products and matrix products of codes, their flags and outputs, and the quantiser in front."""

from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmul.golden import E4M3, MULTIPLIERS, Arithmetic, Sums, decode, matmul, quantise, reference

LANES = (1, 3, 4, 8)
MAX, MIN = 0x7E, 0xFE  # 448 and -448

drawn = settings(derandomize=True, deadline=None, max_examples=100)
any_arithmetic = st.builds(Arithmetic, mul=st.sampled_from(list(MULTIPLIERS)), lanes=st.sampled_from(LANES))
any_code = st.integers(0, 255)
numbers = any_code.filter(lambda code: code & 0x7F != 0x7F)


def vectors(codes: st.SearchStrategy[int]) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Draw pairs of factors: K from 0 to 20 is often no multiple of the lanes."""
    return st.lists(st.tuples(codes, codes), max_size=20)


def dot(pairs: list[tuple[int, int]], arithmetic: Arithmetic) -> Sums:
    codes = np.array(pairs, dtype=np.uint8).reshape(-1, 2)
    return matmul(codes[None, :, 0], codes[:, 1, None], arithmetic)


def value(sums: Sums, arithmetic: Arithmetic) -> Fraction:
    return sums.raw.item() * Fraction(2) ** arithmetic.lsb_exponent


def sums_of(raw: list[int]) -> Sums:
    no = np.zeros(len(raw), dtype=np.bool_)
    return Sums(np.array(raw, dtype=np.int64), no, no)


def nearest_fp32(exact: Fraction) -> Fraction:
    """Round to 24 significant bits, ties to even, far from both ends of binary32."""
    if exact == 0:
        return exact
    exponent = abs(exact).numerator.bit_length() - exact.denominator.bit_length() - 24
    while abs(exact) / Fraction(2) ** exponent >= 1 << 24:
        exponent += 1
    return round(exact / Fraction(2) ** exponent) * Fraction(2) ** exponent


def real(pattern: int) -> Fraction:
    return Fraction(float(np.uint32(pattern).view(np.float32)))


@drawn
@given(vectors(numbers), any_arithmetic)
def test_sum_is_exact(pairs: list[tuple[int, int]], arithmetic: Arithmetic) -> None:
    sums = dot(pairs, arithmetic)
    exact = reference.dot([a for a, _ in pairs], [b for _, b in pairs], arithmetic)
    assert exact is not None
    assert value(sums, arithmetic) == exact
    assert not sums.nan.item()
    assert not sums.overflow.item()
    assert real(sums.output(arithmetic).item()) == nearest_fp32(exact)


@drawn
@given(vectors(st.one_of(numbers, st.sampled_from([0x7F, 0xFF]))), any_arithmetic)
def test_nan_products_set_the_flag_and_count_as_zero(
    pairs: list[tuple[int, int]], arithmetic: Arithmetic
) -> None:
    products = [reference.wide_product(a, b, arithmetic) for a, b in pairs]
    sums = dot(pairs, arithmetic)
    assert sums.nan.item() == (None in products)
    assert value(sums, arithmetic) == sum(product or 0 for product in products)
    assert (sums.output(arithmetic).item() == 0x7FC00000) == (None in products)


@drawn
@given(st.data(), vectors(any_code), any_arithmetic)
def test_order_does_not_matter_within_depth(
    data: st.DataObject, pairs: list[tuple[int, int]], arithmetic: Arithmetic
) -> None:
    assert dot(data.draw(st.permutations(pairs)), arithmetic) == dot(pairs, arithmetic)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_elements_are_dot_products_of_rows_and_columns(mul: str, lanes: int) -> None:
    arithmetic = Arithmetic(mul=mul, lanes=lanes)
    generator = np.random.default_rng(1)
    a, b = generator.integers(0, 256, (5, 10)), generator.integers(0, 256, (10, 3))
    a[1:, :], b[:, 1:] = (np.where(codes & 0x7F == 0x7F, 0, codes) for codes in (a[1:, :], b[:, 1:]))
    a[0, 4], b[7, 0] = 0x7F, 0xFF
    sums = matmul(a, b, arithmetic)
    for row, column in np.ndindex(5, 3):
        alone = matmul(a[[row], :], b[:, [column]], arithmetic)
        assert sums.raw[row, column] == alone.raw.item()
        assert sums.nan[row, column] == alone.nan.item() == (row == 0 or column == 0)


@drawn
@given(any_arithmetic, st.data())
def test_fp32_output_is_the_sum_rounded_once(arithmetic: Arithmetic, data: st.DataObject) -> None:
    limit = 1 << (arithmetic.accumulator_bits - 1)
    raw = data.draw(st.integers(-limit, limit - 1))
    exact = raw * Fraction(2) ** arithmetic.lsb_exponent
    assert real(sums_of([raw]).output(arithmetic).item()) == nearest_fp32(exact)


@pytest.mark.parametrize(
    ("raw", "pattern"),
    [
        (0, 0x00000000),
        (2**24, 0x44000000),  # 2^24 * 2^-15 = 512
        (2**24 + 1, 0x44000000),  # halfway, down to even
        (2**24 + 2, 0x44000001),
        (2**24 + 3, 0x44000002),  # halfway, up to even
        (2**25 - 1, 0x44800000),  # halfway, up into the next binade
        (2**40 + 2**16, 0x4C000000),  # halfway
        (2**40 + 2**16 + 1, 0x4C000001),  # just above: the last bit of 41 decides
        (2**40 + 3 * 2**16 - 1, 0x4C000001),  # just below halfway
    ],
)
def test_ties_of_the_fp32_output_go_to_even(raw: int, pattern: int) -> None:
    output = sums_of([raw, -raw]).output(Arithmetic(mul="lmul"))
    assert output.tolist() == [pattern, pattern | 0x80000000 if raw else 0]


def test_cancelled_and_empty_sums_are_positive_zero() -> None:
    arithmetic = Arithmetic()
    assert dot([(MAX, MAX), (MAX, MIN)], arithmetic).output(arithmetic).tolist() == [[0]]
    empty = matmul(np.zeros((2, 0), dtype=np.uint8), np.zeros((0, 3), dtype=np.uint8), arithmetic)
    assert empty.output(arithmetic).tolist() == [[0] * 3] * 2
    assert not np.any(empty.nan | empty.overflow)


@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_raw_output_is_the_register_in_twos_complement_even_with_nan(mul: str) -> None:
    arithmetic = Arithmetic(mul=mul, out="raw")
    minus_one = -(2**-arithmetic.lsb_exponent) * (9 if mul == "lmul" else 8) // 8  # -1 * 1 by either
    pairs = [(0xB8, 0x38), (0x7F, 0x38)]
    assert dot(pairs, arithmetic).output(arithmetic).item() == minus_one + (1 << arithmetic.accumulator_bits)
    assert dot([(0x38, 0x38)], arithmetic).output(arithmetic).item() == -minus_one


@pytest.mark.parametrize("depth", [1, 5, 2048])
@pytest.mark.parametrize("factor", [MAX, MIN])
@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_extremes_fit_within_depth(mul: str, factor: int, depth: int) -> None:
    arithmetic = Arithmetic(mul=mul, depth=depth)
    sums = dot([(factor, MAX)] * depth, arithmetic)
    assert not sums.overflow.item()
    assert abs(sums.raw.item()) == depth * arithmetic.largest_product


@pytest.mark.parametrize("lanes", [1, 3, 4, 8])
@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_overflow_flag_stays_when_the_sum_comes_back(mul: str, lanes: int) -> None:
    # Four full steps there and four back: whatever fits one step does not fit four.
    there_and_back = [(MAX, MAX)] * (4 * lanes) + [(MAX, MIN)] * (4 * lanes)
    sums = dot(there_and_back, Arithmetic(mul=mul, lanes=lanes, depth=1))
    assert sums.overflow.item()
    assert sums.raw.item() == 0


@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_one_step_fits_however_small_the_depth(mul: str) -> None:
    sums = dot([(MAX, MAX)] * 8, Arithmetic(mul=mul, lanes=8, depth=1))
    assert not sums.overflow.item()


@drawn
@given(st.lists(st.sampled_from([MAX, MIN, 0x79, 0xF9, 0x38]), max_size=24), any_arithmetic)
def test_register_beyond_depth_is_the_sum_modulo_its_width(factors: list[int], within: Arithmetic) -> None:
    arithmetic = Arithmetic(mul=within.mul, lanes=within.lanes, depth=1, out="raw")
    limit = 1 << (arithmetic.accumulator_bits - 1)
    weight = Fraction(2) ** arithmetic.lsb_exponent
    products = [reference.dot([factor], [MAX], arithmetic) or Fraction(0) for factor in factors]
    totals = [total / weight for total in accumulate(products)]
    after_steps = totals[arithmetic.lanes - 1 :: arithmetic.lanes] + totals[-1:]
    sums = dot([(factor, MAX) for factor in factors], arithmetic)
    assert sums.overflow.item() == any(not -limit <= total < limit for total in after_steps)
    assert -limit <= sums.raw.item() < limit
    assert sums.output(arithmetic).item() == (totals[-1] if totals else 0) % (2 * limit)


def test_register_holds_its_most_negative_value_but_not_the_negation() -> None:
    # 448 * 288: the field 126 + 121 - 55 = 192 is 2^17, half of what a register for one product spans.
    arithmetic = Arithmetic(mul="lmul", depth=1, lanes=1)
    limit = 1 << (arithmetic.accumulator_bits - 1)
    for factor, overflow in ((MIN, False), (MAX, True)):
        sums = dot([(factor, 0x79)] * 2, arithmetic)
        assert (sums.raw.item(), sums.overflow.item()) == (-limit, overflow)


@pytest.mark.parametrize(
    ("a", "b"),
    [((2, 3), (4, 2)), ((2, 3), (2, 3)), ((3,), (3, 2)), ((2, 3), (3,)), ((1, 2, 3), (3, 2)), ((), ())],
)
def test_shapes_that_do_not_fit_are_refused(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="M x K and K x N"):
        matmul(np.zeros(a, dtype=np.uint8), np.zeros(b, dtype=np.uint8), Arithmetic())


tensors = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=30)


@drawn
@given(tensors)
def test_largest_magnitude_becomes_the_largest_finite(tensor: list[float]) -> None:
    peak = int(np.argmax(np.abs(tensor)))
    quantised = quantise(tensor, E4M3)
    if tensor[peak]:
        assert quantised.codes[peak] == (MAX if tensor[peak] > 0 else MIN)
        assert quantised.scale == abs(tensor[peak]) / 448


@drawn
@given(tensors)
def test_quantisation_errs_by_at_most_half_an_ulp(tensor: list[float]) -> None:
    quantised = quantise(tensor, E4M3)
    scaled = np.abs(np.array(tensor) / quantised.scale)
    ulp = np.ldexp(1.0, np.maximum(np.frexp(scaled)[1] - 1, -6) - 3)
    error = np.abs(decode(quantised.codes, E4M3) * quantised.scale - tensor)
    assert np.all(error <= quantised.scale * ulp / 2 * (1 + 1e-9))


@pytest.mark.parametrize("shape", [(2, 3), (0,), ()])
def test_zeros_have_scale_one(shape: tuple[int, ...]) -> None:
    quantised = quantise(np.zeros(shape), E4M3)
    assert quantised.scale == 1
    assert quantised.codes.shape == shape
    assert not np.any(quantised.codes)


@pytest.mark.parametrize("tensor", [[1, np.nan], [np.inf, 1], [1, -np.inf]])
def test_tensors_with_nan_or_infinity_are_refused(tensor: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        quantise(tensor, E4M3)


@pytest.mark.filterwarnings("ignore:.*encountered in divide:RuntimeWarning")
def test_scale_below_the_range_of_float32_is_not_lost() -> None:
    tiny = quantise([2e-44], E4M3)
    assert decode(tiny.codes, E4M3) * tiny.scale == pytest.approx(2e-44)


def test_tensors_of_the_smallest_doubles_have_a_scale() -> None:
    assert quantise([0.0, 5e-324], E4M3).codes[0] == 0
