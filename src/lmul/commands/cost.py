"""`lmul cost`: area, delay and energy of designs side by side."""

import argparse
import json
import math
from collections.abc import Sequence

from lmul.console import console
from lmul.cost.estimate import estimate
from lmul.cost.liberty import default_liberty
from lmul.cost.mapping import CELLS
from lmul.cost.table import cost_table
from lmul.design import Design
from lmul.errors import UserError
from lmul.files import write_files
from lmul.progress import working
from lmul.workloads import Operands


def run_cost(designs: Sequence[Design], operands: Sequence[Operands], options: argparse.Namespace) -> int:
    """Estimate the cost of designs side by side."""
    if options.clock is not None and not 0 < options.clock < math.inf:
        raise UserError(f"--clock must be a period in ps above 0, not {options.clock:g}")
    liberty = options.liberty or default_liberty()
    costs = []
    for design in designs:
        with working(f"Mapping and measuring {design.name}") as progress:
            cost = estimate(
                design,
                operands,
                liberty,
                period_ps=options.clock,
                cache=options.build / CELLS,
                progress=progress,
            )
        costs.append(cost)
    console().print(cost_table(costs))
    if options.json:
        content = json.dumps([cost.as_dict() for cost in costs], indent=2) + "\n"
        write_files(options.json.parent, {options.json.name: content})
        print(f"Figures: {options.json}")
    return 0
