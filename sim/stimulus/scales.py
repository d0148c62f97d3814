"""Scales of blocks for benches: drawn ones, and the sums that the model gives with them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.design import Design
from lmul.golden import Codes, Sums, matmul_codes
from lmul.golden.formats.block_scale import E8M0_BIAS, E8M0_NAN, SCALES
from lmul.golden.sums.blocks.scales import Scales

MOODS = {"near one": (0, 8), "far from one": (0, 40), "tiny": (-140, 14), "huge": (120, 14), "any": (0, 254)}
"""Where the sum of the exponents of both scales of a product lies, and how far from that it may be."""

NAN_SHARE, NAN_CODES = 1 / 8, 1 / 16
"""Matrix products in which scales are NaN, and how many of them are."""

POWERS_OF_TWO = {name for name, scale in SCALES.items() if scale.power_of_two}
"""Kinds whose scales are E8M0."""

ONE = {"nvfp4": 0x38} | dict.fromkeys(POWERS_OF_TWO, E8M0_BIAS)
"""The code of 1."""

NVFP4_ENDS = [0, 1, 7, 8, 0x37, 0x38, 0x7E, 0x80, 0xB8, 0xFE]
"""Zero, subnormal and normal ends, and some with a sign, which is not looked at."""


def parts(design: Design, products: int) -> int:
    """Give how many scales an operand has in all steps of a sum of so many products."""
    return -(-products // design.lanes) * design.scales_a_step


def neutral_scales(design: Design, shape: tuple[int, int, int]) -> Scales | None:
    """Give scales of 1 for a matrix product of M x K and K x N operands, None for a design without any."""
    rows, products, columns = shape
    count = parts(design, products)
    if not count:
        return None
    one = ONE[design.scale]
    return Scales(np.full((rows, count), one, np.uint8), np.full((count, columns), one, np.uint8))


def draw_scales(design: Design, shape: tuple[int, int, int], rng: np.random.Generator) -> Scales | None:
    """Draw scales for every step of a matrix product of M x K and K x N operands.

    The sum of both exponents is near zero, or at an end of fp32's range, or anything; the exponents of either
    are anything. Now and then some scales are NaN.

    Parameters
    ----------
    design : Design
    shape : tuple of int
        M, K and N.
    rng : numpy.random.Generator
    """
    rows, products, columns = shape
    count = parts(design, products)
    if not count:
        return None
    draw = _e4m3_scales if design.scale == "nvfp4" else _e8m0_scales
    a, b = draw((rows, count), (count, columns), rng)
    if rng.random() < NAN_SHARE:
        nan = 0x7F if design.scale == "nvfp4" else E8M0_NAN
        a, b = (np.where(rng.random(codes.shape) < NAN_CODES, nan, codes) for codes in (a, b))
    return Scales(a.astype(np.uint8), b.astype(np.uint8))


def _e8m0_scales(
    first: tuple[int, int], second: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any]]:
    middle, spread = MOODS[str(rng.choice([*MOODS]))]
    # Of each step: where the scales of a are, so that those of b bring their sum to where it should be.
    reach = int(rng.choice([0, 20, 100]))
    centres = rng.integers(-reach, reach + 1, first[1]) + 127 + middle // 2
    others = 254 + middle - centres
    a = centres + rng.integers(-spread // 2, spread // 2 + 1, first)
    b = others[:, None] + rng.integers(-spread // 2, spread // 2 + 1, second)
    return np.clip(a, 0, 254), np.clip(b, 0, 254)


def _e4m3_scales(
    first: tuple[int, int], second: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any]]:
    kind = int(rng.choice(3))
    drawn = [
        [rng.integers(0x30, 0x41, shape), rng.choice(NVFP4_ENDS, shape), rng.integers(0, 0x7F, shape)][kind]
        for shape in (first, second)
    ]
    return drawn[0], drawn[1]


def seeded_scales(design: Design, a: Codes, b: Codes) -> Scales | None:
    """Draw scales for a matrix product, the same ones whenever it is asked for."""
    shape = len(a), a.shape[1], b.shape[1]
    return draw_scales(design, shape, np.random.default_rng(shape))


def model_sums(
    a: Codes, b: Codes, design: Design, scales: Scales | None, start: NDArray[np.uint32] | None = None
) -> Sums:
    """Give the sums of the golden model, of operands that have scales for whole steps."""
    if scales is None:
        return matmul_codes(a, b, design, start)
    missing = -a.shape[1] % design.lanes
    a, b = np.pad(a, ((0, 0), (0, missing))), np.pad(b, ((0, missing), (0, 0)))
    return matmul_codes(a, b, design, start, scales.a, scales.b)
