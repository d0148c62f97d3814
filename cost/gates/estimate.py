"""The estimate *gates*: a design as two-input gates, adders and flip-flops, of no technology.

The exported Verilog is mapped with the scripts of the cells' estimate, onto a library of ideal gates: areas
are transistors in static CMOS, every gate takes one unit of time, and there is one size of each. No cell
library is needed. What it leaves out: complex gates, drive strengths, loads, wires and the clock tree.

Transistors: a NAND or NOR has 4 and an inverter 2, so an AND or OR has 6. An XOR is a NOR and an
and-or-invert gate, an XNOR a NAND and an or-and-invert gate: 4 + 6. A half adder is an XNOR whose NAND also
makes the carry, and two inverters: 10 + 4. A full adder is a mirror adder, two gates whose upper and lower
halves are alike: the inverted carry, (A B + C (A + B))', has 5 transistors a half, the inverted sum,
(A B C + CO' (A + B + C))', 7; with an inverter behind either, 10 + 14 + 4. A flip-flop is two latches of a
transmission gate (2), an inverter (2) and a clocked inverter (4), and four inverters for data, output and the
two clock phases: 16 + 8. With an asynchronous reset, which designs with `--reset async` have, one inverter of
each latch is a NAND: 4 more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lmul.cost.library.cells import Library
from lmul.cost.library.reader import parse_liberty
from lmul.cost.mapping.designs import map_to_cells, scripts_for
from lmul.cost.mapping.mapper import Mapped
from lmul.cost.netlist.netlist import Netlist
from lmul.cost.timing.analysis import analyse_timing
from lmul.design import Design
from lmul.hdl import export

NAND2_TRANSISTORS = 4


@dataclass(frozen=True)
class Gate:
    """A kind of gate.

    Parameters
    ----------
    inputs : str
        Names of the pins, a letter each.
    outputs : dict of str to str
        Liberty functions by pin.
    transistors : int
        In static CMOS.
    levels : int
        Depth from any input to any output.
    """

    inputs: str
    outputs: Mapping[str, str]
    transistors: int
    levels: int


FULL_ADDER, HALF_ADDER = "FA", "HA"
ADDERS = (FULL_ADDER, HALF_ADDER)

GATES = {
    "NOT": Gate("A", {"Y": "A'"}, 2, 1),
    "NAND": Gate("AB", {"Y": "(A B)'"}, NAND2_TRANSISTORS, 1),
    "NOR": Gate("AB", {"Y": "(A + B)'"}, 4, 1),
    "AND": Gate("AB", {"Y": "A B"}, 6, 1),
    "OR": Gate("AB", {"Y": "A + B"}, 6, 1),
    "XOR": Gate("AB", {"Y": "A ^ B"}, 10, 1),
    "XNOR": Gate("AB", {"Y": "(A ^ B)'"}, 10, 1),
    HALF_ADDER: Gate("AB", {"S": "A ^ B", "CO": "A B"}, 14, 1),
    FULL_ADDER: Gate("ABC", {"S": "A ^ B ^ C", "CO": "A B + A C + B C"}, 28, 2),
}
"""Combinational gates by name. A full adder is as deep as its two XORs."""

FLIP_FLOPS = {"DFF": "", "DFFR": 'clear : "R\'"; ', "DFFS": 'preset : "R\'"; '}
"""Flip-flops by name, with what an asynchronous reset does in Liberty; a design needs the first, or all."""

FLIP_FLOP_TRANSISTORS, RESET_TRANSISTORS = 24, 4


@dataclass(frozen=True)
class GateCost:
    """A design in gates.

    Parameters
    ----------
    design : Design
    gates : mapping of str to int
        Number of each kind of inverter and two-input gate.
    flip_flops, full_adders, half_adders : int
    nand2_equivalents : float
        Transistors of everything over those of a NAND.
    depth : int
        Gates on the longest path between ports and flip-flops; a full adder counts as two.
    script : str
        What found this netlist, the one of fewest transistors.
    spread : tuple of float
        NAND equivalents of the smallest and of the largest netlist of all scripts.
    """

    design: Design
    gates: Mapping[str, int]
    flip_flops: int
    full_adders: int
    half_adders: int
    nand2_equivalents: float
    depth: int
    script: str
    spread: tuple[float, float]

    def as_dict(self) -> dict[str, Any]:
        """Give the figures as plain values."""
        figures = vars(self) | {"design": self.design.parameters(), "estimate": "gates"}
        weights = {name: gate.transistors for name, gate in GATES.items()}
        flip_flops = {name: _flip_flop_transistors(name) for name in flip_flops_of(self.design)}
        return figures | {"transistors": weights | flip_flops}


def estimate_gates(
    design: Design, *, cache: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> GateCost:
    """Map a design to gates with every script, and count those of the smallest netlist.

    Parameters
    ----------
    design : Design
    cache : Path, optional
        Directory where netlists are kept.
    progress : callable, optional
        Called with the numbers of finished and of all mapping runs.
    """
    found = map_to_gates(design, cache=cache, progress=progress)
    areas = {name: mapped.netlist.area for name, mapped in found.items()}
    script = min(areas, key=lambda name: areas[name])
    netlist = found[script].netlist
    counts = netlist.cell_counts
    return GateCost(
        design,
        gates={name: counts[name] for name in GATES if name in counts and name not in ADDERS},
        flip_flops=sum(counts.get(name, 0) for name in FLIP_FLOPS),
        full_adders=counts.get(FULL_ADDER, 0),
        half_adders=counts.get(HALF_ADDER, 0),
        nand2_equivalents=netlist.area,
        depth=depth(netlist),
        script=script,
        spread=(min(areas.values()), max(areas.values())),
    )


def depth(netlist: Netlist) -> int:
    """Count the levels of the longest path between ports and flip-flops of a netlist of gates."""
    return round(analyse_timing(netlist).delay_ps)


def map_to_gates(
    design: Design, *, cache: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> dict[str, Mapped]:
    """Map a design to gates with the scripts that its size allows: netlists by name of the script."""
    scripts, library = scripts_for(design), gate_library(flip_flops_of(design))
    return map_to_cells(export(design), design, library, scripts=scripts, cache=cache, progress=progress)


def flip_flops_of(design: Design) -> tuple[str, ...]:
    """Give the names of the flip-flops that a design may have."""
    return tuple(FLIP_FLOPS)[: None if design.reset == "async" else 1]


@lru_cache(maxsize=2)
def gate_library(flip_flops: tuple[str, ...] = ("DFF",)) -> Library:
    """Give the ideal gates and some of `FLIP_FLOPS` as a library."""
    return parse_liberty(gate_liberty(flip_flops), "gates.lib")


def gate_liberty(flip_flops: Sequence[str]) -> str:
    """Write the gates and some of `FLIP_FLOPS` as Liberty: areas in NANDs, delays in levels, no slews."""
    header = 'time_unit : "1ps"; voltage_unit : "1V"; nom_voltage : 1; capacitive_load_unit(1, ff);'
    cells = "".join(f"{_gate_cell(name, gate)}\n" for name, gate in GATES.items())
    return f"library(gates) {{ {header}\n{cells}{''.join(map(_flip_flop_cell, flip_flops))}\n}}\n"


def _gate_cell(name: str, gate: Gate) -> str:
    arcs = "".join(f"timing() {{ related_pin : {pin}; {_delay(gate.levels)} }} " for pin in gate.inputs)
    outputs = (
        f'pin({pin}) {{ direction : output; function : "{function}"; {arcs}}}'
        for pin, function in gate.outputs.items()
    )
    return _cell(name, gate.transistors, [*map(_input, gate.inputs), *outputs])


def _flip_flop_transistors(name: str) -> int:
    return FLIP_FLOP_TRANSISTORS + (RESET_TRANSISTORS if FLIP_FLOPS[name] else 0)


def _flip_flop_cell(name: str) -> str:
    setup = f"timing_type : setup_rising; {_tables(('rise_constraint', 'fall_constraint'), 0)}"
    reset = FLIP_FLOPS[name]
    return _cell(
        name,
        _flip_flop_transistors(name),
        [
            f'ff(IQ, IQN) {{ clocked_on : "C"; next_state : "D"; {reset}}}',
            *([_input("R")] if reset else []),
            _input("D", f"timing() {{ related_pin : C; {setup} }}"),
            _input("C", "clock : true;"),
            f'pin(Q) {{ direction : output; function : "IQ"; '
            f"timing() {{ related_pin : C; timing_type : rising_edge; {_delay(0)} }} }}",
        ],
    )


def _cell(name: str, transistors: int, parts: Sequence[str]) -> str:
    return f"cell({name}) {{ area : {transistors / NAND2_TRANSISTORS:g}; {' '.join(parts)} }}"


def _input(pin: str, rest: str = "") -> str:
    return f"pin({pin}) {{ direction : input; capacitance : 1; {rest} }}"


def _delay(levels: int) -> str:
    delays = _tables(("cell_rise", "cell_fall"), levels)
    return f"{delays} {_tables(('rise_transition', 'fall_transition'), 0)}"


def _tables(names: Sequence[str], value: int) -> str:
    return " ".join(f'{name}(scalar) {{ values("{value}"); }}' for name in names)
