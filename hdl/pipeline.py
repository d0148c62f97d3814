"""Register stages between the steps of a datapath."""

from collections.abc import Collection
from types import SimpleNamespace

from amaranth import Const, Module, Signal, Value


class Pipeline:
    """Registers at some of the points at which a datapath can be cut.

    Parameters
    ----------
    m : Module
        Where the registers are.
    cuts : collection of str
        The points at which there are any.
    reset : collection of str
        Values that a reset clears; the others only follow.
    """

    def __init__(self, m: Module, cuts: Collection[str], reset: Collection[str]) -> None:
        self._m = m
        self._cuts = cuts
        self._reset = reset

    def cut(self, point: str, **values: Value) -> SimpleNamespace:
        """Give the values as the next step of the datapath sees them, registered or not."""
        if point in self._cuts:
            values = {name: self._register(point, name, value) for name, value in values.items()}
        return SimpleNamespace(**values)

    def _register(self, point: str, name: str, value: Value) -> Value:
        if isinstance(value, Const):
            return value
        register = Signal(value.shape(), name=f"{point}_{name}", reset_less=name not in self._reset)
        self._m.d.sync += register.eq(value)
        return register
