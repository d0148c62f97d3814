"""What the components for designs in Amaranth have in common."""

from typing import Any, ClassVar

from amaranth.lib import wiring
from numpy.typing import NDArray

from lmul.design import Design
from lmul.golden import matmul_codes, multiply
from lmul.hdl.framework.supported import check_built


class DesignComponent(wiring.Component):  # type: ignore[type-arg]
    """A component that knows its design, its timing and its golden model.

    Parameters
    ----------
    design : Design
        Of the component's kind.
    members : dict
        The interfaces, as `amaranth.lib.wiring.Signature` takes them.

    Attributes
    ----------
    design : Design

    Raises
    ------
    ValueError
        The design is of another kind.
    UserError
        There is a model of the design, but no hardware.
    """

    kind: ClassVar[str]

    # Asked for its model or its latency alone, it is of use without being elaborated: Amaranth would warn.
    _MustUse__silence = True

    def __init__(self, design: Design, members: dict[str, Any]) -> None:
        if design.kind != self.kind:
            raise ValueError(f"design must be of the kind {self.kind!r}, not {design.kind!r}")
        check_built(design)
        self.design = design
        super().__init__(members)

    @property
    def latency(self) -> int:
        """Cycles from the last operands of a result to its first output."""
        return self.design.latency

    @property
    def products_per_cycle(self) -> int:
        """Products that are computed every cycle at full throughput."""
        return self.design.products_per_cycle

    def model(
        self,
        a: NDArray[Any],
        b: NDArray[Any],
        start: NDArray[Any] | None = None,
        a_scale: NDArray[Any] | None = None,
        b_scale: NDArray[Any] | None = None,
    ) -> Any:
        """Give what the hardware gives, to the bit.

        Parameters
        ----------
        a, b : ndarray of integer codes
            Operands of any shape for a multiplier, matrices (M, K) and (K, N) otherwise.
        start : ndarray of integer codes of fp32, shape (M, N), optional
            What `c_in` shows with `addend`; else sums begin with +0.
        a_scale, b_scale : ndarray of integer codes, shapes (M, S) and (S, N), optional
            With `scale`, as `matmul_codes` takes them.

        Returns
        -------
        ndarray of codes, or Sums
        """
        if self.kind == "mul":
            return multiply(a, b, self.design)
        return matmul_codes(a, b, self.design, start, a_scale, b_scale)
