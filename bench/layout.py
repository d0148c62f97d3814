"""Place designs with `lmul` and with exact products side by side, into report/recorded/layout.json.

`python bench/layout.py` places what is not kept yet; netlists and figures are kept in `build`. Pairs that
are named alone take the place of theirs in the record; so do units of README. `--liberty` and `--lef` place
two pairs in cells of another library, which is recorded beside them. One seed of synthesis for each side, and
as many placements: ratios tell how far wires move them, and the same netlists without wires stand beside
them.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from record import RAW, RECORDED, UNIT_CLOCK, UNITS

from lmul.cost.cells.estimate import estimate
from lmul.cost.cells.measure import Conditions
from lmul.cost.cells.noise import FIGURES
from lmul.cost.layout.estimate import LaidOut, Placing, estimate_layout, lay_out, placed_ratio, ratio_before
from lmul.cost.layout.files.picture import picture_svg
from lmul.cost.layout.technology.lef import default_lef, read_lef
from lmul.cost.layout.technology.technology import Technology
from lmul.cost.library.cells import Library
from lmul.cost.library.reader import LibraryFiles, default_library
from lmul.cost.mapping.mapper import CELLS
from lmul.design import make_design
from lmul.host.files import write_files, write_json
from lmul.report.sections.layouts import PICTURE
from lmul.terminal.progress import working
from lmul.workloads import default_operands

BUILD = Path("build") / CELLS

FUSED = {"acc": "fused:13:13", "out": "raw"}

PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "multiplier": ({"kind": "mul"}, {}),
    "multiplier, bf16": ({"kind": "mul", "format": "bf16"}, {}),
    "dot product, 8 lanes, exact": ({"kind": "dot", "lanes": 8}, {}),
    "dot product, 8 lanes, fixed": ({"kind": "dot", "lanes": 8, **RAW}, {}),
    "dot product, 16 lanes, fixed": ({"kind": "dot", "lanes": 16, **RAW}, {}),
    "dot product, 8 lanes, fused": ({"kind": "dot", "lanes": 8, **FUSED}, {}),
    "dot product, 16 lanes, fused": ({"kind": "dot", "lanes": 16, **FUSED}, {}),
    "dot product, 4 lanes, bf16, fused": (
        {"kind": "dot", "lanes": 4, "format": "bf16", "acc": "fused:25", "out": "raw"},
        {},
    ),
    "dot product, 16 lanes, MX, fused": ({"kind": "dot", "lanes": 16, "scale": "mx", **FUSED}, {}),
    "dot product, 8 lanes, beside int8": (
        {"kind": "dot", "lanes": 8, **RAW},
        {"format": "int8", "acc": "fixed:24:0"},
    ),
    "array, 4 x 4": ({"kind": "array", "rows": 4, "cols": 4, "lanes": 1, **RAW}, {}),
}
"""Options of a design, and those that the exact one beside it has instead."""

UNIT_PAIRS = {
    f"{unit.get('format', 'e4m3')}, {unit['lanes']} lanes, {unit['acc']}": {"kind": "dot", **unit}
    for unit in UNITS
}
"""Options of the units of one clock, which are placed with wires alone, and only those that are named."""

ELSEWHERE = ("multiplier", "dot product, 8 lanes, fixed")
"""Pairs of other libraries."""

DRAWN = "dot product, 8 lanes, fixed"
REPORT = Path(__file__).parent.parent / "report" / "recorded"
PICTURES = RECORDED.parent / "images", REPORT
"""Which one is drawn, and for which pages."""

RECORD = REPORT / "layout.json"

SEEDS = 1
"""Of synthesis."""

WIRES_FF_UM = (None, 0.0)
"""Capacitances of wires: the published one, and none, which leaves buffers and the clock's tree."""


class Cells(NamedTuple):
    """Cells of a library, and their outlines."""

    library: Library
    technology: Technology


def laid_out(
    options: dict[str, Any], wire_capacitance: float | None, cells: Cells, period_ps: float | None = None
) -> LaidOut:
    """Map, place and measure a design."""
    design, operands = make_design(**options), default_operands()
    given: dict[str, Any] = {"conditions": Conditions(period_ps, SEEDS), "cache": BUILD}
    with working(f"{design.name}: mapping") as progress:
        cost = estimate(design, operands, cells.library, progress=progress, **given)
    placing = Placing(wire_capacitance=wire_capacitance)
    with working(f"{design.name}: placing") as progress:
        return estimate_layout(cost, operands, cells.technology, placing, cache=BUILD, progress=progress)


def compared(
    options: dict[str, Any],
    beside: dict[str, Any],
    cells: Cells,
    wires_ff_um: Sequence[float | None] = WIRES_FF_UM,
    period_ps: float | None = None,
) -> list[dict[str, Any]]:
    """Give the ratios of a pair, for each capacitance of wires."""
    found = []
    for wires in wires_ff_um:
        pair = [
            laid_out({**options, **change}, wires, cells, period_ps)
            for change in ({"mul": "lmul"}, {"mul": "exact", **beside})
        ]
        found.append(
            {
                "wire_ff_um": wires,
                "designs": [laid.as_dict() for laid in pair],
                "before": {name: ratio_before(name, *pair) for name in FIGURES},
                "placed": {
                    name: {"value": ratio.value, "half_width": ratio.half_width}
                    for name in FIGURES
                    for ratio in [placed_ratio(name, *pair)]
                },
            }
        )
    return found


def draw(cells: Cells) -> None:
    """Draw a placed design for the documents."""
    cost = laid_out({**PAIRS[DRAWN][0], "mul": "exact"}, None, cells).cost
    layout = lay_out(cost.mapped.netlist, cells.technology, Placing(), 1)
    for folder in PICTURES:
        write_files(folder, {PICTURE: picture_svg(layout.placement)})


def place(names: Sequence[str], cells: Cells, library: str | None) -> None:
    """Place pairs, and keep each in the record, which another process may have changed meanwhile."""
    for name in names:
        start = time.perf_counter()
        if name in UNIT_PAIRS:
            found = compared(UNIT_PAIRS[name], {}, cells, WIRES_FF_UM[:1], UNIT_CLOCK * 1e3)
        else:
            found = compared(*PAIRS[name], cells)
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        record = json.loads(RECORD.read_text())
        key = library or ("units" if name in UNIT_PAIRS else "rows")
        place_of = record if library is None else record["libraries"]
        rows = place_of.get(key, {}) | {name: found}
        place_of[key] = {known: rows[known] for known in (*PAIRS, *UNIT_PAIRS) if known in rows}
        write_json(RECORD, record | {"seeds": SEEDS})


def main() -> None:
    """Place pairs, and write what was found after each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pairs", nargs="*", metavar="PAIR", help="; ".join((*PAIRS, *UNIT_PAIRS)))
    parser.add_argument("--liberty", action="append", type=Path, metavar="FILE", help="of another library")
    parser.add_argument("--lef", action="append", type=Path, metavar="FILE", help="of the same library")
    options = parser.parse_args()
    known = PAIRS if options.liberty else PAIRS | UNIT_PAIRS
    if unknown := [name for name in options.pairs if name not in known]:
        parser.error(f"there is no pair {unknown[0]!r}: name some of {'; '.join(known)}")
    if bool(options.liberty) != bool(options.lef):
        parser.error("--liberty and --lef are of one library: give both")
    if options.liberty:
        cells = Cells(LibraryFiles(tuple(options.liberty)).read(), read_lef(options.lef))
        place(options.pairs or ELSEWHERE, cells, cells.library.name)
        return
    cells = Cells(default_library(), read_lef(default_lef()))
    place(options.pairs or list(PAIRS), cells, None)
    draw(cells)


if __name__ == "__main__":
    main()
