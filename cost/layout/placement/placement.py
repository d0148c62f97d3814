"""Cells in rows: where every cell and every port of a netlist lies."""

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lmul.cost.layout.technology.technology import Macro, Site, Technology
from lmul.cost.netlist.netlist import CONSTANT_NETS, Netlist
from lmul.errors import UserError
from lmul.host.files import scratch

UTILISATION, ASPECT = 0.7, 1.0
"""Share of the rows that cells take, and height over width, where none are given."""


@dataclass(frozen=True)
class Floorplan:
    """Rows of sites, one above the other, every second one upside down.

    Parameters
    ----------
    rows, columns : int
        Number of rows, and of sites in each.
    site : Site
    """

    rows: int
    columns: int
    site: Site

    @property
    def width_um(self) -> float:
        """Length of a row."""
        return self.columns * self.site.width_um

    @property
    def height_um(self) -> float:
        """Of all rows."""
        return self.rows * self.site.height_um


def floorplan(
    cells: Sequence[Macro], site: Site, utilisation: float, aspect: float, room_um2: float = 0.0
) -> Floorplan:
    """Give rows for some cells.

    Parameters
    ----------
    cells : sequence of Macro
        One for each instance.
    site : Site
    utilisation : float
        Share of the rows that cells take, at most.
    aspect : float
        Height over width.
    room_um2 : float
        Area of cells that are not placed.
    """
    widths = [cell.sites(site) for cell in cells]
    sites = max(sum(widths) + room_um2 / site.width_um / site.height_um, 1) / utilisation
    rows = max(1, round(math.sqrt(sites * site.width_um * aspect / site.height_um)))
    return Floorplan(rows, max(math.ceil(sites / rows), *widths, 1), site)


class Pin(NamedTuple):
    """A pin on a net: of an instance, or of a port.

    Parameters
    ----------
    instance : int
        Place of the instance in the netlist, -1 of a port.
    name : str
        Of the pin, or of the port with its bit.
    drives : bool
        It drives the net: an output of a cell, an input of the design.
    """

    instance: int
    name: str
    drives: bool


@dataclass(frozen=True)
class Placement:
    """A placed netlist; lengths are um from the lower left corner of the rows.

    Parameters
    ----------
    netlist : Netlist
    technology : Technology
    floorplan : Floorplan
    column, row : int array, shape (instances,)
        Of the left lower site of each instance.
    ports : mapping of str to tuple of float
        x and y of every bit of a port, by its name: `a[3]`, or `clk` of a port of one bit.
    """

    netlist: Netlist
    technology: Technology
    floorplan: Floorplan
    column: NDArray[np.int64]
    row: NDArray[np.int64]
    ports: dict[str, tuple[float, float]]

    @cached_property
    def pins(self) -> list[list[Pin]]:
        """Pins of every net."""
        return net_pins(self.netlist)

    def place(self, pin: Pin) -> tuple[float, float]:
        """Give x and y of a pin."""
        if pin.instance < 0:
            return self.ports[pin.name]
        macro = self.macro(pin.instance)
        terminal, site = macro.terminals[pin.name], self.floorplan.site
        row = int(self.row[pin.instance])
        y = macro.height_um - terminal.y_um if self.upside_down(pin.instance) else terminal.y_um
        return (
            float(self.column[pin.instance]) * site.width_um + terminal.x_um,
            row * site.height_um + y,
        )

    def load_ff(self, pin: Pin) -> float:
        """Give what a reading pin loads its net with; a port nothing, which belongs to what comes next."""
        if pin.instance < 0:
            return 0.0
        return self.netlist.instances[pin.instance].cell.pins[pin.name].capacitance

    def macro(self, instance: int) -> Macro:
        """Give the outline of an instance."""
        return self.technology.macros[self.netlist.instances[instance].cell.name]

    def upside_down(self, instance: int) -> bool:
        """Tell whether the row of an instance is upside down, so that rows share their supplies."""
        return bool(self.row[instance] % 2)


def net_pins(netlist: Netlist) -> list[list[Pin]]:
    """Give the pins of every net, the driving one first; the two constant nets have none."""
    pins: list[list[Pin]] = [[] for _ in range(netlist.nets)]
    for port in netlist.ports:
        for name, net in port.bits.items():
            pins[net].append(Pin(-1, name, port.direction == "input"))
    for place, instance in enumerate(netlist.instances):
        for pin in instance.cell.pins.values():
            pins[instance.nets[pin.name]].append(Pin(place, pin.name, pin.direction == "output"))
    pins[:CONSTANT_NETS] = [[] for _ in range(CONSTANT_NETS)]
    return [sorted(found, key=lambda pin: not pin.drives) for found in pins]


def place(netlist: Netlist, technology: Technology, plan: Floorplan, seed: int) -> Placement:
    """Place the cells of a netlist in rows, and its ports on their border, by Coloquinte.

    Wires of the clock do not count: a tree of its own carries it.

    Parameters
    ----------
    netlist : Netlist
    technology : Technology
    plan : Floorplan
    seed : int

    Raises
    ------
    UserError
        The placer is not installed, or finds no place for the cells.
    """
    names = [name for port in netlist.ports for name in port.bits]
    found = _run({**_problem(netlist, technology, plan, names), "seed": seed})
    cells, site = len(netlist.instances), plan.site
    height = _row_height(site)
    x, y = np.array(found["x"]), np.array(found["y"])
    ports = zip(names, x[cells:] * site.width_um, y[cells:] / height * site.height_um, strict=True)
    return Placement(
        netlist,
        technology,
        plan,
        x[:cells],
        y[:cells] // height,
        {name: (float(across), float(up)) for name, across, up in ports},
    )


def _row_height(site: Site) -> int:
    """Give the height of a row in widths of a site, in whole ones."""
    return max(1, round(site.height_um / site.width_um))


def _problem(netlist: Netlist, technology: Technology, plan: Floorplan, names: list[str]) -> dict[str, Any]:
    """Give what `placer` takes."""
    site, height = plan.site, _row_height(plan.site)
    macros = [technology.macros[instance.cell.name] for instance in netlist.instances]
    numbers = {name: len(macros) + number for number, name in enumerate(names)}
    nets: list[dict[str, list[int]]] = []
    clocks: list[dict[str, list[int]]] = []
    for net, pins in enumerate(net_pins(netlist)):
        if len(pins) < 2:
            continue
        cells, x, y = [], [], []
        for pin in sorted(pins, key=lambda pin: pin.instance < 0):
            cells.append(numbers[pin.name] if pin.instance < 0 else pin.instance)
            terminal = None if pin.instance < 0 else macros[pin.instance].terminals[pin.name]
            x.append(round(terminal.x_um / site.width_um) if terminal else 0)
            y.append(round(terminal.y_um / site.height_um * height) if terminal else 0)
        (clocks if net in netlist.clock_nets else nets).append({"cells": cells, "x": x, "y": y})
    return {
        "rows": plan.rows,
        "columns": plan.columns,
        "row_height": height,
        "widths": [macro.sites(site) for macro in macros],
        "ports": len(names),
        "nets": nets,
        "clocks": clocks,
    }


def _run(problem: dict[str, Any]) -> dict[str, Any]:
    script = Path(__file__).with_name("placer.py")
    with scratch() as folder:
        done = subprocess.run(  # noqa: S603
            [sys.executable, str(script), str(folder / "places.json")],
            input=json.dumps(problem),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
            raise UserError(
                f"the placer finds no place for {len(problem['widths'])} cells ({last}): "
                "take a lower --utilisation"
            )
        found: dict[str, Any] = json.loads((folder / "places.json").read_text("utf-8"))
    return found
