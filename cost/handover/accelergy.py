"""Costs for other programs: CSV for spreadsheets, reference tables for Accelergy and tools that read its."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lmul.cost.cells.estimate import Cost
from lmul.cost.cells.noise import cost_figures

ACCELERGY_VERSION = 0.4

RATIO_ENDS = ("ratio", "ratio_low", "ratio_high")
"""Columns of a ratio to the last design of a comparison, with its 95 % interval."""


def csv_text(costs: Sequence[Cost]) -> str:
    """Write one row a design: its parameters, then its figures, units in the names.

    Parameters
    ----------
    costs : sequence of Cost
    """
    rows = [_row(figures) for figures in cost_figures(costs)]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(figures: Mapping[str, Any]) -> dict[str, object]:
    plain = {name: value for name, value in figures.items() if not isinstance(value, dict | list)}
    energy = {f"{part}_fj_per_cycle": value for part, value in figures["energy_per_cycle_fj"].items()}
    parameters: dict[str, object] = figures["design"]
    ratios = dict(figures.get("ratios", {}))
    over: dict[str, object] = {"ratios_over": ratios.pop("over")} if ratios else {}
    for name, values in ratios.items():
        over |= zip((f"{name}_{end}" for end in RATIO_ENDS), values, strict=True)
    return parameters | plain | energy | over


def accelergy_files(costs: Sequence[Cost]) -> dict[str, str]:
    """Write energy and area reference tables, one component a design.

    Parameters
    ----------
    costs : sequence of Cost

    Returns
    -------
    dict of str to str
        `ERT.yaml` and `ART.yaml`: energies in pJ, areas in um2. `compute` is one product with its share of
        the sum, glitches included, at full throughput; `leak` is the whole component for one clock period.
    """
    energies, areas = [], []
    for cost in costs:
        product, cycle = cost.energy_per_product, cost.measured.energy
        energies += [
            f"  - name: {cost.design.name}",
            "    actions:",
            *_action("compute", product.total - product.leakage),
            *_action("leak", cycle.leakage),
        ]
        areas += [f"  - name: {cost.design.name}", f"    area: {_digits(cost.area_um2)}"]
    return {"ERT.yaml": _tables("ERT", energies, costs), "ART.yaml": _tables("ART", areas, costs)}


def _action(name: str, femtojoules: float) -> list[str]:
    return [f"    - name: {name}", "      arguments: {}", f"      energy: {_digits(femtojoules / 1e3)}"]


def _digits(value: float) -> str:
    """Write six significant digits, as YAML takes a float."""
    return np.format_float_positional(value, precision=6, fractional=False, trim="0")


def _tables(kind: str, lines: Sequence[str], costs: Sequence[Cost]) -> str:
    library = costs[-1].library
    units = {"ERT": "pJ", "ART": "um2"}[kind]
    source = f"# lmul cost, cells of {library.name}, {library.voltage:g} V, no placement; {units}"
    return "\n".join([source, f"{kind}:", f"  version: {ACCELERGY_VERSION}", "  tables:", *lines, ""])
