"""What a placement knows of a technology: rows, the sizes of cells, where their pins are, layers of wires."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from lmul.cost.library.cells import Cell, Library
from lmul.errors import UserError

Direction = Literal["horizontal", "vertical"]

_NAMED = 5


@dataclass(frozen=True)
class Layer:
    """A layer that wires are routed on.

    Parameters
    ----------
    name : str
    direction : {"horizontal", "vertical"}
        Of its wires.
    width_um : float
        Of a wire, in um.
    pitch_um : float
        From the middle of a wire to that of the next, in um.
    resistance_ohm_um : float
        Of a wire of that width, in ohm for each um of its length; 0 where the file has none.
    capacitance_ff_um : float
        Of a wire of that width without neighbours, area and both edges, in fF for each um of its length;
        0 where the file has none.
    """

    name: str
    direction: Direction
    width_um: float
    pitch_um: float
    resistance_ohm_um: float
    capacitance_ff_um: float


@dataclass(frozen=True)
class Site:
    """The unit of a row of cells.

    Parameters
    ----------
    name : str
    width_um : float
        Step of the places in a row, in um.
    height_um : float
        Of the row, in um.
    """

    name: str
    width_um: float
    height_um: float


@dataclass(frozen=True)
class Terminal:
    """Where a wire meets a pin.

    Parameters
    ----------
    x_um, y_um : float
        A point of the pin, from the lower left corner of its cell, in um.
    layer : str
        The routing layer of the pin's shape there.
    """

    x_um: float
    y_um: float
    layer: str


@dataclass(frozen=True)
class Macro:
    """A cell as a placement sees it.

    Parameters
    ----------
    name : str
        As Liberty and netlists have it.
    width_um, height_um : float
        In um.
    site : str
        Name of the site that it stands on; empty where the file has none.
    terminals : mapping of str to Terminal
        By the names of its signal pins, those without a shape on a routing layer left out.
    """

    name: str
    width_um: float
    height_um: float
    site: str
    terminals: Mapping[str, Terminal]

    def sites(self, site: Site) -> int:
        """Give how many sites it takes in a row."""
        return math.ceil(self.width_um / site.width_um - 1e-6)


@dataclass(frozen=True)
class Technology:
    """Layers, rows and cells of a technology.

    Parameters
    ----------
    database_units : int
        Steps of the grid of coordinates in a um.
    layers : tuple of Layer
        Routing layers, lowest first.
    site : Site
        That of the rows: the one that most cells stand on, of those the lowest.
    macros : mapping of str to Macro
        Core cells by name.
    files : tuple of tuple of str
        Names of the files that it was read from, each with the SHA-256 of its text.
    """

    database_units: int
    layers: tuple[Layer, ...]
    site: Site
    macros: Mapping[str, Macro]
    files: tuple[tuple[str, str], ...]

    def wires(self) -> tuple[Layer, Layer]:
        """Give the layers that short nets are routed on.

        Returns
        -------
        tuple of Layer
            The first horizontal and the first vertical layer above that of most pins.

        Raises
        ------
        UserError
            No cell has a signal pin, or there are no such layers.
        """
        pins = Counter(pin.layer for macro in self.macros.values() for pin in macro.terminals.values())
        if not pins:
            raise UserError("no cell in the LEF files has a signal pin on a routing layer: name others")
        (pin_layer, _), *_ = pins.most_common(1)
        names = [layer.name for layer in self.layers]
        above = self.layers[names.index(pin_layer) + 1 :]
        found = {layer.direction: layer for layer in reversed(above)}
        if len(found) < 2:
            raise UserError(
                f"the LEF files have no horizontal and vertical routing layers above {pin_layer}, "
                "where the pins are: name those of the whole technology"
            )
        return found["horizontal"], found["vertical"]

    def check_library(self, library: Library) -> None:
        """Refuse a library none of whose cells is there.

        Raises
        ------
        UserError
        """
        if not library.cells.keys() & self.macros.keys():
            raise UserError(
                f"the LEF files have no cell of library {library.name}: name those that belong to it"
            )

    def check(self, cells: Iterable[Cell]) -> None:
        """Refuse cells that cannot be placed in rows and wired.

        Parameters
        ----------
        cells : iterable of Cell
            Those of a netlist.

        Raises
        ------
        UserError
            A cell has no macro or is not as high as a row, or a pin of it has no shape on a routing layer.
        """
        missing, unlike, unwired = [], [], []
        for cell in cells:
            macro = self.macros.get(cell.name)
            if macro is None:
                missing.append(cell.name)
                continue
            if not math.isclose(macro.height_um, self.site.height_um):
                unlike.append(cell.name)
            unwired += [f"{name} of {cell.name}" for name in cell.pins if name not in macro.terminals]
        _refuse("no MACRO of the cells", missing)
        _refuse("no shape on a routing layer for the pins", unwired)
        _refuse(f"another height than that of rows, {self.site.height_um:g} um, for the cells", unlike)


def _refuse(fault: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise UserError(
            f"the LEF files have {fault} {', '.join(sorted(names)[:_NAMED])}{more}: "
            "name those that belong to the Liberty files"
        )
