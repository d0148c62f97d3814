"""Cells as expressions of Verilog.

Every expression here is as wide as the cell's result when it stands alone, and unsigned: its operands have
that width already. So it keeps its meaning wherever it is put, as long as what stands around it has the same
width or takes operands as they are (IEEE 1364-2005, 5.4 and 5.5).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from lmul.hdl.verilog.netlist import COMPARISONS, LOGICAL, REDUCTIONS, Bit, Cell

_BINARY = {
    "$and": "&",
    "$or": "|",
    "$xor": "^",
    "$add": "+",
    "$sub": "-",
    "$mul": "*",
    "$eq": "==",
    "$ne": "!=",
    "$lt": "<",
    "$le": "<=",
    "$gt": ">",
    "$ge": ">=",
    "$shl": "<<",
    "$sshl": "<<",
    "$shr": ">>",
    "$sshr": ">>",
    "$shift": ">>",
    "$shiftx": ">>",
    "$logic_and": "&&",
    "$logic_or": "||",
}
_UNARY = {
    "$not": "~",
    "$neg": "-",
    "$reduce_and": "&",
    "$reduce_or": "|",
    "$reduce_bool": "|",
    "$reduce_xor": "^",
    "$reduce_xnor": "~^",
    "$logic_not": "~",
}

_JOINING = ("&", "|", "^")
_JOINED = 4
"""Most single bits of a reduction that are written with operators between them."""


@dataclass(frozen=True)
class Expression:
    """Text of an expression.

    Parameters
    ----------
    text : str
    simple : bool
        Whether it can be an operand without parentheses.
    parts : tuple of Expression
        Of a concatenation.
    """

    text: str
    simple: bool = True
    parts: tuple["Expression", ...] = ()

    @property
    def operand(self) -> str:
        """The text as an operand."""
        return self.text if self.simple else f"({self.text})"


Read = Callable[[Sequence[Bit]], Expression]


def literal(bits: Sequence[Bit]) -> str:
    """Write constant bits, least significant first."""
    return f"{len(bits)}'h{int(''.join(map(str, reversed(bits))), 2):x}"


def concatenation(parts: Sequence[Expression]) -> Expression:
    """Join expressions, most significant first, and write those once that are the same several times."""
    if len(parts) == 1:
        return parts[0]
    runs = [(text, len(list(run))) for text, run in groupby(part.text for part in parts)]
    texts = [text if count == 1 else f"{{{count}{{{text}}}}}" for text, count in runs]
    return Expression(texts[0] if len(texts) == 1 else "{" + ", ".join(texts) + "}", parts=tuple(parts))


def expression(cell: Cell, read: Read) -> Expression:
    """Write what a combinational cell computes.

    Parameters
    ----------
    cell : Cell
    read : callable
        Gives an expression for bits, as wide as they are many.
    """
    kind, inputs = cell.kind, cell.inputs
    if kind == "$mux":
        return _choice(inputs["S"], inputs["B"], read(inputs["A"]), read)
    if kind == "$pmux":
        return _choices(cell, read)
    operands = [read(inputs[port]) for port in sorted(inputs)]
    if kind in LOGICAL | {"$logic_not"}:
        operands = [
            _is_nonzero(found, inputs[port]) for found, port in zip(operands, sorted(inputs), strict=True)
        ]
    if kind == "$xnor":
        return Expression(f"~({operands[0].operand} ^ {operands[1].operand})")
    if cell.signed and (kind == "$sshr" or kind in COMPARISONS):
        return _signed(cell, operands)
    single = (*COMPARISONS, *REDUCTIONS, *LOGICAL)
    found = _operation(kind, operands, [len(inputs[port]) for port in sorted(inputs)])
    missing = len(cell.result) - 1 if kind in single else 0
    return concatenation([Expression(literal("0" * missing)), found]) if missing else found


def _is_nonzero(operand: Expression, bits: Sequence[Bit]) -> Expression:
    """Make one bit of a number, as logical operators ask for."""
    return operand if len(bits) == 1 else Expression(f"|{operand.operand}", simple=False)


def _operation(kind: str, operands: list[Expression], widths: list[int]) -> Expression:
    if kind in _BINARY:
        first, second = operands
        return Expression(f"{first.operand} {_BINARY[kind]} {second.operand}", simple=False)
    parts = [part.operand for part in reversed(operands[0].parts)]
    operator = _UNARY[kind]
    if operator in _JOINING and 1 < len(parts) == widths[0] <= _JOINED:
        joined = parts[0]
        for number, part in enumerate(parts[1:]):
            joined = f"{f'({joined})' if number else joined} {operator} {part}"
        return Expression(joined, simple=False)
    # `^~` would be one operator.
    operand = f"({operands[0].text})" if operands[0].text[0] in "~&|^!-" else operands[0].operand
    return Expression(f"{operator}{operand}", simple=operator == "~")


def _signed(cell: Cell, operands: list[Expression]) -> Expression:
    """Compare or shift signed numbers; the result is unsigned, so that it can stand anywhere."""
    first = f"$signed({operands[0].text})"
    if cell.kind in COMPARISONS:
        return Expression(f"{first} {_BINARY[cell.kind]} $signed({operands[1].text})", simple=False)
    return Expression(f"$unsigned({first} >>> {operands[1].operand})")


def _choice(select: Sequence[Bit], chosen: Sequence[Bit], other: Expression, read: Read) -> Expression:
    text = f"{read(select).operand} ? {read(chosen).operand} : {other.operand}"
    return Expression(text, simple=False)


def _choices(cell: Cell, read: Read) -> Expression:
    """Choose the word of the first selecting bit that is set; Yosys leaves open which of several counts."""
    found, width = read(cell.inputs["A"]), len(cell.result)
    for index in reversed(range(len(cell.inputs["S"]))):
        word = cell.inputs["B"][index * width : (index + 1) * width]
        found = _choice(cell.inputs["S"][index : index + 1], word, found, read)
    return found
