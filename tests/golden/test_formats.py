"""Where the bits of each format are, and what the parameters of an arithmetic may be."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lmul.golden import ACCUMULATORS, FORMATS, MULTIPLIERS, OUTPUTS, Arithmetic, decode, find_format
from lmul.golden.formats.format import OTHER_NAMES
from lmul.multipliers.lmul import lmul_offset
from tests.support.golden.cases import EXMY, IEEE_TWINS, ORACLES


@pytest.mark.parametrize("name", ORACLES)
def test_extremes_and_widths_are_those_of_the_oracle(name: str) -> None:
    format_, oracle = find_format(name), ml_dtypes.finfo(ORACLES[name])
    assert (format_.largest, format_.smallest) == (float(oracle.max), float(oracle.smallest_normal))
    assert (format_.width, format_.mantissa_bits) == (oracle.bits, oracle.nmant)
    assert find_format(name) is format_


@pytest.mark.parametrize(
    ("name", "largest", "infinity", "nan"),
    [
        ("e4m3", 0x7E, None, 0x7F),
        ("e5m2", 0x7B, 0x7C, 0x7E),
        ("e3m4", 0x6F, 0x70, 0x78),
        ("e3m2", 0x1F, None, None),
        ("e2m3", 0x1F, None, None),
        ("e2m1", 0x07, None, None),
        ("bf16", 0x7F7F, 0x7F80, 0x7FC0),
        ("fp16", 0x7BFF, 0x7C00, 0x7E00),
        ("fp32", 0x7F7FFFFF, 0x7F800000, 0x7FC00000),
        ("e4m3ieee", 0x77, 0x78, 0x7C),
        ("e4m3finite", 0x7F, None, None),
        ("e2m2", 0x0B, 0x0C, 0x0E),
        ("e3m1", 0x0D, 0x0E, 0x0F),
        ("e8m1", 0x1FD, 0x1FE, 0x1FF),
    ],
)
def test_largest_infinity_and_canonical_nan(
    name: str, largest: int, infinity: int | None, nan: int | None
) -> None:
    format_ = find_format(name)
    assert (format_.largest_finite, format_.infinity, format_.nan) == (largest, infinity, nan)


@pytest.mark.parametrize("format_", [*FORMATS.values(), *EXMY, *IEEE_TWINS], ids=lambda f: f.name)
def test_fields_fill_the_width_and_follow_each_other(format_: Any) -> None:
    assert format_.width == 1 + format_.exponent_bits + format_.mantissa_bits
    assert format_.sign_mask | format_.magnitude_mask == (1 << format_.width) - 1
    assert format_.sign_mask == 1 << (format_.width - 1)
    assert format_.smallest_normal == format_.mantissa_mask + 1 == 1 << format_.mantissa_bits
    assert format_.bias == 2 ** (format_.exponent_bits - 1) - 1
    assert format_.min_exponent == 1 - format_.bias
    assert format_.dtype.itemsize * 8 >= format_.width > format_.dtype.itemsize * 4 or format_.width <= 8


@pytest.mark.parametrize("name", ["e2m1", "e4m3", "e5m2", "e3m4", "e3m2", "e2m3"])
def test_named_formats_go_before_ieee_like_ones_of_the_same_fields(name: str) -> None:
    assert find_format(name) is FORMATS[name]


def test_all_other_fields_are_ieee_like() -> None:
    for exponent_bits in range(2, 9):
        for mantissa_bits in range(1, 24):
            format_ = find_format(f"e{exponent_bits}m{mantissa_bits}")
            assert (format_.exponent_bits, format_.mantissa_bits) == (exponent_bits, mantissa_bits)
            assert format_.specials == "ieee" or format_.name in FORMATS


@pytest.mark.parametrize(
    "name", ["", "e1m3", "e9m3", "e4m0", "e4m24", "E4M3", "e4m3 ", "e04m3", "e4m03", "fp8", "float64"]
)
def test_unknown_formats_are_refused_with_what_would_be_right(name: str) -> None:
    with pytest.raises(ValueError, match="eXmY with X from 2 to 8 and Y from 1 to 23"):
        find_format(name)


def test_every_format_has_the_name_that_its_oracle_has() -> None:
    assert {np.dtype(oracle).name: name for name, oracle in ORACLES.items()} == OTHER_NAMES


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_formats_of_other_names_have_the_values_of_those_dtypes(name: str) -> None:
    format_, dtype = find_format(name), np.dtype(getattr(ml_dtypes, name, name))
    codes = np.arange(0, 1 << format_.width, max(1, (1 << format_.width) // 4099)).astype(format_.dtype)
    with np.errstate(invalid="ignore"):
        theirs = codes.view(dtype).astype(np.float64)
    np.testing.assert_array_equal(decode(codes, format_), theirs)
    assert find_format(f"torch.{name}") is format_ is find_format(OTHER_NAMES[name])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("torch.float8_e4m3fnuz", "has another bias and no -0: it must be float8_e4m3fn"),
        ("float8_e4m3b11fnuz", "has another bias and no -0: it must be float8_e4m3fn"),
        ("float8_e5m2fnuz", "has another bias and no -0: it must be float8_e5m2"),
    ],
)
def test_dtypes_that_look_like_formats_are_refused_with_the_difference(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^format '{name}' {reason}$"):
        find_format(name)


@pytest.mark.parametrize(
    ("mantissa_bits", "offset"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (7, 4), (10, 4), (23, 4)]
)
def test_offset_exponent_is_that_of_the_paper(mantissa_bits: int, offset: int) -> None:
    assert lmul_offset(mantissa_bits) == offset


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"mul": "LMUL"}, "mul 'LMUL' is unknown: it must be one of lmul, "),
        ({"acc": "fp64"}, "acc 'fp64' is unknown: it must be one of exact, "),
        ({"acc": "fixed:8"}, "acc 'fixed:8' is unknown"),
        ({"acc": "fixed:8:-4:1"}, "is unknown"),
        ({"acc": "fixed:BITS:LSB"}, "takes numbers"),
        ({"acc": "fixed:1:0"}, "BITS must be from 2 to 512"),
        ({"acc": "fixed:513:0"}, "BITS must be from 2 to 512"),
        ({"acc": "fixed:24:257"}, "LSB from -512 to 256"),
        ({"acc": "fixed:24:-513"}, "LSB from -512 to 256"),
        ({"out": "fp16"}, "out 'fp16' is unknown: it must be one of fp32, bf16, raw"),
        ({"subnormals": "keep"}, "subnormals 'keep' is unknown: it must be one of flush, full"),
        ({"overflow": "wrap"}, "overflow 'wrap' is unknown: it must be one of saturate, ieee"),
        ({"lanes": 0}, "lanes must be a whole number from 1, not 0"),
        ({"lanes": 2.0}, "lanes must be a whole number"),
        ({"lanes": True}, "lanes must be a whole number"),
        ({"depth": -1}, "depth must be a whole number from 1, not -1"),
        (
            {"mul": "addc", "format": FORMATS["bf16"]},
            "addc' is defined for at most 4 mantissa bits.*7 of bf16",
        ),
        (
            {"mul": "addc", "format_b": FORMATS["fp16"]},
            "at most 4 mantissa bits, not for the 10 of e4m3xfp16",
        ),
    ],
)
def test_bad_parameters_are_refused_with_what_would_be_right(
    parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Arithmetic(**parameters)


def test_every_name_offered_is_accepted() -> None:
    for mul in MULTIPLIERS:
        assert Arithmetic(mul=mul).mul == mul
    for acc in ACCUMULATORS:
        example = acc.replace("BITS", "24").replace("LSB", "-8").replace("F[:M[:rne]]", "13:7:rne")
        assert Arithmetic(acc=example, format=FORMATS["fp16"]).acc == example or acc in {"h100", "b200"}
    for out in OUTPUTS:
        assert Arithmetic(out=out).out == out


def test_two_formats_have_the_wider_mantissa() -> None:
    mixed = Arithmetic(format=FORMATS["e4m3"], format_b=FORMATS["fp16"])
    assert (mixed.mantissa_bits, mixed.format_names) == (10, "e4m3xfp16")
    assert Arithmetic(format_b=FORMATS["e4m3"]).format_names == "e4m3"
