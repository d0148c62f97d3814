"""Two's complement: numbers widened by their sign, and written as the unsigned rows of a sum."""

from amaranth import Cat, Const, Value


def signed_rows(terms: list[Value], signs: list[Value], bits: int) -> list[Value]:
    """Write signed numbers as unsigned ones that have the same sum modulo 2^bits.

    A sign bit of weight -2^T is its inverse of weight 2^T, less 2^T. What is to be taken off, the
    same for all, is one constant, which fits above the first number's sign. With an odd number of
    terms one is extended by its sign instead.

    Parameters
    ----------
    terms : list of Value
        T bits each.
    signs : list of Value
    bits : int
    """
    width = len(terms[0])
    rows: list[Value] = [Cat(term, ~sign) for term, sign in zip(terms, signs, strict=True)]
    if len(terms) % 2:
        rows[-1] = Cat(terms[-1], signs[-1].replicate(bits - width))
    pairs = len(terms) // 2
    if pairs:
        above = bits - width - 1
        rows[0] = Cat(rows[0], Const(-pairs % (1 << above), above))
    return rows


def sign_extend(value: Value, bits: int) -> Value:
    """Widen a two's complement number."""
    return Cat(value, value[-1].replicate(bits - len(value)))
