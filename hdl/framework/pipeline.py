"""Register stages between the steps of a datapath."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from amaranth import Cat, Const, Module, Signal, Value

from lmul.design import Design
from lmul.golden.accumulators import Fused

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Values = Mapping[str, Any]

Record = TypeVar("Record", bound="DataclassInstance")
"""A dataclass of values of one lane, some of which may be None."""

RAW_CUTS = (
    (),
    ("products",),
    ("products", "step"),
    ("products", "terms", "step"),
    ("inputs", "products", "terms", "step"),
)
"""Where the registers of a sum are, beside the sum and the result, by their number."""

ROUNDED_CUTS = (
    (),
    ("products",),
    ("products", "step"),
    ("products", "step", "normalised"),
    ("products", "step", "magnitude", "normalised"),
)
"""The same for a fixed-point sum that becomes a floating-point result."""

INTEGER_CUTS = (
    (),
    ("step",),
    ("terms", "step"),
    ("inputs", "terms", "step"),
    ("inputs", "products", "terms", "step"),
)
"""The same for a sum of integers, whose products are partial ones in one tree until there are two numbers."""

ROUNDED_INTEGER_CUTS = (
    (),
    ("step",),
    ("terms", "step"),
    ("terms", "step", "normalised"),
    ("terms", "step", "magnitude", "normalised"),
)
"""The same where a sum of integers becomes a floating-point result."""

FUSED_CUTS = (
    (),
    ("step",),
    ("step", "counts"),
    ("products", "step", "counts"),
    ("inputs", "products", "step", "counts"),
)
"""The same for a fused sum: products and their largest exponent first, for the loop of the sum is longest."""

GROUP_CUTS = (
    (),
    ("groups",),
    ("groups", "step"),
    ("products", "groups", "step"),
    ("inputs", "products", "groups", "step"),
)
"""The same for sums of groups: two numbers of each have fewer bits than its products."""

ROUNDED_GROUP_CUTS = (
    (),
    ("groups",),
    ("groups", "step"),
    ("groups", "step", "normalised"),
    ("groups", "step", "magnitude", "normalised"),
)
"""The same where such a sum becomes a floating-point result."""

FUSED_GROUP_CUTS = (
    (),
    ("step",),
    ("step", "counts"),
    ("groups", "step", "counts"),
    ("inputs", "groups", "step", "counts"),
)
"""The same for groups that are terms of a fused sum."""


def sum_cuts(design: Design) -> tuple[str, ...]:
    """Give the points at which the datapath of a sum is cut."""
    if isinstance(design.accumulator, Fused):
        return (FUSED_GROUP_CUTS if design.grouped else FUSED_CUTS)[design.pipeline]
    rounded = design.converts and not design.accumulator_format
    if design.grouped:
        return (ROUNDED_GROUP_CUTS if rounded else GROUP_CUTS)[design.pipeline]
    if design.integer:
        return (ROUNDED_INTEGER_CUTS if rounded else INTEGER_CUTS)[design.pipeline]
    return (ROUNDED_CUTS if rounded else RAW_CUTS)[design.pipeline]


def stages_before_sum(design: Design) -> int:
    """Count the register stages between the operands and the sum."""
    return len({"inputs", "products", "groups", "terms", "step", "counts"}.intersection(sum_cuts(design)))


def cycles_to_sum(design: Design) -> int:
    """Count the cycles from the operands of a step to the sum that it ends."""
    return stages_before_sum(design) + (design.carry == "save") + design.loop_registers + 1


def stages_after_sum(design: Design) -> int:
    """Count the register stages between the sum and the result."""
    return design.pipeline - stages_before_sum(design)


def values_of(record: "DataclassInstance") -> dict[str, Value]:
    """Give the values of a record of a lane by name, those that it lacks left out."""
    found = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: value for name, value in found.items() if value is not None}


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
    enable : Value, optional
        Holds every register when low.
    """

    def __init__(
        self, m: Module, cuts: Collection[str], reset: Collection[str], enable: Value | None = None
    ) -> None:
        self._m = m
        self._cuts = cuts
        self._reset = reset
        self._enable = Const(1, 1) if enable is None else enable

    def cut(self, point: str, **values: Value) -> SimpleNamespace:
        """Give the values as the next step of the datapath sees them, registered or not.

        Where one of them is `valid`, the others are held while it is low.
        """
        if point in self._cuts:
            load = Signal(name=f"{point}_load")
            self._m.d.comb += load.eq(self._enable & values.get("valid", Const(1, 1)))
            values = {name: self._register(point, name, value, load) for name, value in values.items()}
        return SimpleNamespace(**values)

    def cut_lanes(
        self, point: str, lanes: Sequence[Record], step: Values
    ) -> tuple[list[Record], dict[str, Value]]:
        """Do the same with the record of every lane, and with the values of the whole step."""
        flat = {
            f"{name}_{n}": value for n, lane in enumerate(lanes) for name, value in values_of(lane).items()
        }
        after = vars(self.cut(point, **flat, **step))
        return [
            replace(lane, **{name: after[f"{name}_{n}"] for name in values_of(lane)})
            for n, lane in enumerate(lanes)
        ], {name: after[name] for name in step}

    def cut_lists(
        self, point: str, lists: Mapping[str, Sequence[Value]], step: Values
    ) -> tuple[list[list[Value]], dict[str, Value]]:
        """Do the same with lists of values, each by the name of its registers."""
        flat = {f"{name}_{n}": value for name, values in lists.items() for n, value in enumerate(values)}
        after = vars(self.cut(point, **flat, **step))
        cut = [[after[f"{name}_{n}"] for n in range(len(values))] for name, values in lists.items()]
        return cut, {name: after[name] for name in step}

    def cut_columns(
        self, point: str, columns: list[list[Value]], step: Values
    ) -> tuple[list[list[Value]], dict[str, Value]]:
        """Do the same with columns of bits, of which constants are in no register."""
        if point not in self._cuts:
            return columns, dict(step)
        moving = Cat(bit for bits in columns for bit in bits if not isinstance(bit, Const))
        after = vars(self.cut(point, columns=moving, **step))
        bits_after = iter(after.pop("columns"))
        cut = [[bit if isinstance(bit, Const) else next(bits_after) for bit in bits] for bits in columns]
        return cut, after

    def _register(self, point: str, name: str, value: Value, load: Value) -> Value:
        if isinstance(value, Const):
            return value
        register = Signal(value.shape(), name=f"{point}_{name}", reset_less=name not in self._reset)
        with self._m.If(self._enable if name == "valid" else load):
            self._m.d.sync += register.eq(value)
        return register
