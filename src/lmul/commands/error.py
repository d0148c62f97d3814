"""`lmul error`: accuracy of all multipliers, over a format or a file's operands, and published figures."""

import argparse
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from lmul.accuracy.paper.claims import recompute_claims
from lmul.accuracy.plot import plot_errors
from lmul.accuracy.report import OperandsReport, as_plain, format_report, operands_report
from lmul.accuracy.table import claims_table, format_table, operands_table
from lmul.commands.shared.operands import chosen_operands, refuse_scaling
from lmul.errors import UserError
from lmul.golden import Format, Integer, find_format
from lmul.terminal.console import console, say, write_figures
from lmul.terminal.pictures import check_plot_path
from lmul.terminal.progress import working
from lmul.workloads import Operands

LENGTHS = range(1, 65537)
"""Products that a random dot product may have."""


def run_error(options: argparse.Namespace) -> int:
    """Show the accuracy of all multipliers, and write it where it is asked for.

    Parameters
    ----------
    options : argparse.Namespace
        `format`, `operands`, `scaling`, `codes`, `rounding`, `length`, `json`, `plot` and `claims`.

    Raises
    ------
    UserError
        An option cannot be used; nothing has then been written.
    """
    format_ = _check(options)
    table, figures = _recompute(options, format_)
    console().print(table)
    if options.plot:
        with working(f"Drawing {options.plot}"):
            plot_errors(format_, options.plot)
        say(f"Picture: {options.plot}")
    write_figures(options.json, as_plain(figures))
    return 0


def _check(options: argparse.Namespace) -> Format:
    """Refuse options that cannot be used, before any work."""
    format_ = find_format(options.format)
    if options.length not in LENGTHS:
        raise UserError(
            f"--length must be a whole number from {LENGTHS[0]} to {LENGTHS[-1]}, not {options.length!r}"
        )
    if not options.operands:
        refuse_scaling(options)
    if options.plot:
        if isinstance(format_, Integer):
            raise UserError(f"--plot draws errors over mantissas, and {format_.name} has none: leave it out")
        check_plot_path(options.plot)
    return format_


def _recompute(options: argparse.Namespace, format_: Format) -> tuple[RenderableType, Any]:
    """Do the work: a table, and what it is made of."""
    if options.claims:
        with working("Recomputing published figures") as progress:
            claims = recompute_claims(progress)
        return claims_table(claims), claims
    if not options.operands:
        with working(f"Multiplying in {format_.name}") as progress:
            report = format_report(format_, options.rounding, options.length, progress)
        return format_table(report), report
    operands, notes = chosen_operands(options, (format_, format_))
    found = [_of_file(pair, format_, options) for pair in operands]
    tables = Group(*map(operands_table, found), *map(Text, notes))
    return tables, found[0] if len(found) == 1 else found


def _of_file(operands: Operands, format_: Format, options: argparse.Namespace) -> OperandsReport:
    """Compare all multipliers on the operands of one matrix product."""
    name = f"{str(options.operands)!r}, {operands.name}"
    if not all(np.isfinite(matrix).all() for matrix in (operands.a, operands.b)):
        raise UserError(f"{name}: there are bit patterns of NaN or infinity: wanted finite numbers")
    with working(f"Multiplying {operands.name}") as progress:
        report = operands_report(operands, format_, options.rounding, progress)
    if not report.products.errors:
        raise UserError(f"{name}: every product is zero: wanted some that are not")
    return report
