"""Boolean functions as Liberty writes them: parsed once, evaluated on words of bits, printed as Verilog.

Operators from the tightest to the loosest, as in the Liberty reference manual: ``'`` (after) and ``!``
(before) for NOT, ``^``, then ``&``, ``*`` or mere juxtaposition for AND, then ``|`` or ``+``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from lmul.errors import UserError

Words = NDArray[np.uint64]

ONES = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_TOKEN = re.compile(r"\s*([A-Za-z_]\w*|[01!'^&*|+()])")
# A function within Python's depth of recursion; libraries need half a dozen.
_DEEPEST = 64
# 16 MiB of words.
_MOST_PINS = 16
_PLAIN = {"*": "&", "+": "|"}


@dataclass(frozen=True)
class Expression:
    """A Boolean function of pins.

    Parameters
    ----------
    operator : str
        ``"0"``, ``"1"``, ``"pin"``, ``"!"``, ``"&"``, ``"|"`` or ``"^"``.
    operands : tuple of Expression
        One for ``"!"``, two or more for the binary operators, none otherwise.
    pin : str
        Name of the pin where `operator` is ``"pin"``.
    """

    operator: str
    operands: tuple["Expression", ...] = ()
    pin: str = ""

    def evaluate(self, values: Mapping[str, Words]) -> Words:
        """Evaluate bit by bit.

        Parameters
        ----------
        values : mapping of pin name to uint64 array
            Arrays that broadcast together; every bit is a case of its own.

        Returns
        -------
        uint64 array
            The function of each bit; zero-dimensional for a constant.
        """
        match self.operator:
            case "pin":
                return values[self.pin]
            case "!":
                return ~self.operands[0].evaluate(values)
            case "0" | "1":
                return np.asarray(ONES if self.operator == "1" else 0, dtype=np.uint64)
        combine = {"&": np.bitwise_and, "|": np.bitwise_or, "^": np.bitwise_xor}[self.operator]
        return reduce(combine, (operand.evaluate(values) for operand in self.operands))

    def verilog(self) -> str:
        """Write the function as a Verilog expression of the pin names.

        Returns
        -------
        str
            Fully parenthesised where operators mix.
        """
        match self.operator:
            case "pin":
                return self.pin
            case "0" | "1":
                return f"1'b{self.operator}"
            case "!":
                return f"~{self.operands[0].verilog()}"
        return "(" + f" {self.operator} ".join(operand.verilog() for operand in self.operands) + ")"

    def pins(self) -> frozenset[str]:
        """Names of the pins that the function reads."""
        return frozenset({self.pin} if self.pin else ()).union(*(part.pins() for part in self.operands))

    def truth_table(self) -> tuple[bool, ...]:
        """List the values for every input combination.

        Returns
        -------
        tuple of bool
            Entry ``i`` is the value where pin ``j`` of the sorted pins is bit ``j`` of ``i``.
        """
        pins = sorted(self.pins())
        words = self.evaluate(dict(zip(pins, input_combinations(len(pins)), strict=True)))
        return tuple(bool(word) for word in np.broadcast_to(words, 1 << len(pins)))


def input_combinations(pins: int) -> Words:
    """Words of all combinations of `pins` inputs.

    Parameters
    ----------
    pins : int
        Number of inputs.

    Returns
    -------
    uint64 array, shape (pins, 2 ** pins)
        Row ``j`` holds all ones where bit ``j`` of the column number is set, else zero.
    """
    columns = np.arange(1 << pins, dtype=np.uint64)
    bits = (columns >> np.arange(pins, dtype=np.uint64)[:, np.newaxis]) & np.uint64(1)
    return bits * ONES


def timing_sense(function: Expression | None, pin: str, when: Expression | None) -> str:
    """Tell how an output follows an input: what Liberty calls ``timing_sense``.

    Parameters
    ----------
    function : Expression or None
        Of the output; None where it is not known.
    pin : str
        Name of the input.
    when : Expression or None
        The state of the other pins to look at; None if all.

    Returns
    -------
    str
        ``"positive_unate"`` where a rising input never lets the output fall, ``"negative_unate"`` where it
        never lets it rise, ``"non_unate"`` where it does both, nothing is known or there are more than 16
        pins.
    """
    if function is None or pin not in function.pins():
        return "non_unate"
    others = sorted((function.pins() | (when.pins() if when else frozenset())) - {pin})
    if len(others) > _MOST_PINS:
        return "non_unate"
    values = dict(zip(others, input_combinations(len(others)), strict=True))
    zeros = np.zeros(1 << len(others), dtype=np.uint64)
    low, high = (function.evaluate(values | {pin: level}) for level in (zeros, ~zeros))
    possible = np.broadcast_to(ONES, zeros.shape) if when is None else _possible(when, values, pin, zeros)
    rises, falls = (bool((possible & edge).any()) for edge in (~low & high, low & ~high))
    return {(True, False): "positive_unate", (False, True): "negative_unate"}.get((rises, falls), "non_unate")


def _possible(when: Expression, values: Mapping[str, Words], pin: str, zeros: Words) -> Words:
    """Tell where a state is, whatever the pin itself is."""
    return when.evaluate({**values, pin: zeros}) | when.evaluate({**values, pin: ~zeros})


def parse_function(text: str) -> Expression:
    """Parse a Boolean function of a Liberty file.

    Parameters
    ----------
    text : str
        For example ``"!(A1 & A2)"`` or ``"A B' + C"``.

    Returns
    -------
    Expression
        The function.

    Raises
    ------
    UserError
        If the text is no Boolean function.
    """
    return _Parser(text).parse()


class _Parser:
    """Recursive descent over the tokens of one function, one method for each level of precedence."""

    def __init__(self, text: str):
        self._text = text
        self._depth = 0
        self._tokens = self._tokenise(text)

    def _tokenise(self, text: str) -> list[str]:
        tokens, position, end = [], 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error()
            tokens.append(_PLAIN.get(match[1], match[1]))
            position = match.end()
        return tokens[::-1]

    def _error(self) -> UserError:
        return UserError(f"not a Boolean function of a Liberty file: {self._text!r}")

    def _next(self) -> str:
        return self._tokens[-1] if self._tokens else ""

    def parse(self) -> Expression:
        function = self._disjunction()
        if self._tokens:
            raise self._error()
        return function

    def _disjunction(self) -> Expression:
        terms = [self._conjunction()]
        while self._next() == "|":
            self._tokens.pop()
            terms.append(self._conjunction())
        return terms[0] if len(terms) == 1 else Expression("|", tuple(terms))

    def _conjunction(self) -> Expression:
        factors = [self._parity()]
        while self._next() not in {"", "|", ")"}:
            if self._next() == "&":
                self._tokens.pop()
            factors.append(self._parity())
        return factors[0] if len(factors) == 1 else Expression("&", tuple(factors))

    def _parity(self) -> Expression:
        parts = [self._inversion()]
        while self._next() == "^":
            self._tokens.pop()
            parts.append(self._inversion())
        return parts[0] if len(parts) == 1 else Expression("^", tuple(parts))

    def _inversion(self) -> Expression:
        inverted = self._inversions("!")
        operand = self._primary()
        inverted ^= self._inversions("'")
        return Expression("!", (operand,)) if inverted else operand

    def _inversions(self, mark: str) -> bool:
        inverted = False
        while self._next() == mark:
            self._tokens.pop()
            inverted = not inverted
        return inverted

    def _primary(self) -> Expression:
        word = self._tokens.pop() if self._tokens else ""
        if word in {"0", "1"}:
            return Expression(word)
        if word == "(":
            self._depth += 1
            if self._depth > _DEEPEST:
                raise self._error()
            inner = self._disjunction()
            self._depth -= 1
            if self._next() != ")":
                raise self._error()
            self._tokens.pop()
            return inner
        if word[:1].isalpha() or word[:1] == "_":
            return Expression("pin", pin=word)
        raise self._error()
