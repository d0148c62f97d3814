"""The layouts that the options of a command ask for."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmul.cost.library.cells import Library
from lmul.design import Design
from lmul.errors import UserError
from lmul.options import option

if TYPE_CHECKING:
    from lmul.cost.layout.estimate import LaidOut, Placing

LAYOUT = ("layout", "utilisation", "aspect", "placements", "wire-capacitance", "lef")
"""Options of layouts."""

RANGES = {
    "utilisation": (0.05, 0.98),
    "aspect": (0.1, 10),
    "placements": (1, 100),
    "wire_capacitance": (0, 10),
}
"""What numbers may be."""


def layouts(
    options: argparse.Namespace, designs: Sequence[Design], library: Library, cache: Path
) -> Callable[..., "LaidOut"] | None:
    """Give what lays out a cost under its operands, before any work; None where none is asked for.

    Raises
    ------
    UserError
        A number is out of its range, an option is without `--layout`, the LEF files cannot be used, or a
        design is too large.
    """
    if not options.layout:
        given = [name for name in LAYOUT if name in options.given]
        if given:
            raise UserError(f"--{given[0]} means nothing without --layout: add that, or leave it out")
        return None
    if options.rtl:
        raise UserError("--layout places designs of this generator: leave --rtl or --layout out")
    if options.wires:
        raise UserError("--wires guesses what --layout measures: leave one out")
    from lmul.cost.layout.estimate import check_size, estimate_layout
    from lmul.cost.layout.technology.lef import read_lef

    for design in designs:
        check_size(design)
    technology = read_lef(lef_files(options))
    technology.check_library(library)
    return partial(estimate_layout, technology=technology, placing=_placing(options), cache=cache)


def lef_files(options: argparse.Namespace) -> tuple[Path, ...]:
    """Give the files of `lef`, those of the default library without any.

    Raises
    ------
    UserError
        They are without those of `liberty`, or those without them.
    """
    from lmul.cost.layout.technology.lef import default_lef

    if bool(options.liberty) != bool(options.lef):
        raise UserError("--lef and --liberty belong together: name the files of one library, or none")
    return tuple(options.lef) if options.lef else default_lef()


def _placing(options: argparse.Namespace) -> "Placing":
    from lmul.cost.layout.estimate import Placing

    given: dict[str, Any] = {}
    for name, (least, most) in RANGES.items():
        value = getattr(options, name)
        if value is None:
            continue
        if not least <= value <= most:
            raise UserError(f"{option(name)} must be from {least:g} to {most:g}, not {value:g}")
        given[name] = value
    return Placing(**given)
