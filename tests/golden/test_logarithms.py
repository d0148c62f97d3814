"""Operands that are rounded as logarithms: their codes, and what integer addition makes of them."""

import numpy as np
import pytest

from lmul.golden import (
    BF16,
    E4M3,
    E5M2,
    INT8,
    Arithmetic,
    Format,
    decode,
    find_format,
    matmul,
    quantise,
    wide_product,
)
from tests.support.golden.cases import by_name


@pytest.mark.parametrize("format_", [E4M3, E5M2, BF16, find_format("e3m4")], **by_name)
def test_a_code_is_that_of_the_nearest_power_by_its_exponent(format_: Format) -> None:
    codes = np.arange(format_.smallest_normal, format_.largest_finite + 1)[-2000:]
    powers = 2.0 ** (codes / (1 << format_.mantissa_bits) - format_.bias)
    step = 2.0 ** (0.5 / (1 << format_.mantissa_bits))
    for sign in (1, -1):
        for factor in (1.0, step * (1 - 1e-9), (1 + 1e-9) / step):
            # The largest magnitude stands for the largest code, whatever the scale.
            reals = sign * np.append(powers[:-1] * factor, powers[-1])
            found = quantise(reals, format_, "log")
            wanted = codes | (format_.sign_mask if sign < 0 else 0)
            assert np.array_equal(found.codes, wanted)
    assert quantise([0.0, 1.0], format_, "log").codes[0] == 0


def test_integer_addition_multiplies_what_was_rounded_so_but_for_its_reading_of_the_sum() -> None:
    codes = np.arange(E4M3.smallest_normal, E4M3.largest_finite + 1)
    powers = 2.0 ** (codes / 8 - E4M3.bias)
    found = wide_product(codes[:, None], codes, Arithmetic(mul="mitchell")) / (powers[:, None] * powers)
    # (1 + z) / 2^z is from 1 to 1.0615, of z from 0 to 1, and does not depend on the operands else.
    fraction = (codes[:, None] + codes) % 8 / 8
    np.testing.assert_allclose(found, (1 + fraction) / 2**fraction, rtol=1e-12)
    read = decode(codes, E4M3)
    plain = wide_product(codes[:, None], codes, Arithmetic(mul="mitchell")) / (read[:, None] * read)
    assert np.std(found) / np.mean(found) < 0.6 * np.std(plain) / np.mean(plain)


def test_products_of_logarithms_have_less_error() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(64, 256)), rng.normal(size=(256, 64))
    true, arithmetic = a @ b, Arithmetic(mul="mitchell")

    def error(rounding: str) -> float:
        found = matmul(a, b, arithmetic, rounding=rounding)  # type: ignore[arg-type]
        gain = np.sum(found * true) / np.sum(true**2)
        return float(np.std(found / gain - true))

    assert error("log") < 0.9 * error("nearest")


def test_integers_have_no_logarithms() -> None:
    with pytest.raises(ValueError, match="rounding log is not for int8"):
        quantise([1.0], INT8, "log")
    with pytest.raises(ValueError, match="must be one of nearest, truncate, log"):
        quantise([1.0], E4M3, "up")  # type: ignore[arg-type]
