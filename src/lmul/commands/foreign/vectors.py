"""Steps that tensor cores gave, through the Verilog of the same units."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from lmul.commands.shared.simulation import check_simulator, design_sources, directory_of
from lmul.design import LIMITS, Design, make_design
from lmul.errors import Parameter, UserError, one_line
from lmul.golden import Arithmetic, find_format
from lmul.golden.accumulators import UNITS, find_accumulator
from lmul.hdl import export
from lmul.host.files import locked, write_files
from lmul.host.parameters import ParameterError
from lmul.sim.stimulus.vectors import Steps, arithmetic, canonical, combinations, read_steps
from lmul.terminal.console import console, say, write_figures
from lmul.terminal.progress import working

NEEDED = {"mul": "exact", "subnormals": "full", "out": "raw", "addend": True}
"""What a tensor core has, and a design that is compared with one."""


@dataclass(frozen=True)
class Compared:
    """How many steps of a combination came out as they should.

    Parameters
    ----------
    combination : str
    design : str
        The module's name.
    steps : int
    equal_to_given, equal_to_model : int
    """

    combination: str
    design: str
    steps: int
    equal_to_given: int
    equal_to_model: int

    @property
    def right(self) -> bool:
        """Whether all of them did."""
        return self.equal_to_given == self.equal_to_model == self.steps


def run_vectors(options: argparse.Namespace) -> int:
    """Run every combination of a file that is of the design that was asked for; 1 where a step differs."""
    from lmul.sim.simulate import SimulationError

    _check(options)
    designs = _designs(options.vectors, options.chosen)
    check_simulator(options)
    found: list[Compared] = []
    try:
        for name, design in designs.items():
            found.append(_compare(read_steps(options.vectors, name), design, options))
    except SimulationError as error:
        print(f"lmul: {one_line(error)}", file=sys.stderr)
        return 1
    console().print(_table(options.vectors, found))
    write_figures(options.json, {"vectors": [asdict(one) for one in found]})
    wrong = [one.combination for one in found if not one.right]
    if wrong:
        print(f"lmul: steps differ in {', '.join(wrong)}", file=sys.stderr)
    return int(bool(wrong))


def _check(options: argparse.Namespace) -> None:
    """Refuse what means nothing to steps of a tensor core."""
    if options.design != "dot":
        raise UserError(f"--vectors means nothing to {options.design}: it is for dot")
    for name in ("stress", "pauses", "operands", "scaling", "codes", "stream", "seed", "waves"):
        if getattr(options, name):
            raise UserError(f"--{name} means nothing beside --vectors: leave one of them out")
    for name, value in NEEDED.items():
        if options.chosen.get(name, value) != value:
            wanted = f" must be {value}, or left out"
            raise ParameterError(name, "beside ", Parameter("vectors"), wanted)


def _designs(path: Path, chosen: Mapping[str, Any]) -> dict[str, Design]:
    """Give the design of each combination of a file that those that were asked for include."""
    names = combinations(path)
    units = {name: arithmetic(name) for name in names}
    # Of units with more lanes than a design has there is a model alone.
    units = {name: unit for name, unit in units.items() if unit.lanes <= LIMITS["lanes"]}
    others = {name: value for name, value in chosen.items() if name not in {"format", "format_a", "format_b"}}
    found = {
        name: make_design("dot", **others | NEEDED | _numbers(unit))
        for name, unit in units.items()
        if _asked(unit, chosen)
    }
    if not found:
        raise UserError(f"{str(path)!r} has no steps of such a design: it has {', '.join(names)}")
    return found


def _numbers(unit: Arithmetic) -> dict[str, Any]:
    """Give the parameters of a unit that a design has of it."""
    first, second = unit.formats
    numbers = {name: getattr(unit, name) for name in ("acc", "lanes", "scale")}
    return numbers | {"format_a": first.name, "format_b": second.name}


def _asked(unit: Arithmetic, chosen: Mapping[str, Any]) -> bool:
    """Tell whether a unit has the accumulator, the formats and the lanes that were asked for, if any were."""
    acc, format_ = chosen.get("acc", unit.acc), chosen.get("format")
    wanted = chosen.get("format_a", format_), chosen.get("format_b", format_)
    formats = all(
        name is None or find_format(name) == own for name, own in zip(wanted, unit.formats, strict=True)
    )
    if not formats or any(
        chosen.get(name, own) != own for name, own in (("lanes", unit.lanes), ("scale", unit.scale))
    ):
        return False
    return acc == unit.acc or (acc not in UNITS and find_accumulator(acc, unit.formats) == unit.accumulator)


def _compare(steps: Steps, design: Design, options: argparse.Namespace) -> Compared:
    """Run steps through a design's Verilog, and count those that are what they should be."""
    from lmul.sim.simulate import SimulationRun, results

    text = export(design)
    directory = directory_of(text, options, "vectors")
    sources, top = design_sources(design, text, options)
    with locked(directory), working(f"Simulating {text.name}") as progress:
        paths = write_files(directory, sources)
        run = SimulationRun(
            *(design, paths, top, text.port_names, [], directory / "build"), four_state=options.four_state
        )
        sums = results(run, steps.a, steps.b, steps.start, progress, steps.scales)
    say(f"{paths[0]}: {steps.name}, {len(sums):,} steps.")
    model = steps.modelled(design)
    return Compared(
        steps.name,
        text.name,
        len(sums),
        int(np.count_nonzero(steps.results(sums) == canonical(steps.d))),
        int(np.count_nonzero(sums == model)),
    )


def _table(path: Path, found: Sequence[Compared]) -> Table:
    right = [Column(name, justify="right") for name in ("steps", "equal to file", "equal to model")]
    table = Table("combination", *right, title=f"Steps of {path}", box=SIMPLE_HEAD)
    for one in found:
        counts = (one.steps, one.equal_to_given, one.equal_to_model)
        table.add_row(one.combination, *(f"{count:,}" for count in counts))
    return table
