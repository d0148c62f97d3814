"""The loop over the instructions of a netlist, compiled by Numba, which nothing else of a mapping needs."""

from typing import Any

import numba
from numpy.typing import NDArray

from lmul.cost.power.instructions import AND, NOT, OR, XOR


@numba.njit(cache=True, nogil=True)
def run_instructions(instructions: NDArray[Any], values: Any, between: Any) -> None:
    """Evaluate instructions on words, as `Program.run` does."""
    nets = values.shape[0]
    for i in range(instructions.shape[0]):
        kind, first, second, target = instructions[i]
        a = values[first] if first < nets else between[first - nets]
        b = values[second] if second < nets else between[second - nets]
        result = values[target] if target < nets else between[target - nets]
        for word in range(result.shape[0]):
            if kind == AND:
                result[word] = a[word] & b[word]
            elif kind == OR:
                result[word] = a[word] | b[word]
            elif kind == XOR:
                result[word] = a[word] ^ b[word]
            elif kind == NOT:
                result[word] = ~a[word]
            else:
                result[word] = a[word]
