"""Runs the placer Coloquinte in a process of its own: it talks to the standard output, and may end a process.

Reads a problem as JSON from the standard input, and writes the places to the file that is named.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import coloquinte  # type: ignore[import-untyped]
import numpy as np

EFFORT = 5
"""Of 1 to 9; what the placer's authors measure with is up to 6."""

DENSITIES = (0.95, 0.9, 0.8, 0.0)
"""Shares of the rows that cells may take with free sites of their own; the next where they find no place."""

PORT_ROUNDS = 3
"""How often ports are moved towards their cells."""


def main() -> None:
    """Place what is told."""
    problem = json.load(sys.stdin)
    Path(sys.argv[1]).write_text(json.dumps(place(problem)), encoding="utf-8")


def place(problem: dict[str, Any]) -> dict[str, Any]:
    """Place cells in rows, and ports on the border.

    Parameters
    ----------
    problem : dict
        `rows`, `columns` of sites, and `row_height` in widths of a site; `widths` of cells in sites; the
        number of `ports`; `nets`, each with its `cells`, of which the ports are the last, and the places `x`
        and `y` of its pins in them; `clocks`, nets that move their ports alone; `seed`.

    Returns
    -------
    dict
        `x` and `y` of cells and then ports, in widths of a site.

    Raises
    ------
    RuntimeError
        The placer finds none.
    """
    for density in DENSITIES[:-1]:
        with suppress(RuntimeError):
            return _placed(problem, density)
    return _placed(problem, DENSITIES[-1])


def _placed(problem: dict[str, Any], density: float) -> dict[str, Any]:
    circuit = _circuit(problem)
    # Cells as wide as they may be lie apart: as much is free everywhere.
    circuit.expand_cells_to_density(density)
    parameters = coloquinte.ColoquinteParameters(EFFORT, problem["seed"])
    for _ in range(PORT_ROUNDS):
        circuit.place_global(parameters, None)
        _move_ports(circuit, problem)
    circuit.place_global(parameters, None)
    circuit.legalize(parameters, None)
    circuit.place_detailed(parameters, None)
    return {"x": list(circuit.cell_x), "y": list(circuit.cell_y)}


def _circuit(problem: dict[str, Any]) -> Any:
    widths, height = problem["widths"], problem["row_height"]
    cells, ports = len(widths), problem["ports"]
    circuit = coloquinte.Circuit(cells + ports)
    circuit.cell_width = widths + [0] * ports
    circuit.cell_height = [height] * cells + [0] * ports
    circuit.cell_is_fixed = [False] * cells + [True] * ports
    circuit.cell_is_obstruction = [True] * cells + [False] * ports
    circuit.cell_row_polarity = [coloquinte.CellRowPolarity.SAME] * (cells + ports)
    both = coloquinte.CellOrientation.N, coloquinte.CellOrientation.FS
    circuit.rows = [
        coloquinte.Row(
            coloquinte.Rectangle(0, problem["columns"], height * row, height * (row + 1)), both[row % 2]
        )
        for row in range(problem["rows"])
    ]
    for net in problem["nets"]:
        circuit.add_net(net["cells"], net["x"], net["y"])
    _put_ports(circuit, problem, _first_slots(problem))
    return circuit


def _first_slots(problem: dict[str, Any]) -> Any:
    """Give ports places all around the border in their order, beginning anywhere, in either direction.

    That is what makes a placement another one: the placer's own seed changes nothing.
    """
    drawn, slots, ports = np.random.default_rng(problem["seed"]), _slots(problem), problem["ports"]
    return (drawn.choice([1, -1]) * np.arange(ports) * (slots // ports) + drawn.integers(slots)) % slots


def _move_ports(circuit: Any, problem: dict[str, Any]) -> None:
    """Put every port at the place of the border that is next to its cells, each at one of its own."""
    cells, ports = len(problem["widths"]), problem["ports"]
    x, y = np.array(circuit.cell_x, float), np.array(circuit.cell_y, float)
    centre = np.zeros((ports, 2))
    for net in problem["nets"] + problem["clocks"]:
        inside = [cell for cell in net["cells"] if cell < cells]
        for port in [cell - cells for cell in net["cells"] if cell >= cells]:
            if inside:
                centre[port] = x[inside].mean(), y[inside].mean()
    wanted = _along_border(centre, problem) / _border(problem) * _slots(problem)
    order = np.argsort(wanted, kind="stable")
    _put_ports(circuit, problem, _apart(wanted[order], _slots(problem))[np.argsort(order)])


def _apart(wanted: Any, slots: int) -> Any:
    """Give ascending numbers of slots near ascending wishes."""
    steps = np.arange(len(wanted))
    up = np.maximum.accumulate(np.round(wanted).astype(int) - steps) + steps
    return np.minimum(up, slots - len(wanted) + steps)


def _along_border(places: Any, problem: dict[str, Any]) -> Any:
    """Give how far from the origin the next place of the border is, going along it anticlockwise."""
    width, height = _size(problem)
    x, y = np.clip(places[:, 0], 0, width), np.clip(places[:, 1], 0, height)
    sides = np.stack([y, width - x, height - y, x])
    along = np.stack([x, width + y, 2 * width + height - x, 2 * width + 2 * height - y])
    return np.take_along_axis(along, sides.argmin(axis=0)[None], axis=0)[0]


def _put_ports(circuit: Any, problem: dict[str, Any], slots: Any) -> None:
    cells = len(problem["widths"])
    width, height = _size(problem)
    along = slots * _border(problem) / _slots(problem)
    corners = np.array([0, width, width + height, 2 * width + height, 2 * (width + height)])
    x, y = (np.interp(along, corners, at) for at in ([0, width, width, 0, 0], [0, 0, height, height, 0]))
    circuit.cell_x = circuit.cell_x[:cells] + x.round().astype(int).tolist()
    circuit.cell_y = circuit.cell_y[:cells] + y.round().astype(int).tolist()


def _slots(problem: dict[str, Any]) -> int:
    """Give the number of places on the border, as far apart as ports allow, but at least a site."""
    return int(max(problem["ports"], min(4 * problem["ports"], _border(problem))))


def _border(problem: dict[str, Any]) -> int:
    return 2 * sum(_size(problem))


def _size(problem: dict[str, Any]) -> tuple[int, int]:
    return problem["columns"], problem["rows"] * problem["row_height"]


if __name__ == "__main__":
    main()
