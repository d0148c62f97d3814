"""Operands taken apart in hardware: the class and the fields of a code."""

from amaranth import Cat, Const, Module, Mux, Signal, Value

from lmul.golden import Format
from lmul.hdl.primitives.shift import normalise


class Operand:
    """The class and the fields of an operand, as expressions.

    A finite operand that is not zero is 2^(exponent - operand_offset) * (1 + mantissa / 2^M).

    Parameters
    ----------
    m : Module
        Where to put the normaliser of subnormals.
    code : Value
        W bits.
    format_ : Format
    subnormals : {"flush", "full", "kept"}
        Subnormals are zeros, are normalised, or stay as they are, without a leading one.
    name : str
        Prefix of the signals' names.

    Attributes
    ----------
    sign, inf, nan : Value
    special : Value
        High for the infinities and NaN of IEEE formats.
    nonzero : Value
        Low for zeros and flushed subnormals, high for everything else.
    leading : Value
        The leading one, low for zeros and subnormals that are kept.
    mantissa : Value
        The format's M bits.
    exponent : Value
        Unsigned, at least 1 where the operand is not zero.
    """

    def __init__(self, m: Module, code: Value, format_: Format, subnormals: str, name: str) -> None:
        bits = format_.mantissa_bits
        self.sign = code[-1]
        self.mantissa: Value = code[:bits]
        self.exponent: Value = code[bits:-1]
        self.nonzero = self.exponent.any()
        self.leading: Value = Const(1, 1)
        self.inf: Value = Const(0, 1)
        self.nan: Value = Const(0, 1)
        self.special: Value = Const(0, 1)
        if format_.specials == "ieee":
            self.special = self.exponent.all()
            self.inf = self.special & ~self.mantissa.any()
            self.nan = self.special & self.mantissa.any()
        elif format_.specials == "fn":
            self.nan = code[:-1].all()
        if subnormals == "full":
            self._normalise(m, name)
        elif subnormals == "kept":
            # A subnormal's exponent is that of the smallest normal number.
            self.leading, self.nonzero = self.nonzero, code[:-1].any()
            self.exponent = Cat(self.exponent[0] | ~self.leading, self.exponent[1:])

    def _normalise(self, m: Module, name: str) -> None:
        """Shift the leading one of a subnormal mantissa out at the top, and count the places."""
        bits = len(self.mantissa)
        normal = self.nonzero
        shifted, zeros = normalise(m, self.mantissa, name)
        exponent = Signal(range((1 << len(self.exponent)) + bits), name=f"{name}_exponent")
        subnormal_exponent = Signal(range(bits + 1), name=f"{name}_subnormal_exponent")
        mantissa = Signal(bits, name=f"{name}_mantissa")
        m.d.comb += [
            # Normal exponents move up by M, so that the smallest subnormal has exponent 1.
            subnormal_exponent.eq(bits - zeros),
            exponent.eq(Mux(normal, self.exponent + bits, subnormal_exponent)),
            mantissa.eq(Mux(normal, self.mantissa, Cat(Const(0, 1), shifted[:-1]))),
        ]
        self.nonzero = normal | self.mantissa.any()
        self.exponent, self.mantissa = exponent, mantissa

    def aligned(self, mantissa_bits: int) -> Value:
        """Give the mantissa with zeros on the right, up to a width."""
        return Cat(Const(0, mantissa_bits - len(self.mantissa)), self.mantissa)


def operand_offset(format_: Format, subnormals: str) -> int:
    """Give the exponent of an operand from 1 to below 2, as `Operand` counts it."""
    return format_.bias + (format_.mantissa_bits if subnormals == "full" else 0)
