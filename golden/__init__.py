"""The arithmetic to the bit, in NumPy: what every other part of the project is compared with."""

from lmul.golden.arithmetic import ACCUMULATORS, MULTIPLIERS, OUTPUTS, Arithmetic
from lmul.golden.codec import decode, encode
from lmul.golden.formats import E4M3, FORMATS, Format
from lmul.golden.matmul import Sums, matmul
from lmul.golden.multiply import WideProduct, multiply, product_table, wide_product
from lmul.golden.quantise import Quantised, quantise

__all__ = [
    "ACCUMULATORS",
    "E4M3",
    "FORMATS",
    "MULTIPLIERS",
    "OUTPUTS",
    "Arithmetic",
    "Format",
    "Quantised",
    "Sums",
    "WideProduct",
    "decode",
    "encode",
    "matmul",
    "multiply",
    "product_table",
    "quantise",
    "wide_product",
]
