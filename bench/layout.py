"""Place designs with `lmul` and with exact products side by side, into report/recorded/layout.json.

`python bench/layout.py` places what is not kept yet; netlists and figures are kept in `build`. One seed of
synthesis for each side, and as many placements: ratios tell how far wires move them, and the same netlists
without wires stand beside them.
"""

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from record import RAW, RECORDED

from lmul.cost.cells.estimate import estimate
from lmul.cost.cells.measure import Conditions
from lmul.cost.cells.noise import FIGURES
from lmul.cost.layout.estimate import LaidOut, Placing, estimate_layout, lay_out, placed_ratio, ratio_before
from lmul.cost.layout.files.picture import picture_svg
from lmul.cost.layout.technology.lef import default_lef, read_lef
from lmul.cost.library.reader import default_library
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

DRAWN = "dot product, 8 lanes, fixed"
REPORT = Path(__file__).parent.parent / "report" / "recorded"
PICTURES = RECORDED.parent / "images", REPORT
"""Which one is drawn, and for which pages."""

SEEDS = 1
"""Of synthesis."""

WIRES_FF_UM = (None, 0.0)
"""Capacitances of wires: the published one, and none, which leaves buffers and the clock's tree."""


def laid_out(options: dict[str, Any], wire_capacitance: float | None, technology: Any) -> LaidOut:
    """Map, place and measure a design."""
    design, operands = make_design(**options), default_operands()
    conditions = Conditions(seeds=SEEDS)
    with working(f"{design.name}: mapping") as progress:
        cost = estimate(
            design, operands, default_library(), conditions=conditions, cache=BUILD, progress=progress
        )
    placing = Placing(wire_capacitance=wire_capacitance)
    with working(f"{design.name}: placing") as progress:
        return estimate_layout(cost, operands, technology, placing, cache=BUILD, progress=progress)


def compared(options: dict[str, Any], beside: dict[str, Any], technology: Any) -> list[dict[str, Any]]:
    """Give the ratios of a pair, for each capacitance of wires."""
    found = []
    for wires in WIRES_FF_UM:
        pair = [
            laid_out({**options, **change}, wires, technology)
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


def draw(technology: Any) -> None:
    """Draw a placed design for the documents."""
    cost = laid_out({**PAIRS[DRAWN][0], "mul": "exact"}, None, technology).cost
    layout = lay_out(cost.mapped.netlist, technology, Placing(), 1)
    for folder in PICTURES:
        write_files(folder, {PICTURE: picture_svg(layout.placement)})


def main() -> None:
    """Place all pairs, and write what was found after each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pairs", nargs="*", default=list(PAIRS), help=", ".join(PAIRS))
    options = parser.parse_args()
    technology = read_lef(default_lef())
    rows = {}
    for name in options.pairs:
        start = time.perf_counter()
        rows[name] = compared(*PAIRS[name], technology)
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        command = shlex.join(["python", "bench/layout.py"])
        write_json(REPORT / "layout.json", {"command": command, "seeds": SEEDS, "rows": rows})
    draw(technology)


if __name__ == "__main__":
    main()
