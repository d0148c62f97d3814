"""Tables of the documents, each made from what one command or several have recorded."""

import json
import re
from collections.abc import Callable, Mapping
from statistics import mean
from typing import Any

from figures_records import (
    AREA,
    DELAY,
    ENERGY,
    MODEL,
    QUIET,
    RAW,
    TIMES,
    Figures,
    Rows,
    added_error,
    busy,
    cost,
    interval,
    perplexity,
    ratio,
    recorded,
    table,
)
from narrow_sums import cost_of, width_of

from lmul.cost.cells.table import ratio_text
from lmul.cost.published.claims import paper_claims
from lmul.cost.published.energies import TABLES
from lmul.cost.published.table import savings_rows
from lmul.llm.suites import GAINS
from lmul.report.arithmetics import on_front, recorded_points
from lmul.report.sections.arithmetics import arithmetics_sentences
from lmul.report.sections.tables import NBSP
from lmul.report.units import Unit, recorded_units

MULS = ("exact", "lmul", "mitchell", "addm", "addc")

# README.md


def units() -> str:
    """Compare the multipliers in units as accelerators have them, all at one clock; some are placed, too."""
    rows, laid_out = [], recorded("layout", MODEL)["units"]
    for unit in recorded_units():
        cells = [_unit(unit)]
        for figure in (AREA, ENERGY):
            cells += [f"{unit.lmul[figure]:.0f}", f"{unit.exact[figure]:.0f}"]
            cells.append(ratio_text(unit.ratio(figure)).strip())
        found = laid_out.get(_unit(unit).replace("`", ""))
        rows.append([*cells, " → ".join(_placed(found[0], ENERGY)) if found else "not placed"])
    period = next(recorded_units()).lmul["clock_period_ps"] / 1e3
    return table(
        [
            *(f"at {period} ns, Nangate 45 nm, 1.1 V", "area, um2: `lmul`", "`exact`", "ratio"),
            *("energy of a product, fJ: `lmul`", "`exact`", "ratio", "energy, of one netlist each → placed"),
        ],
        rows,
    )


def _unit(unit: Unit) -> str:
    design = unit.lmul["design"]
    return f"{design['format']}, {design['lanes']} lanes, `{design['acc']}`"


def overview() -> str:
    """Compare what the main job measures: a multiplier and a dot product, also placed."""
    parts = (
        ("multiplier, result in e4m3: area, um2", "energy, fJ", ".1f", "mul", "multiplier"),
        (
            "8-lane dot product, exact accumulator, fp32 out: area, um2",
            "energy per product, fJ",
            ".0f",
            "dot",
            "dot product, 8 lanes, exact",
        ),
    )
    rows = []
    for what, energy, digits, kind, laid_out in parts:
        pair = [cost(kind, mul=mul) for mul in ("lmul", "exact")]
        lines = {
            AREA: [what, *(format(found[AREA], digits) for found in pair)],
            DELAY: ["critical delay, ps", *(f"{found[DELAY]:.0f}" for found in pair)],
            ENERGY: [
                f"{energy} (without glitches)",
                *(f"{found[ENERGY]:.0f} ({found[QUIET]:.0f})" for found in pair),
            ],
        }
        found = recorded("layout", MODEL)["rows"][laid_out][0]
        rows += [
            [*line, ratio(figure, *pair), " → ".join(_placed(found, figure))]
            for figure, line in lines.items()
        ]
    headings = ["e4m3, Nangate 45 nm, 1.1 V", "`lmul`", "`exact`", "ratio", "of one netlist each → placed"]
    return table(headings, rows)


OPTIONS: tuple[dict[str, str | int], ...] = (
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
"""What is changed of an 8-lane dot product, each by itself."""


EFFECTS_SEEDS = "The rows with `--acc fp32` are of one seed, all others of three."
"""What `bench/record.py` says of the seeds."""


def effects() -> str:
    """Show what each option of a dot product changes."""
    rows = []
    for change in OPTIONS:
        found = cost("dot", **change)
        options = " ".join(f"--{name} {value}" for name, value in change.items())
        rows.append(
            [
                f"`{options}`" if options else "none",
                f"{found[AREA] / found['design']['lanes']:.0f}",
                f"{found[DELAY]:.0f}",
                f"{found[ENERGY]:.0f}",
                f"{found['rms_error_percent']:.2f}",
            ]
        )
    units = "area, um2 a lane", "critical delay, ps", "energy of a product, fJ", "RMS error, %"
    return f"{table(['option', *units], rows)}\n\n{EFFECTS_SEEDS}"


def code_products() -> str:
    """Show the errors of one e4m3 product."""
    found = recorded("products")["3"]
    rows = []
    for names in (("mitchell",), ("lmul",), ("addm",), ("addc", "exact")):
        (errors,) = {json.dumps(found[name]) for name in names}
        one = json.loads(errors)
        cells = f"{one['mean_percent']:+.2f} %", f"{one['mean_absolute_percent']:.2f} %", str(one["nearest"])
        rows.append([", ".join(f"`{name}`" for name in names), *cells])
    return table(["one rounded e4m3 product", "mean", "mean magnitude", "nearest value, of 64"], rows)


def perplexities() -> str:
    """Show what a language model loses with every product in e4m3."""
    muls = ("exact", "addm", "addc", "mitchell", "lmul")
    return table([f"`{mul}`" for mul in muls], [[perplexity(mul, "e4m3", "all") for mul in muls]])


# docs/accuracy.md


OPERANDS = {
    "e4m3": "e4m3",
    "e5m2": "e5m2",
    "e8m3": "e8m3, truncated",
    "e8m4": "e8m4, truncated",
    "bf16": "bf16",
    "e3m4": "e3m4",
}


def model(scope: str, head: str, *, register: bool = False, prefix: str = "") -> tuple[list[str], Rows]:
    """Give the perplexities of every multiplier and format."""
    rows = [
        [prefix + words, *(perplexity(mul, name, scope, register) for mul in MULS)]
        for name, words in OPERANDS.items()
    ]
    return [head, *(f"`{mul}`" for mul in MULS)], rows


def model_all() -> str:
    """Give every matrix product of a language model an arithmetic."""
    return table(*model("all", "every matrix product"))


def model_head() -> str:
    """Leave the output layer in full precision, beside everything."""
    scopes = {"every matrix product": "all", "all but the head": "all-but-head"}
    rows = [[words, *(perplexity(mul, "e4m3", scope) for mul in MULS)] for words, scope in scopes.items()]
    return table(["e4m3", *(f"`{mul}`" for mul in MULS)], rows)


def model_attention() -> str:
    """Give the products of attention alone an arithmetic."""
    return table(*model("attention", "attention alone"))


def model_registers() -> str:
    """Do both with registers of 24 bits."""
    head, everything = model("all", "24-bit registers", register=True, prefix="everything, ")
    _, attention = model("attention", "", register=True, prefix="attention, ")
    return table(head, [*everything, *attention])


MOST_OF_THREE_DIGITS = 0.03
"""Half of an interval, in nats, above which the third digit means nothing."""

SUMS = {
    "`h100`: F = 13, M = 13, 32 lanes": "h100,lanes=32",
    "`h100`, added in fp32 every 128 products": "h100,lanes=32,promote=128",
    "`b200`: F = 25, M = 23, 32 lanes": "b200,lanes=32",
}


def model_sums() -> str:
    """Compare the sums of tensor cores with exact ones."""
    found = {row["arithmetic"]: row["ratio"] for row in recorded("sums", MODEL)}
    rows = [["exact sums", *(perplexity(mul, "e4m3", "all") for mul in MULS)]]
    rows += [
        [words, *(interval(**found[f"{mul},e4m3,all,acc={acc}"]) for mul in MULS)]
        for words, acc in SUMS.items()
    ]
    scaled = {mul: f"{mul},e4m3,all,acc=h100,lanes=32,gain={gain}" for mul, gain in GAINS.items()}
    own = [interval(**found[scaled[mul]]) if mul in scaled else "" for mul in MULS]
    rows.append(["`h100`, operands scaled against the mean error", *own])
    return table(["every matrix product, e4m3", *(f"`{mul}`" for mul in MULS)], rows)


def narrow() -> str:
    """Show what a language model loses to sums of few bits, and what these cost where that is recorded."""
    losses = recorded("narrow", MODEL)["losses"]
    muls = list(dict.fromkeys(row["mul"] for row in losses))
    rows = []
    for width in dict.fromkeys(map(width_of, losses)):
        own = [row for row in losses if width_of(row) == width]
        cells = [_nats(**row[figure]) for figure in ("loss", "divergence") for row in own]
        costs = [cost_of(row) for row in own]
        for name in (AREA, ENERGY):
            figures = [f"{found[name]:.0f}" if found else "-" for found in costs]
            cells.append(", ".join(figures) if any(costs) else "-")
        rows.append([f"`{width.acc}`", *cells])
    names = [f"{figure}, `{mul}`" for figure in ("loss", "divergence") for mul in muls]
    of_all = ", ".join(f"`{mul}`" for mul in muls)
    return table(["sum", *names, f"area, um2: {of_all}", f"energy of a product, fJ: {of_all}"], rows)


def arithmetics() -> str:
    """Show energy and accuracy of all arithmetics, the least energy first, and say which to build."""
    points = recorded_points()
    best = dict(zip(points, on_front(points), strict=True))
    rows = [
        [
            f"`{point.words}`",
            f"{point.energy:.0f} ± {(point.most - point.least) / 2:.0f}",
            "{0:.{2}f} ± {1:.{2}f}".format(point.ratio, point.half_width, 3 if point.half_width < 0.1 else 1),
            f"{point.tokens:,}",
            "yes" if best[point] else "",
        ]
        for point in sorted(points, key=lambda point: point.energy)
    ]
    figures = ["energy of a product, fJ", "perplexity over full precision", "tokens"]
    headings = ["arithmetic", *figures, "on the front"]
    said = " ".join(arithmetics_sentences()).replace(NBSP, " ")
    return f"{said}\n\n{table(headings, rows)}"


def _nats(value: float, half_width: float) -> str:
    """Write a loss with its interval, to as many digits as mean something."""
    digits = 3 if half_width < MOST_OF_THREE_DIGITS else 2
    return f"{round(value, digits) + 0.0:.{digits}f} ± {half_width:.{digits}f}"  # No negative zero.


QUESTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("`exact`, `lmul`, `mitchell`, `addm`, `addc` in e4m3", tuple(f"{mul},e4m3,all" for mul in MULS)),
    (
        "`lmul` in e8m3, e8m4, bf16",
        ("lmul,e8m3,all,truncate", "lmul,e8m4,all,truncate", "lmul,bf16,all"),
    ),
    ("`exact`, `lmul` in e5m2", ("exact,e5m2,all", "lmul,e5m2,all")),
)


def questions() -> str:
    """Show how many questions are answered, and how many tokens are the same."""
    found = {row["arithmetic"]: row for row in recorded("questions", MODEL)}
    full = found["full"]["right"]
    rows = [
        [
            "full precision (4-bit weights)",
            f"{100 * full['value']:.1f} ± {100 * full['half_width']:.1f}",
            "100",
        ]
    ]
    for words, names in QUESTIONS:
        cells = []
        for figure in ("right", "agreement"):
            shares = [found[name][figure] for name in names]
            spread = max(share["half_width"] for share in shares)
            values = ", ".join(f"{100 * share['value']:.1f}" for share in shares)
            cells.append(f"{values}, each ± {100 * spread:.0f}")
        rows.append([words, *cells])
    return table(["everything, 160 questions", "right, %", "same next token, %"], rows)


def corrections() -> str:
    """Show what `addm` adds, and the errors of its products."""
    added = {
        "3": ("2^-3", "0"),
        "4": ("2^-4", "0"),
        "5": ("2^-4", "2^-5"),
        "7": ("2^-4", "2^-5"),
        "10": ("2^-4", "2^-5"),
    }
    names = "mean_percent", "mean_absolute_percent", "rms_percent", "left_percent"
    rows = [
        [bits, *terms, *(f"{recorded('products')[bits]['addm'][name]:.2f}" for name in names)]
        for bits, terms in added.items()
    ]
    units = "mean, %", "mean magnitude, %", "RMS, %", "no factor repairs, %"
    return table(["M", "added in the middle", "added always", *units], rows)


PARTS = {"multipliers": "multipliers", "elements": "rest of the elements", "sram": "SRAM"}


def token() -> str:
    """Divide the energy of a token by what takes it."""
    one, many = recorded("energy", MODEL)[:3], recorded("energy", MODEL)[3:]
    rows = [[words, *(f"{_sum(found, part):.1f}" for found in one)] for part, words in PARTS.items()]
    for found, words in ((one, "one token"), (many, "256 tokens")):
        rows.append(
            [f"DRAM at its low end, {words} a weight", *(f"{_sum(each, 'dram'):,.0f}" for each in found)]
        )
    for found, words in ((one, "one token"), (many, "256 tokens")):
        saved = [f"{100 * (1 - each['total'] / found[-1]['total']):.1f} %" for each in found[:-1]]
        rows.append([f"saved of all, {words}", *saved, ""])
    return table(["uJ a token", *(f"`{found['design']['mul']}`" for found in one)], rows)


def token_memory() -> str:
    """Say how much of a token memory takes and what is saved of it, by what memory is assumed to take."""
    rows = []
    for name, words in (("energy", "45 nm"), ("energy_hbm2", "7 nm, HBM2")):
        found = recorded(name, MODEL)
        memory = found[0]["memory_pj_per_byte"]
        for end in ("", "_high"):
            cells = [f"{words}: SRAM {memory['sram']:g}, DRAM {memory[f'dram{end}']:g}"]
            for lmul, _, exact in (found[:3], found[3:]):
                saved = 1 - lmul[f"total{end}"] / exact[f"total{end}"]
                cells += [f"{100 * lmul[f'memory_share{end}']:.1f} %", f"{100 * saved:.1f} %"]
            rows.append(cells)
    columns = (f"{what}, {words}" for words in ("one token", "256 tokens") for what in ("memory", "saved"))
    return table(["pJ a byte", *columns], rows)


def _sum(found: Figures, part: str) -> float:
    return sum(float(kind[part]) for kind in found["kinds"])


# docs/hardware.md


def reached() -> str:
    """Show what was aimed at, and what came out."""
    return table(["what", "aimed at", "reached", "command"], [*_multipliers(), *_dots(), *_array()])


def _multipliers() -> Rows:
    element = recorded("hardware")
    areas, energies = element["element_multiplier_um2"], element["element_multiplier_fj"]
    pair = f"{areas['lmul']:.1f} / {areas['exact']:.1f} um2"
    yield (
        "e4m3 multiplier in an array's element, `lmul` / `exact`: area, energy",
        "0.50, 0.40",
        f"{areas['lmul'] / areas['exact']:.2f} ({pair}), {energies['lmul'] / energies['exact']:.2f}",
        "`python bench/hardware.py`",
    )
    for name, goal in (("bf16", "0.28, 0.12"), ("fp32", "0.075, 0.023")):
        lmul, exact = (cost("mul", format=name, mul=mul) for mul in ("lmul", "exact"))
        digits = ".2f" if name == "bf16" else ".3f"
        figures = (format(lmul[figure] / exact[figure], digits) for figure in (AREA, ENERGY))
        yield (
            f"{name} multiplier, `lmul` / `exact`: area, energy",
            goal,
            ", ".join(figures),
            f"`lmul cost mul --format {name} --compare lmul,exact`",
        )
    lmul, addm, addc, exact = (cost("mul", mul=mul) for mul in ("lmul", "addm", "addc", "exact"))
    yield (
        "e4m3 multiplier, `addc` / `exact`: area",
        "0.82",
        f"{ratio(AREA, addc, exact)} ({addc[AREA]:.1f} / {exact[AREA]:.1f} um2)",
        "`lmul cost mul --compare addc,exact`",
    )
    yield (
        "e4m3 multiplier, `addm` / `exact`: area, energy",
        "",
        f"{ratio(AREA, addm, exact)} ({addm[AREA]:.1f} / {exact[AREA]:.1f} um2), "
        f"{ratio(ENERGY, addm, exact)}; `lmul` {ratio(AREA, lmul, exact)}, {ratio(ENERGY, lmul, exact)}",
        "`lmul cost mul --compare lmul,addm,exact`",
    )


def _dots() -> Rows:
    one = {mul: cost("dot", lanes=1, mul=mul, **RAW) for mul in ("lmul", "addc", "exact")}
    command = "lmul cost dot --lanes 1 --acc fixed:24:1 --out raw --compare"
    more = ", ".join(f"{one['addc'][figure] / one['lmul'][figure]:.3f}" for figure in (AREA, ENERGY))
    yield "1 lane, `addc` / `lmul`: area, energy", "1.03, 1.03", more, f"`{command} addc,lmul`"
    less = ", ".join(ratio(figure, one["lmul"], one["exact"]) for figure in (AREA, ENERGY))
    yield "1 lane, `lmul` / `exact`: area, energy", "0.80, 0.72", less, f"`{command} lmul,exact`"
    lmul, exact = (cost("dot", mul=mul, **RAW) for mul in ("lmul", "exact"))
    less = ", ".join(ratio(figure, lmul, exact) for figure in (AREA, ENERGY))
    command = "`lmul cost dot --acc fixed:24:1 --out raw --compare lmul,exact`"
    yield "8 lanes, `lmul` / `exact`: area, energy", "0.72, 0.70", less, command
    figures = f"{lmul[AREA] / 8:.0f} um2, {lmul[ENERGY]:.0f} fJ"
    yield "the same, `lmul`: area of a lane, energy of a product", "220 um2, 550 fJ", figures, "the same"
    yield (
        "8 lanes, exact sum, fp32 result, `lmul`: energy of a product",
        "750 fJ",
        f"{cost('dot')[ENERGY]:.0f} fJ",
        "`lmul cost dot`",
    )


def _array() -> Rows:
    found = recorded("hardware")
    yield (
        "16 x 16 array of 8 lanes: area over that of its elements",
        "1.06",
        f"{found['array_over_elements']:.3f}",
        "`python bench/hardware.py`",
    )
    least = min(busy(name) for name in ("simulation", "simulation_ws"))
    yield (
        "busy cycles, tiles of as many beats as rows, back to back",
        "99 %",
        f"{least:.0f} %, `os` and `ws`",
        "`lmul sim array`, `lmul sim array --dataflow ws`",
    )
    fast, relaxed = (cost("dot", clock, pipeline=2, **RAW) for clock in (1.0, None))
    yield (
        "8 lanes, two stages: clock, area over that without a clock",
        "1 GHz, 1.25",
        f"{1e3 / fast[DELAY]:.2f} GHz, {ratio(AREA, fast, relaxed)}",
        "`lmul cost dot --acc fixed:24:1 --out raw --pipeline 2 --clock 1.0`",
    )
    yield (
        "16 x 16 array of 8 lanes: processor time and memory to write it",
        "20 s, 1 GB",
        f"{found['verilog_seconds']:.1f} s, {found['verilog_gigabytes']:.1f} GB",
        "`lmul verilog array --rows 16 --cols 16 --lanes 8`",
    )


# pytorch.md


def slowdowns() -> str:
    """Show how many times as long as in float32 a PyTorch model takes, on each processor."""
    machines = recorded("pytorch")["machines"]
    keyed = [
        {(one["arithmetic"], one["backward"], one["what"]): one for one in machine["slowdowns"]}
        for machine in machines
    ]
    rows = []
    for key, found in keyed[0].items():
        gradients = f"`{found['backward']}`" if found["backward"] != "full" else "full precision"
        what = {"pass": "forward", "step": f"training step, gradients in {gradients}"}[found["what"]]
        goal = "" if found["goal"] is None else f"at most {found['goal']:g}"
        rows.append([f"`{found['arithmetic']}`", what, *(_slowdown(known.get(key)) for known in keyed), goal])
    names = [f"times float32: {machine['processor']}" for machine in machines]
    return table(["arithmetic", "what", *names, "goal"], rows)


def _slowdown(found: Mapping[str, Any] | None) -> str:
    return "" if found is None else f"{found['ratio']:.1f} ({found['least']:.1f} to {found['most']:.1f})"


def trained() -> str:
    """Show what a small model loses that was trained in each arithmetic."""
    rows = []
    for found in recorded("training")["rows"]:
        forward, _, backward = found["arithmetic"].partition("/")
        gradients = f"`{backward}`" if backward else "bf16" if forward == "bf16" else "fp32"
        loss, less = plus_minus(found["loss"], ""), plus_minus(found["difference"], "+")
        rows.append([f"`{forward}`", gradients, loss, "" if forward == "bf16" else less])
    return table(["products", "gradients", "loss, nats a byte", "minus that of bf16"], rows)


def tuned() -> str:
    """Show how much of what an arithmetic loses comes back where SmolLM2 is tuned with it."""
    rows = []
    for found in recorded("finetuning")["rows"]:
        plain = found["arithmetic"] == "fp32"
        cells = [
            plus_minus(found[when]["loss" if plain else "difference"], "" if plain else "+")
            for when in ("untouched", "tuned in fp32", "tuned")
        ]
        closed = (
            "" if plain else plus_minus({name: 100 * part for name, part in found["closed"].items()}, "", 0)
        )
        rows.append([f"`{found['arithmetic']}`", *cells, closed])
    return table(["products", "untouched", "tuned in fp32", "tuned", "closed, %"], rows)


def plus_minus(found: Mapping[str, float], sign: str, digits: int = 2) -> str:
    """Write a value with half of its interval."""
    return f"{found['value']:{sign}.{digits}f} ± {found['half_width']:.{digits}f}"


PLACED = [f"{figure}{when}" for figure in ("area", "delay", "energy") for when in ("", ", placed")]


def placed() -> str:
    """Show how far wires move the ratios of designs with `lmul` to those with exact products."""
    rows = [
        [name, *_ratios(found[0]), plus_minus(found[1]["placed"][ENERGY], "")]
        for name, found in recorded("layout", MODEL)["rows"].items()
    ]
    return table(["`lmul` over `exact`", *PLACED, "energy, placed without wires"], rows)


def placed_elsewhere() -> str:
    """Show the same in cells of other libraries."""
    rows = [
        [f"{name}, {LAID_OUT_IN[library]}", *_ratios(found[0])]
        for library, pairs in recorded("layout", MODEL)["libraries"].items()
        for name, found in pairs.items()
    ]
    return table(["`lmul` over `exact`", *PLACED], rows)


def placed_units() -> str:
    """Show how far wires move the ratios of units of one clock, and what is left of its period."""
    rows = []
    for name, [found] in recorded("layout", MODEL)["units"].items():
        delays = [f"{mean(design['critical_delay_ps']):.0f}" for design in found["designs"]]
        rows.append([name, *_ratios(found), *delays])
    delay = "delay, placed, ps: `lmul`"
    return table(["`lmul` over `exact`, at 1.5 ns", *PLACED, delay, "`exact`"], rows)


LAID_OUT_IN = {"sky130_fd_sc_hd__tt_025C_1v80": "SKY130", "osu018_stdcells": "OSU 180 nm"}
"""Titles of other libraries, by their names."""


def _placed(found: Mapping[str, Any], figure: str) -> tuple[str, str]:
    """Give a ratio before and after placement."""
    return f"{found['before'][figure]:.2f}", plus_minus(found["placed"][figure], "")


def _ratios(found: Mapping[str, Any]) -> list[str]:
    return [cell for figure in (AREA, DELAY, ENERGY) for cell in _placed(found, figure)]


def last_bits() -> str:
    """Show what the last bit of a 24-bit sum decides."""
    rows = []
    for lsb in (-4, 0, 1, 2):
        pair = [cost("dot", mul=mul, acc=f"fixed:24:{lsb}", out="raw") for mul in ("lmul", "exact")]
        added = ", ".join(f"{added_error(found):.1f} %" for found in pair)
        area, energy = (ratio(figure, *pair) for figure in (AREA, ENERGY))
        rows.append([f"2^{lsb}", f"{pair[0][AREA] / 8:.0f}", area, energy, added])
    most = "most error added to a tile, `lmul`, `exact`"
    return table(["last bit", "`lmul` um2 a lane", "`lmul` / `exact` area", "energy", most], rows)


def fused() -> str:
    """Compare units of one clock with a fixed-point one of as many lanes."""
    rows = []
    for unit in recorded_units():
        shown = [unit.beside_fixed(figure) for figure in (AREA, ENERGY)]
        beside = ", ".join(f"{share:.2f}" for share in shown if share is not None)
        figures = [f"{unit.lmul[figure]:.0f}" for figure in (AREA, ENERGY, QUIET, DELAY)]
        rows.append([_unit(unit), *figures, beside])
    return table(
        [
            *("`lmul`", "area, um2", "energy of a product, fJ", "without glitches, fJ"),
            *("critical delay, ps", "area, energy / `fixed:24:1`"),
        ],
        rows,
    )


def clocks() -> str:
    """Show what stages and a clock take."""
    save = {"carry": "save"}
    designs: tuple[tuple[str, float | None, dict[str, Any]], ...] = (
        ("`--acc fixed:24:1 --out raw`, no stages, no clock asked for", None, RAW),
        ("`--pipeline 2 --clock 1.0`", 1.0, {"pipeline": 2, **RAW}),
        ("`--pipeline 2 --clock 0.8`", 0.8, {"pipeline": 2, **RAW}),
        ("exact sum, fp32 result, `--pipeline 4 --clock 1.0`", 1.0, {"pipeline": 4}),
        ("the same with `--carry save`", 1.0, {"pipeline": 4, **save}),
    )
    rows = []
    for words, clock, options in designs:
        found = cost("dot", clock, **options)
        missed = ", missed" if clock and found[DELAY] > 1e3 * clock else ""
        rows.append([words, f"{found[DELAY]:.0f}{missed}", f"{found[AREA]:.0f}", f"{found[ENERGY]:.0f}"])
    return table(["", "period, ps", "area, um2", "energy of a product, fJ"], rows)


# docs/cost.md


def fpga() -> str:
    """Compare multipliers in two FPGAs."""
    rows = []
    for mul in ("lmul", "mitchell", "addc", "exact"):
        cells = [f"`{mul}`"]
        for family in ("ice40", "ecp5"):
            (found,) = (row for row in recorded(family) if row["design"]["mul"] == mul)
            cells.append(f"{found['luts']}, {found['carries']}")
            cells.append(f"{found['fmax_mhz']:.0f} ({found['fmax_lowest_mhz']:.0f})")
        rows.append(cells)
    seeds = "MHz, best (worst) seed"
    return table(["e4m3 `mul`", "iCE40: LUT, carry", seeds, "ECP5: LUT, carry", seeds], rows)


def paper_gates() -> str:
    """Give the gates of L-Mul over those of a multiplier, by three rules."""
    gates = recorded("gates")["gates"]
    rules = {"paper": "the paper's rule", "fitted": "fitted", "whole array": "whole array"}
    rows = [
        [words, *(f"{found[rule]['lmul'] / found[rule]['exact']:.2f}" for found in gates.values())]
        for rule, words in rules.items()
    ]
    return table(["L-Mul / multiplier", *gates], rows)


def paper_savings() -> str:
    """Give what L-Mul saves by published energies, at both nodes."""
    rows = list(savings_rows(paper_claims()))
    nodes = [f"{source.node}, %" for source in TABLES]
    return table(["operands", "saved of", "operations", "", *nodes], rows)


def operations() -> str:
    """Put Horowitz's operations beside what this flow makes of them."""
    found = recorded("calibration")["operations"]
    figures = [one["figures"] for one in found.values()]
    rows = [
        ["ours, 1.1 V", *(pj(one["energy_fj"]) for one in figures)],
        ["without glitches", *(pj(one["zero_delay_fj"]) for one in figures)],
        ["Horowitz, 45 nm, 0.9 V", *(f"{one['table_pj']:g}" for one in found.values())],
        ["ratio", *(f"{one['ratio']:.1f}" for one in found.values())],
        ["Jouppi et al., 7 nm", *(f"{one['table_7nm_pj']:g}" for one in found.values())],
    ]
    return table(["pJ", *found], rows)


def pj(femtojoules: float) -> str:
    """Write an energy in pJ, to two or three digits."""
    value = femtojoules / 1e3
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 1 else f"{value:.1f}"


def accumulations() -> str:
    """Compare multiply-accumulates with their accumulators alone."""
    all_of_them = recorded("calibration")["accumulations"]
    rows = []
    for name, found in all_of_them.items():
        if found["accumulator"]:
            pair = (found, all_of_them[found["accumulator"]])
            whole, alone = (one["figures"]["energy_fj"] / 1e3 for one in pair)
            words = re.sub(r"^e4m3 (\w+)", r"e4m3 `\1`", name)
            share = f"{100 * found['accumulator_share']:.0f} %"
            rows.append([words, f"{whole:.2f}", f"{alone:.2f}", share])
    return table(["pJ", "whole", "accumulator alone", "share"], rows)


# Of the tests


def times() -> str:
    """Say how many tests there are, and how long they take; nothing where that is not recorded."""
    if not TIMES.exists():
        return ""
    found = recorded("times", TIMES.parent)
    processor, wall = (found[f"{name}_seconds"] / 60 for name in ("processor", "wall"))
    return (
        f"`make test` runs {found['tests']:,} tests: {processor:.1f} minutes of processor time, "
        f"{wall:.1f} minutes on two cores."
    )


FIGURES = (AREA, DELAY, ENERGY)


def libraries() -> str:
    """Show the main designs in each of four libraries, and the ratios side by side."""
    found = recorded("libraries", MODEL)
    parts = [_library(library) for library in found]
    rows = [
        [f"{design}: {what}", *(_over_exact(library["designs"][design], name) for library in found)]
        for design in found[0]["designs"]
        for what, name in zip(("area", "delay", "energy"), FIGURES, strict=True)
    ]
    ratios = table(["`lmul` / `exact`", *(library["title"] for library in found)], rows)
    return "\n\n".join([ratios, *parts])


def _over_exact(figures: Figures, name: str) -> str:
    return f"{figures['lmul'][name] / figures['exact'][name]:.3f}"


def _library(library: Figures) -> str:
    rows = [
        [
            design,
            f"`{mul}`",
            *(f"{found[name]:#.3g}" if found[name] < 100 else f"{found[name]:.0f}" for name in FIGURES),
        ]
        for design, figures in library["designs"].items()
        for mul, found in figures.items()
    ]
    headings = ["", "", "area, um2", "critical delay, ps", "energy of a product, fJ"]
    files = ", ".join(f"{name} {checksum[:16]}" for name, checksum in library["files_sha256"].items())
    commands = "\n".join(library["commands"])
    source = f"**{library['title']}**, {library['voltage_v']:g} V; {library['source']}"
    return f"{source}; SHA-256 of the text begins {files}.\n\n{table(headings, rows)}\n\n```\n{commands}\n```"


BLOCKS: dict[str, Callable[[], str]] = {
    make.__name__: make
    for make in (
        units,
        overview,
        effects,
        code_products,
        perplexities,
        model_all,
        model_head,
        model_attention,
        model_registers,
        model_sums,
        narrow,
        arithmetics,
        questions,
        corrections,
        token,
        token_memory,
        reached,
        fused,
        slowdowns,
        trained,
        tuned,
        placed,
        placed_units,
        placed_elsewhere,
        last_bits,
        clocks,
        fpga,
        paper_gates,
        paper_savings,
        operations,
        accumulations,
        libraries,
        times,
    )
}
"""What can stand between the marks."""
