"""A multiplier that somebody wrote, as the options of a command name it."""

import argparse
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from lmul.design import make_design
from lmul.errors import UserError
from lmul.golden import OVERFLOWS, SUBNORMALS
from lmul.sim.rtl.check import Checked, check_unit
from lmul.sim.rtl.read import read_unit

USUAL = "exact"
"""What a multiplier is compared with unless something else is asked for."""


POLICIES = {"subnormals": SUBNORMALS, "overflow": OVERFLOWS}
"""Options that are tried, and what they may be."""


def check_rtl(
    options: argparse.Namespace, chosen: Mapping[str, Any], muls: Sequence[str], *, remade: bool = False
) -> Checked:
    """Simulate the multiplier of `--rtl` beside those of the golden model.

    Parameters
    ----------
    options : argparse.Namespace
        `rtl`, `top`, `ports`, `design`.
    chosen : mapping of str to JSON value
        Parameters of designs that were asked for. Of `subnormals` and `overflow` all are tried but those.
    muls : sequence of str
        Multipliers that are tried.
    remade : bool
        As `check_unit` has it.

    Raises
    ------
    UserError
        The multiplier cannot be read, or is asked for as something else.
    SimulationError
        Its simulation ended early, or products do not stay.
    """
    if options.design != "mul":
        raise UserError(f"--rtl is a multiplier: ask for mul, not {options.design}")
    formats = {name: chosen[name] for name in ("format", "format_a", "format_b") if name in chosen}
    if (asked := make_design("mul", **formats)).integer:
        raise UserError(f"--rtl compares floating-point multipliers, not those of {asked.format_names}")
    unit = read_unit(options.rtl, options.top, options.ports)
    policies = [[chosen[name]] if name in chosen else [*known] for name, known in POLICIES.items()]
    models = [
        make_design("mul", **{**chosen, "mul": mul, **dict(zip(POLICIES, policy, strict=True))})
        for mul in muls
        for policy in product(*policies)
    ]
    return check_unit(unit, models, remade=remade)
