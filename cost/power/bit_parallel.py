"""The gates of a netlist as one straight line of two-operand instructions on words, compiled by Numba.

A sequential netlist is evaluated once for every cycle, on few words: calling NumPy cell by cell takes four to
six times as long, all else included.
"""

from collections.abc import Iterable

import numpy as np

from lmul.cost.library.functions import Expression, Words
from lmul.cost.netlist.netlist import Instance
from lmul.cost.power.instructions import AND, COPY, NOT, OR, XOR

_BINARY = {"&": AND, "|": OR, "^": XOR}

ZERO, ONE = 0, 1
"""The constant nets."""


class Program:
    """Gates in the order in which they are evaluated.

    Parameters
    ----------
    instances : iterable of Instance
        Each after those that drive its inputs.
    nets : int
        Number of nets; results in between have numbers from there on.
    """

    def __init__(self, instances: Iterable[Instance], nets: int) -> None:
        self._nets = nets
        self._code: list[tuple[int, int, int, int]] = []
        self._between = 0
        for instance in instances:
            for pin in instance.cell.outputs:
                if pin.function:
                    self._between = max(self._between, self._add(pin.function, instance, pin.name))
        self._instructions = np.array(self._code, dtype=np.int32).reshape(-1, 4)

    def run(self, values: Words) -> None:
        """Evaluate all gates.

        Parameters
        ----------
        values : uint64 array, shape (nets, words)
            The nets that gates drive are written, the others are read.
        """
        from lmul.cost.power.bit_parallel_loop import run_instructions

        between = np.empty((self._between, values.shape[1]), dtype=np.uint64)
        run_instructions(self._instructions, values, between)

    def _add(self, function: Expression, instance: Instance, output: str) -> int:
        """Add the instructions of a gate's output; give how many results are in between."""
        target, used = instance.nets[output], 0

        def row(part: Expression) -> int:
            """Give where a part's value is, after the instructions for it."""
            nonlocal used
            if part.operator == "pin":
                return instance.nets[part.pin]
            if part.operator in {"0", "1"}:
                return ONE if part.operator == "1" else ZERO
            place = self._nets + used
            used += 1
            return self._emit(part.operator, [row(operand) for operand in part.operands], place)

        if function.operator in {"!", *_BINARY}:
            self._emit(function.operator, [row(operand) for operand in function.operands], target)
        else:
            self._code.append((COPY, row(function), ZERO, target))
        return used

    def _emit(self, operator: str, operands: list[int], target: int) -> int:
        first, *others = operands
        if operator == "!":
            self._code.append((NOT, first, ZERO, target))
        for other in others:
            self._code.append((_BINARY[operator], first, other, target))
            first = target
        return target
