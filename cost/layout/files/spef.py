"""Wires as SPEF, for timing tools."""

from collections.abc import Iterator, Sequence

import numpy as np

from lmul.cost.layout.files.names import escaped, escaped_nets
from lmul.cost.layout.placement.placement import Pin
from lmul.cost.layout.wires.steiner import Tree
from lmul.cost.layout.wires.wiring import Wiring

_HEAD = """\
*SPEF "IEEE 1481-1998"
*DESIGN "{design}"
*DATE ""
*VENDOR ""
*PROGRAM "lmul"
*VERSION ""
*DESIGN_FLOW ""
*DIVIDER /
*DELIMITER :
*BUS_DELIMITER [ ]
*T_UNIT 1 NS
*C_UNIT 1 FF
*R_UNIT 1 OHM
*L_UNIT 1 HENRY
"""


def spef_text(wiring: Wiring) -> str:
    """Write resistances and capacitances of all trees, in IEEE 1481's Standard Parasitic Exchange Format.

    Parameters
    ----------
    wiring : Wiring

    Returns
    -------
    str
        Half of the capacitance of each piece of wire lies at either end, which gives Elmore's delays. The
        clock's tree is not in it.
    """
    netlist = wiring.placement.netlist
    names = escaped_nets(netlist)
    nets = (
        line
        for net, tree in wiring.trees.items()
        for line in _net(wiring, names[net], tree, wiring.placement.pins[net])
    )
    return _HEAD.format(design=netlist.name) + "\n".join(["", *nets, ""])


def _net(wiring: Wiring, name: str, tree: Tree, pins: Sequence[Pin]) -> Iterator[str]:
    points = [_pin(wiring, pin) for pin in pins]
    points += [f"{name}:{number}" for number in range(len(tree.points) - len(pins))]
    wire = tree.lengths @ np.array(wiring.model.capacitance_ff_um)
    resistance = tree.lengths @ np.array(wiring.model.resistance_ohm_um)
    halves = np.zeros(len(points))
    np.add.at(halves, np.arange(1, len(points)), wire[1:] / 2)
    np.add.at(halves, tree.parents[1:], wire[1:] / 2)
    yield f"*D_NET {name} {wire.sum():.6g}"
    yield "*CONN"
    for pin, point in zip(pins, points, strict=False):
        inward = pin.drives == (pin.instance < 0)
        yield f"*{'P' if pin.instance < 0 else 'I'} {point} {'I' if inward else 'O'}"
    yield "*CAP"
    yield from (
        f"{number} {point} {half:.6g}"
        for number, (point, half) in enumerate(zip(points, halves, strict=True), 1)
    )
    yield "*RES"
    for number in range(1, len(points)):
        parent = points[tree.parents[number]]
        yield f"{number} {points[number]} {parent} {max(resistance[number], 1e-3):.6g}"
    yield "*END"


def _pin(wiring: Wiring, pin: Pin) -> str:
    if pin.instance < 0:
        return escaped(pin.name, bus=True)
    return f"{escaped(wiring.placement.netlist.instances[pin.instance].name)}:{pin.name}"
