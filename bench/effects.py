"""What each option of a dot product changes, one at a time: the table of README.md, as Markdown.

Areas, delays and energies are those of `lmul cost --seeds 1`, errors those of `lmul explore`: the root mean
square of the results on the SmolLM2 tiles against exact products of the same operands before rounding.
"""

from pathlib import Path

from lmul.cost.measure import Conditions
from lmul.design import Design, make_design
from lmul.explore.evaluate import Setup, Task, evaluate
from lmul.explore.space import Point

CHANGES: tuple[dict[str, str | int], ...] = (
    {},
    {"mul": "mitchell"},
    {"mul": "addm"},
    {"mul": "addc"},
    {"mul": "exact"},
    {"format": "e5m2"},
    {"format": "bf16", "acc": "fp32"},
    {"subnormals": "full"},
    {"acc": "fixed:24:1"},
    {"acc": "fp32"},
    {"out": "raw"},
    {"lanes": 16},
    {"pipeline": 2},
    {"carry": "save"},
)

FIGURES = ("area_um2", "critical_delay_ps", "energy_per_product_fj", "rms_error_percent")

HEAD = "| option | area, um2 a lane | critical delay, ps | energy of a product, fJ | RMS error, % |"


def main() -> None:
    """Measure and print a row for each change."""
    setup = Setup(Conditions(seeds=1, precision=0.02), cache=Path("build/cells").absolute())
    fingerprint = setup.fingerprint()
    print(HEAD)
    print("|---" * 5 + "|")
    for change in CHANGES:
        design = make_design("dot", **change)
        found = evaluate(Task(Point(design)), setup, fingerprint).figures
        print(row(change, design, [found[name] for name in FIGURES]), flush=True)


def row(change: dict[str, str | int], design: Design, figures: list[float]) -> str:
    """Give a row: the change, and the figures with as many digits as mean something."""
    options = " ".join(f"--{name} {value}" for name, value in change.items())
    area, delay, energy, error = figures
    cells = [f"`{options}`" if options else "none", f"{area / design.lanes:.0f}"]
    return f"| {' | '.join([*cells, f'{delay:.0f}', f'{energy:.0f}', f'{error:.2f}'])} |"


if __name__ == "__main__":
    main()
