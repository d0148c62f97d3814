"""What the wires of a placed netlist load and delay."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lmul.cost.layout.placement.placement import Placement
from lmul.cost.layout.wires.steiner import Tree, steiner_tree
from lmul.cost.netlist.wires import PlacedWires

_NS_PER_OHM_FF = 1e-6


@dataclass(frozen=True)
class WireModel:
    """What a um of wire has, across and up.

    Parameters
    ----------
    capacitance_ff_um, resistance_ohm_um : tuple of float
        Of horizontal and of vertical wires.
    """

    capacitance_ff_um: tuple[float, float]
    resistance_ohm_um: tuple[float, float]


@dataclass(frozen=True)
class Wiring:
    """The trees of all nets, and what they make of the netlist.

    Parameters
    ----------
    placement : Placement
    model : WireModel
    """

    placement: Placement
    model: WireModel

    @cached_property
    def trees(self) -> dict[int, Tree]:
        """The tree of every net of two pins or more, from the pin that drives it; none of the clock's."""
        clocks = set(self.placement.netlist.clock_nets)
        return {
            net: steiner_tree(np.array([self.placement.place(pin) for pin in pins]))
            for net, pins in enumerate(self.placement.pins)
            if len(pins) > 1 and net not in clocks
        }

    @cached_property
    def lengths_um(self) -> NDArray[np.float64]:
        """Length of the wires of each net across and up, shape (nets, 2)."""
        found = np.zeros((self.placement.netlist.nets, 2))
        for net, tree in self.trees.items():
            found[net] = tree.lengths.sum(axis=0)
        return found

    @cached_property
    def capacitance_ff(self) -> NDArray[np.float64]:
        """Capacitance of the wire of each net, shape (nets,)."""
        found: NDArray[np.float64] = self.lengths_um @ np.array(self.model.capacitance_ff_um)
        return found

    @cached_property
    def placed_wires(self) -> PlacedWires:
        """What static timing and energy take."""
        netlist, delays = self.placement.netlist, {}
        for net, tree in self.trees.items():
            pins = self.placement.pins[net]
            loads = [0.0, *map(self.placement.load_ff, pins[1:])]
            found = elmore_ns(tree, self.model, loads)
            for pin, delay in list(zip(pins, found, strict=False))[1:]:
                instance = "" if pin.instance < 0 else netlist.instances[pin.instance].name
                delays[instance, pin.name] = float(delay)
        return PlacedWires(self.capacitance_ff, delays)


def elmore_ns(tree: Tree, model: WireModel, loads: Sequence[float]) -> NDArray[np.float64]:
    """Give the delays of wires: resistance times what lies behind (Elmore, J. Appl. Phys. 19(1), 1948).

    Parameters
    ----------
    tree : Tree
    model : WireModel
    loads : sequence of float
        Of the pins, in fF.

    Returns
    -------
    float64 array, shape (nodes,)
        From the first pin to every point, in ns; half of a wire lies behind itself.
    """
    wire = tree.lengths @ np.array(model.capacitance_ff_um)
    resistance = tree.lengths @ np.array(model.resistance_ohm_um)
    behind = wire.copy()
    behind[: len(loads)] += loads
    order = from_the_root(tree)
    for point in reversed(order[1:]):
        behind[tree.parents[point]] += behind[point]
    delays = np.zeros(len(wire))
    for point in order[1:]:
        delays[point] = delays[tree.parents[point]] + resistance[point] * (behind[point] - wire[point] / 2)
    return delays * _NS_PER_OHM_FF


def from_the_root(tree: Tree) -> list[int]:
    """Give the points of a tree, each behind its parent."""
    children: dict[int, list[int]] = {}
    for point, parent in enumerate(tree.parents.tolist()):
        children.setdefault(parent, []).append(point)
    order = [0]
    for point in order:
        order += children.get(point, [])
    return order
