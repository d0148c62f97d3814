"""The arithmetic to the bit, in NumPy: what every other part of the project is compared with."""

from lmul.golden.accumulators import ACCUMULATORS
from lmul.golden.arithmetic import OUTPUTS, SUBNORMALS, Arithmetic
from lmul.golden.formats.codec import OVERFLOWS, ROUNDINGS, RoundMode, decode, encode
from lmul.golden.formats.format import (
    BF16,
    E4M3,
    E5M2,
    FORMATS,
    FP16,
    FP32,
    INT4,
    INT8,
    INTEGERS,
    SPECIALS,
    Codes,
    Format,
    Integer,
    find_format,
)
from lmul.golden.formats.quantise import SCALINGS, Quantised, quantise
from lmul.golden.matmul import matmul_codes, promoted_sums
from lmul.golden.products.multiply import multiply, wide_product
from lmul.golden.scaled import matmul, multiply_scaled, quantise_factor
from lmul.golden.sums.fused.step import fused_step
from lmul.golden.sums.result import Sums
from lmul.multipliers.addc import addc_carry
from lmul.multipliers.table import DESCRIPTIONS as MULTIPLIERS

__all__ = [
    "ACCUMULATORS",
    "BF16",
    "E4M3",
    "E5M2",
    "FORMATS",
    "FP16",
    "FP32",
    "INT4",
    "INT8",
    "INTEGERS",
    "MULTIPLIERS",
    "OUTPUTS",
    "OVERFLOWS",
    "ROUNDINGS",
    "SCALINGS",
    "SPECIALS",
    "SUBNORMALS",
    "Arithmetic",
    "Codes",
    "Format",
    "Integer",
    "Quantised",
    "RoundMode",
    "Sums",
    "addc_carry",
    "decode",
    "encode",
    "find_format",
    "fused_step",
    "matmul",
    "matmul_codes",
    "multiply",
    "multiply_scaled",
    "promoted_sums",
    "quantise",
    "quantise_factor",
    "wide_product",
]
