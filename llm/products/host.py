"""The matrix products of a model, quantised and multiplied by the golden model."""

import math
from collections.abc import Callable, Hashable

import numpy as np

from lmul.errors import UserError
from lmul.golden import Quantised, multiply_scaled, quantise_factor
from lmul.scheme import Scheme, is_attention
from lmul.workloads.smollm2 import Array, plain_matmul


class Weights:
    """Quantised weights of a model, kept for as long as the same kind is asked for."""

    def __init__(self) -> None:
        self._kind: Hashable = None
        self._quantised: dict[str, Quantised] = {}

    def quantised(self, name: str, scheme: Scheme, quantise: Callable[[], Quantised]) -> Quantised:
        """Quantise the weight of a linear layer, or give what it was quantised to."""
        spec = scheme.arithmetic
        # All that decides what the weights become, and whether arrays or tensors.
        kind = spec.formats, spec.acc, spec.out, scheme.rounding, scheme.scaling
        if kind != self._kind:
            self._kind, self._quantised = kind, {}
        if name not in self._quantised:
            self._quantised[name] = quantise()
        return self._quantised[name]


class SchemeMatmul:
    """Computes the products that a scheme covers as it says, all others in double precision.

    Operands are float32 when they are quantised, so that machines whose double precision differs in the last
    place give the same codes.

    Parameters
    ----------
    scheme : Scheme or None
        None for full precision.
    weights : Weights
        Of the one model that this is for.

    Attributes
    ----------
    sums, left_range : int
        Sums so far, and those that left the range of the accumulator.

    Raises
    ------
    UserError
        A sum is infinite.
    """

    def __init__(self, scheme: Scheme | None, weights: Weights) -> None:
        self._scheme = scheme
        self._weights = weights
        self.sums = 0
        self.left_range = 0

    def __call__(self, name: str, a: Array, b: Array) -> Array:
        """Multiply a (..., M, K) by b (..., K, N); `workloads.smollm2.forward` tells the names."""
        scheme = self._scheme
        if scheme is None or not scheme.covers(name):
            return plain_matmul(name, a, b)
        x = self.quantise(a, 0, scheme)
        if is_attention(name):
            y = self.quantise(b, 1, scheme)
        else:
            y = self._weights.quantised(name, scheme, lambda: self.quantise(b, 1, scheme))
        values, left_range = self.multiply(x, y, scheme)
        if not -math.inf < values.min() <= values.max() < math.inf:
            raise UserError(
                f"sums of {name} are infinite under {scheme.name}: take an accumulator of a larger range"
            )
        self.sums += math.prod(values.shape)
        self.left_range += left_range
        return self.divide(values, scheme.gain)

    def quantise(self, reals: Array, side: int, scheme: Scheme) -> Quantised:
        """Quantise a factor, side 0 or 1."""
        single = np.asarray(reals, dtype=np.float32)
        return quantise_factor(single, side, scheme.arithmetic, scheme.rounding, scheme.scaling)

    def divide(self, values: Array, number: float) -> Array:
        """Divide by a number."""
        return values / number

    def multiply(self, x: Quantised, y: Quantised, scheme: Scheme) -> tuple[Array, int]:
        """Multiply quantised factors: the product, and the number of sums that left the range."""
        return multiply_scaled(x, y, scheme.arithmetic, scheme.promote)
