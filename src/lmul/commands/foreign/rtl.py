"""`lmul sim mul --rtl`: a multiplier that somebody wrote, against the golden model."""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from lmul.commands.shared.rtl import USUAL, check_rtl
from lmul.errors import one_line
from lmul.sim.rtl.table import report
from lmul.sim.simulate import SimulationError
from lmul.terminal.console import console, write_figures


def run_rtl(chosen: Mapping[str, Any], options: argparse.Namespace) -> int:
    """Compare a multiplier with the golden model and say where it differs.

    Parameters
    ----------
    chosen : mapping of str to JSON value
        Parameters of designs that were asked for; `mul` may name several multipliers.
    options : argparse.Namespace
        Of `lmul sim`.

    Returns
    -------
    int
        0 if all values agree, 1 if not.
    """
    muls = chosen.get("mul", USUAL).split(",")
    try:
        checked = check_rtl(options, chosen, muls)
    except SimulationError as error:
        print(f"lmul: {one_line(error)}", file=sys.stderr)
        return 1
    write_figures(options.json, checked.as_dict())
    console().print(report(checked))
    return int(checked.verdict.values > 0)
