"""`lmul report`: figures that single commands give too, files that need nothing else."""

import csv
import itertools
import json
import math
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmul.cost.cells.estimate import tried_scripts
from lmul.cost.cells.measure import Conditions
from lmul.cost.library.reader import default_library
from lmul.cost.mapping.designs import map_to_cells
from lmul.cost.published.energies import TABLES
from lmul.design import make_design
from lmul.hdl import export
from lmul.llm.accuracy import Accuracy
from lmul.llm.evaluation import Interval
from lmul.llm.memory_energy import PUBLISHED
from lmul.report.contents import Contents
from lmul.report.language_model import FILES, RECORDED, LanguageModel, read_results
from lmul.report.measure import done_share
from lmul.report.page.page import report_json
from lmul.report.plan import BEST_SUM, FORMATS, FP32_SUM, MULTIPLIERS, Plan, fixed_accumulator
from lmul.report.sections.answer import accuracy_sentences, answer, answer_table, units_sentence
from lmul.report.sections.charts import SHADES
from lmul.report.sections.recommendation import ACCEPTED, integer_sentences, recommendations
from lmul.report.sections.sections import token_table
from lmul.report.sections.tables import NBSP, Table
from lmul.report.sections.verdicts import claims_table
from lmul.report.units import recommended_units, recorded_units
from lmul.scheme import parse_scheme
from lmul.terminal.pictures import COLOURS
from lmul.terminal.progress import TimeLeft
from lmul.workloads import Operands, default_operands
from tests.support.host.reports import SMALL, shared_report
from tests.support.host.runs import Run, contents, run, run_here

LARGEST_PAGE = 2_000_000
"""Bytes."""


@pytest.fixture(scope="session")
def place(shared: Path) -> Path:
    """Give a directory with a small report in `out`."""
    return shared_report(shared / "report")


def read_report(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "out" / "report.json").read_text())
    return found


def test_a_report_has_every_design_of_its_plan(place: Path) -> None:
    designs = [point["design"] for point in read_report(place)["points"]]
    names = [(design["kind"], design["format"], design["mul"]) for design in designs]
    both = [("e2m1", "lmul"), ("e2m1", "exact")]
    assert names == [
        *(("mul", *one) for one in (*both, ("int4", "exact"))),
        *(("dot", *one) for one in (*(4 * both), *(3 * [("int4", "exact")]))),
    ]


def test_the_command_beside_a_figure_gives_the_figure(place: Path) -> None:
    for point in read_report(place)["points"][1:3]:
        words = shlex.split(point["measured_by"])[1:]
        again = run(place, *words, "--build=build", "--json=again.json", cheap=True)
        assert again.status == 0, again
        (cost,) = json.loads((place / "again.json").read_text())
        for name in ("area_um2", "critical_delay_ps", "energy_per_product_fj"):
            assert cost[name] == point[name], (words, name)


def test_tables_hold_the_figures_of_the_json(place: Path) -> None:
    with (place / "out" / "multipliers.csv").open() as file:
        rows = list(csv.DictReader(file))
    energies = [point["energy_per_product_fj"] for point in read_report(place)["points"][:3]]
    assert [float(row["energy of a product, fJ"]) for row in rows] == energies


def test_the_parts_of_an_energy_add_up(place: Path) -> None:
    for point in read_report(place)["points"]:
        assert sum(point["energy_parts_fj"].values()) == pytest.approx(point["energy_per_product_fj"])
        if point["blocks"]:
            # Blocks are mapped one by one, which takes more the smaller they are.
            assert 0.8 < sum(point["blocks"].values()) / point["energy_per_product_fj"] < 1.5


def test_a_second_report_has_the_same_bytes(place: Path) -> None:
    again = run(place, *SMALL, "--output=again", cheap=True)
    assert again.status == 0, again
    assert contents(place / "again") == contents(place / "out")


def test_a_page_needs_no_network(place: Path) -> None:
    page = (place / "out" / "index.html").read_text()
    assert len(page.encode()) <= LARGEST_PAGE
    visible = re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert re.findall(r'(?:src|href)="(https?:[^"]*)"', visible) == ["https://arxiv.org/abs/2410.00907"]
    assert '<link rel="stylesheet"' not in visible


def test_a_report_equals_itself_and_a_worse_one_is_told(place: Path) -> None:
    same = run(place, "compare", "out/report.json", "out/report.json")
    assert same.status == 0, same
    report = read_report(place)
    report["points"][0]["area_um2"] *= 1.5
    (place / "worse.json").write_text(json.dumps(report))
    worse = run(place, "compare", "out/report.json", "worse.json")
    assert worse.status == 1, worse
    assert "area" in worse.out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--formats=e9m9",), "e9m9"),
        (("--multipliers=lmul,addm",), "exact is missing"),
        (("--formats=e4m3,e5m2,e4m3",), "--formats has e4m3 twice"),
        (("--formats=e4m3,float8_e4m3fn",), "--formats has e4m3 twice"),
        (("--multipliers=lmul,lmul,exact",), "--multipliers has lmul twice"),
        (("--formats=fp32", "--multipliers=lmul,exact"), "--formats fp32 has no dot product"),
        (("--formats=bf16", "--multipliers=lmul,exact,addc"), "'addc' is for none of bf16"),
        (("--jobs=0",), "--jobs must be"),
        (("--llm=nowhere",), "make accuracy"),
        (("--liberty=nowhere.lib",), "nowhere.lib"),
    ],
)
def test_what_cannot_be_reported_is_refused(words: tuple[str, ...], why: str, tmp_path: Path) -> None:
    refused: Run = run_here(tmp_path, ["report", "-o", "out", *words])
    assert why in refused.refusal()


@pytest.mark.parametrize(
    "row",
    [
        '{"arithmetic": "full"}',
        '{"arithmetic": "full", "perplexity": 1, "ratio": 2}',
        json.dumps(Accuracy("full", *[Interval(1.0, math.inf)] * 3, None, 0.0).as_plain()),
        "3",
    ],
)
@pytest.mark.parametrize("name", FILES)
def test_results_of_a_language_model_that_are_none_are_refused(row: str, name: str, tmp_path: Path) -> None:
    shutil.copytree(RECORDED, tmp_path / "llm")
    (tmp_path / "llm" / f"{name}.json").write_text(f"[{row}]")
    refused = run_here(tmp_path, ["report", "-o", "out", "--llm=llm"])
    assert "is not what `lmul llm --json` writes" in refused.refusal()


def test_a_directory_of_programs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "page.py").write_text("")
    line = run_here(tmp_path, ["report", "-o", "out"]).refusal()
    assert "page.py" in line and "directory of its own" in line


def test_recorded_results_are_of_arithmetic_that_there_is() -> None:
    recorded = read_results(None)
    for rows in (recorded.accuracy, recorded.bias, recorded.questions):
        assert rows
        assert [parse_scheme(row["arithmetic"]) for row in rows]
    assert recorded.energy


def test_the_energy_of_a_token_says_what_memory_is_assumed() -> None:
    table = token_table(made_up(read_results(None)))
    assert PUBLISHED.text in table.note
    assert all(low < high for *_, low, high in table.rows)


def figures(format_: str, mul: str, energy: float, acc: str = "", lanes: int = 1) -> dict[str, Any]:
    """Make figures of a design of which nothing but the energy counts."""
    design: dict[str, Any] = {"kind": "mul", "format": format_, "mul": mul}
    if acc:
        design |= {"kind": "dot", "acc": acc, "lanes": lanes}
    return {"design": design, "energy_per_product_fj": energy, "area_um2": energy, "interval_95_fj": 0.0}


def model(**ratios: float) -> LanguageModel:
    """Make results of a language model; underscores are commas."""
    rows = [
        {"arithmetic": name.replace("_", ","), "ratio": {"value": value, "half_width": 0.01}}
        for name, value in ratios.items()
    ]
    return LanguageModel(rows, [], [], [], [], "made up")


def made_up(results: LanguageModel) -> Contents:
    """Make contents whose savings can be worked out by hand."""
    rows = [
        figures("e4m3", "lmul", 60),
        figures("e4m3", "addm", 70),
        figures("e4m3", "exact", 100),
        figures("fp32", "lmul", 5),
        figures("fp32", "exact", 100),
        figures("e4m3", "lmul", 70, BEST_SUM.acc, BEST_SUM.lanes),
        figures("e4m3", "addm", 75, BEST_SUM.acc, BEST_SUM.lanes),
        figures("e4m3", "exact", 100, BEST_SUM.acc, BEST_SUM.lanes),
    ]
    by_name = {str(number): row for number, row in enumerate(rows)}
    plan = Plan(("e4m3", "fp32"), ("lmul", "addm", "exact"))
    return Contents(plan, by_name, {"energy_fj": 95.0}, [], [], results, {})


def test_an_fp32_dot_product_is_a_multiplier_and_an_adder() -> None:
    found = made_up(model())
    assert found.saved_by_dot("fp32", FP32_SUM) == pytest.approx(1 - 100 / 195)
    assert found.saved_by_dot("fp32", BEST_SUM) is None


def test_of_several_seeds_the_noise_is_that_of_the_pages_own_designs() -> None:
    found = made_up(model())
    quiet, loud = [[1.0] * 4, [1.0] * 4], [[1.0] * 4, [1.1, 1.0, 1.1, 1.0]]
    seeds = {
        name: one | {"of_seeds": loud if one["design"]["kind"] == "mul" else quiet}
        for name, one in found.figures.items()
    }
    measured = replace(found, figures=seeds, plan=replace(found.plan, seeds=2))
    product, dot = measured.product_ratio("e4m3"), measured.dot_ratio("e4m3", BEST_SUM)
    recorded = found.product_ratio("e4m3")
    assert product and dot and recorded
    # Dot products do not move, multipliers do, and neither as the recorded ones.
    assert dot.half_width == 0 < product.half_width != recorded.half_width
    assert measured.noise(seeds["0"]).freedom == 5 and measured.noise(seeds["5"]).freedom == 3


def test_the_answer_has_the_savings_of_every_format_told() -> None:
    fp8, fp32 = answer_table(made_up(model(lmul_e4m3_all=1.2, exact_e4m3_all=1.05))).rows
    assert str(fp8[0]).startswith("fp8") and str(fp8[1]).startswith("40\u00a0±")
    assert str(fp8[2]).split("\u00a0")[0] == f"{100 * (1 - recommended_ratio()):.0f}"
    assert fp8[3:5] == ("1.20\u00a0±\u00a00.01", "1.05\u00a0±\u00a00.01")
    assert str(fp32[1]).startswith("95\u00a0±") and str(fp32[2]).startswith("49\u00a0±") and fp32[3] == "-"


def recommended_ratio() -> float:
    energies = {one["design"]["mul"]: one["energy_per_product_fj"] for one in recommended_units()}
    return float(energies["lmul"] / energies["exact"])


def test_integers_are_told_beside_the_same_sum_of_the_first_format() -> None:
    contents_ = made_up(model())
    assert integer_sentences(contents_) == []
    row = figures("int8", "exact", 56, BEST_SUM.acc, BEST_SUM.lanes)
    plan = replace(contents_.plan, formats=("e4m3", "fp32", "int8"))
    (told,) = integer_sentences(replace(contents_, plan=plan, figures={**contents_.figures, "int8": row}))
    assert told.startswith("A product of int8 with 8 lanes, fixed point takes 56 fJ, 0.56")
    assert " of that of exact e4m3 and 0.80" in told and "of lmul e4m3; its perplexity" in told


def test_the_saving_of_a_token_is_told_where_it_is_known() -> None:
    energy = [
        {"design": {"mul": mul}, "machine": {"batch": batch}, "total": total}
        for mul, totals in (("lmul", (998.0, 96.0)), ("exact", (1000.0, 100.0)))
        for batch, total in zip((1, 256), totals, strict=True)
    ]
    results = replace(model(), energy=energy)
    (_, token) = answer(made_up(results))
    assert token.endswith("saves 0.2\u00a0% for one user and 4.0\u00a0% where 256 share the weights.")
    assert answer(made_up(model())) == [units_sentence()]


def test_units_are_recorded_in_pairs_beside_a_fixed_one_of_as_many_lanes() -> None:
    for unit in recorded_units():
        ours, theirs = unit.lmul["design"], unit.exact["design"]
        assert (ours["mul"], theirs["mul"]) == ("lmul", "exact")
        assert ours | {"mul": "exact"} == theirs
        assert unit.lmul["clock_period_ps"] >= max(
            one["critical_delay_ps"] for one in (unit.lmul, unit.exact)
        )
        assert unit.fixed is None or unit.fixed["design"]["lanes"] == ours["lanes"]
    assert "of the area and" in units_sentence()


@pytest.mark.parametrize(("mul", "acc"), [("lmul", "fused:13:13"), ("exact", "fixed:24:1")])
def test_mapping_gives_the_netlists_whose_figures_are_recorded(mul: str, acc: str) -> None:
    # A change of a script may rename wires, on which ABC's maps depend: then all figures are recorded anew.
    found = next(
        one
        for unit in recorded_units()
        for one in (unit.lmul, unit.exact)
        if {"mul": mul, "acc": acc, "lanes": 16, "format": "e4m3"}.items() <= one["design"].items()
    )
    design = make_design(**found["design"])
    conditions = Conditions(period_ps=found["clock_period_ps"], seeds=1)
    (script,) = (one for one in tried_scripts(design, conditions) if one.name == found["script"])
    (mapped,) = map_to_cells(export(design), design, default_library(), scripts=[script]).values()
    assert mapped.netlist.area == pytest.approx(found["area_um2"], rel=1e-9)


def check(directory: Path) -> Run:
    return run_here(directory, ["report", "--check", "own"])


def test_text_and_figures_that_part_are_found(place: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(place / "out", own)
    assert check(tmp_path).status == 0
    page = (own / "index.html").read_text()
    number = re.search(r"<td class=\"number\">(\d)", page)
    assert number
    changed = str((int(number[1]) + 1) % 10)
    (own / "index.html").write_text(page[: number.start(1)] + changed + page[number.end(1) :])
    told = check(tmp_path)
    assert (told.status, told.out.strip()) == (1, "Not what report.json says: index.html")
    shutil.copy(place / "out" / "index.html", own)
    figures_ = json.loads((own / "report.json").read_text())
    figures_["points"][0]["energy_per_product_fj"] *= 1.01
    (own / "report.json").write_text(json.dumps(figures_))
    assert "multipliers.csv" in check(tmp_path).out
    made = dict(figures_["made"])
    figures_["made"]["lmul"] = "0.0.1"
    (own / "report.json").write_text(json.dumps(figures_))
    assert check(tmp_path).status == 2
    for damaged in ({"made": None}, {"gates": [None]}, {"accuracy_claims": None}, {"points": [{}]}):
        (own / "report.json").write_text(json.dumps(figures_ | damaged))
        assert check(tmp_path).refusal()
    lacks = [{**one, "energy_per_product_fj": {}} for one in figures_["points"]]
    (own / "report.json").write_text(json.dumps({**figures_, "made": made, "points": lacks}))
    assert "lacks figures of a report" in check(tmp_path).refusal()
    (own / "report.json").write_text("[]")
    assert "is not the figures of a report" in check(tmp_path).err


OWN = f"acc={BEST_SUM.acc}_lanes={BEST_SUM.lanes}"


def test_a_design_is_recommended_by_the_accuracy_of_its_own_sums() -> None:
    exact_sums = {"lmul_e4m3_all": 1.0, "addm_e4m3_all": 1.0, "exact_e4m3_all": 1.0}
    *_, without = recommendations(made_up(model(**exact_sums)))
    assert without.endswith("nothing is recommended: no accuracy was measured with such sums.")
    own = {f"lmul_e4m3_all_{OWN}": 1.3, f"addm_e4m3_all_{OWN}": ACCEPTED, f"exact_e4m3_all_{OWN}": 1.02}
    *_, told = recommendations(made_up(model(**exact_sums, **own)))
    assert "take addm: " in told and "25\u00a0% less than exact, perplexity 10\u00a0% above" in told
    own |= {f"addm_e4m3_all_{OWN}": 1.3, f"exact_e4m3_all_{OWN}": 1.13}
    *_, none = recommendations(made_up(model(**exact_sums, **own)))
    assert "nothing is recommended: none has" in none and "nearest is exact, 13\u00a0% above" in none


def test_the_unit_of_a_tensor_core_is_recommended_with_its_scales() -> None:
    with_sums = {f"{mul}_e4m3_all_acc=h100_lanes=32": 1.05 for mul in ("addm", "addc", "exact")}
    with_sums |= {"lmul_e4m3_all_acc=h100_lanes=32": 1.2}
    first, *_ = recommendations(made_up(model(**with_sums)))
    assert first.startswith("In e4m3 with sums of an H100 (32 lanes, fused:13:13) take ")
    assert "take lmul" not in first
    with_sums |= {"lmul_e4m3_all_acc=h100_lanes=32_gain=1.05": 1.08}
    scaled, *_ = recommendations(made_up(model(**with_sums)))
    assert "lmul with gain=1.05" in scaled


def test_of_a_plug_in_nothing_is_recommended() -> None:
    contents = made_up(model())
    plan = Plan(("e4m3", "fp32"), ("lmul", "mine", "exact"))
    by_name = {**contents.figures, "mine": figures("e4m3", "mine", 1)}
    *_, told = recommendations(replace(contents, plan=plan, figures=by_name))
    assert told == "Of mine no accuracy is known: nothing is recommended of it."


def test_accuracy_is_told_with_the_sums_whose_energy_is() -> None:
    ratios = {
        "lmul_e4m3_all": 1.04,
        "exact_e4m3_all": 1.02,
        "lmul_e4m3_attention": 1.01,
        "lmul_bf16_all": 1.0,
    }
    coarse = {f"lmul_e4m3_all_{OWN}": 1.3, f"exact_e4m3_all_{OWN}": 1.2}
    (without,) = accuracy_sentences(made_up(model(**ratios)))
    (told,) = accuracy_sentences(made_up(model(**ratios, **coarse)))
    assert without.endswith("sums being exact.")
    *_, mended = accuracy_sentences(made_up(model(**ratios, **{"lmul_e4m3_all_gain=1.05": 1.03})))
    assert mended.endswith("cost nothing: with them it is 3\u00a0% in place of 4\u00a0%.")
    assert told.endswith(
        "sums being exact; with those of 8 lanes, fixed point, everything in e4m3, by 30\u00a0% (20\u00a0%)."
    )
    assert accuracy_sentences(made_up(model())) == []


def test_a_saving_is_reached_where_it_rounds_to_the_published_one() -> None:
    rows = {row[0]: row for row in claims_table(made_up(model())).rows}
    assert rows["95 % less energy for element-wise products"][2] == "reached by fp32 only"
    assert rows["3-bit mantissa L-Mul everywhere equals e4m3"][2] == "not measured"


def test_claims_of_energy_stand_beside_published_energies_of_both_nodes() -> None:
    rows = {row[0]: row for row in claims_table(made_up(model())).rows}
    for table in TABLES:
        _, measured, _, conditions = rows[f"L-Mul saves 80 % of the energy of dot products; at {table.node}"]
        assert "nothing measured" in conditions and table.source in conditions
        assert measured.startswith("fp32: fp32 sum 7")


def test_lossless_attention_is_judged_by_what_was_measured() -> None:
    ratios = {"lmul_e8m3_attention_truncate": 1.002, "lmul_e4m3_attention": 1.05}
    rows = {row[0]: row for row in claims_table(made_up(model(**ratios))).rows}
    verdict = rows["attention by L-Mul is almost lossless"][2]
    assert verdict == "holds for e8m3 truncated only"


def test_the_default_plan_has_what_there_is_hardware_for() -> None:
    designs = Plan().designs(default_operands())
    assert {design.format.name for design in designs} == set(FORMATS)
    integers = [(d.kind, d.lanes, d.acc, d.mul) for d in designs if d.integer]
    assert integers == [
        *(("mul", 1, "exact", "exact"), ("dot", 1, "fixed:24:0", "exact")),
        *(("dot", 8, "fixed:24:0", "exact"), ("dot", 8, "exact", "exact")),
    ]
    assert {design.mul for design in designs} == set(MULTIPLIERS)
    assert not [d for d in designs if d.kind == "dot" and (d.format.name, d.acc) == ("bf16", "exact")]


@pytest.mark.parametrize(
    ("size", "acc"), [(0.0, "fixed:32:-29"), (1e25, "fixed:32:138"), (1e-30, "fixed:32:-228")]
)
def test_registers_are_found_for_operands_of_any_size(size: float, acc: str) -> None:
    numbers = np.full((2, 2), size, dtype=np.float32)
    assert fixed_accumulator("bf16", [Operands("m", numbers, numbers)]) == acc


def test_an_error_that_is_infinite_is_none_in_the_json() -> None:
    row = figures("bf16", "lmul", 1.0) | {"rms_error_percent": math.inf}
    report = json.loads(report_json(replace(made_up(model()), figures={"row": row})))
    assert report["points"] == [row | {"rms_error_percent": None}]


def test_registers_hold_four_times_the_largest_product() -> None:
    operands = default_operands()
    for design in Plan().designs(operands):
        if design.kind == "dot" and design.acc.startswith("fixed"):
            assert design.acc == fixed_accumulator(design.format_names, operands)
    assert fixed_accumulator("e4m3", operands) == "fixed:24:-3"  # 2^20 = 448^2, up to a power of two, by 4.
    assert fixed_accumulator("e4m3xe2m1", operands) == "fixed:24:-9"  # 2^12 above 448 * 6, by 4.
    assert fixed_accumulator("int8xint4", operands) == "fixed:24:0"


def test_numbers_of_tables_are_whole_in_csv_and_short_for_people() -> None:
    table = Table("t", "T", ("a", "b"), [("x", 1234.5678), ("y", None)])
    assert table.csv() == "a,b\nx,1234.5678\ny,\n"
    assert table.texts == [["x", "1,235"], ["y", "-"]]
    assert table.numeric == [False, True]


def test_numbers_of_a_column_have_as_many_decimals() -> None:
    columns = {
        (32.67, 15.4, -1.0, 0.0398, 40.125): ["32.67", "15.40", "-1.00", "0.04", "40.12"],
        (0.753, 0.79, 1.0): ["0.753", "0.790", "1.000"],
        (9453.2, 1176.4, 12.34, None): ["9,453", "1,176", "12", "-"],
        (15.39, 3.9, 4.1, 2.6e-6, 0.0, math.inf): ["15.390", "3.900", "4.100", "3e-06", "0.000", "inf"],
        (1, 16, None): ["1", "16", "-"],
        ("0.82", 1.5): ["0.82", "1.5"],
        (None, None): ["-", "-"],
    }
    for column, texts in columns.items():
        assert [row[0] for row in Table("t", "T", ("a",), [(cell,) for cell in column]).texts] == texts


def test_units_stay_on_the_line_of_their_numbers(place: Path) -> None:
    page = (place / "out" / "index.html").read_text()
    visible = re.sub(r"(?s)<(script|style)>.*?</\1>", "", page)
    assert re.findall(r"[\d,] (?:%|fJ|um2|ps|nm|uJ)(?!\w)", visible) == []
    assert visible.count(f"{NBSP}%") > 50
    assert "`" not in visible


def test_no_series_is_grey() -> None:
    for colour in (*SHADES, *COLOURS.values()):
        lights = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        assert max(lights) - min(lights) > 0x28, colour


def times_left(expected: dict[str, float], taken: dict[str, float], processes: int) -> list[float]:
    """Tell the times left that are shown, for measurements that take what they take, longest first."""
    ordered = list(expected)
    left, finished, shown = TimeLeft(), set[str](), []
    waiting, running, now = list(ordered), dict[str, float](), 0.0
    while True:
        while waiting and len(running) < processes:
            name = waiting.pop(0)
            running[name] = now + taken[name]
        left.tell(done_share(ordered, expected, finished, processes), now)
        shown.append(left.seconds(now) or 0.0)
        if not running:
            return shown
        name = min(running, key=lambda name: running[name])
        now = running.pop(name)
        finished.add(name)


def test_the_time_left_counts_the_size_of_what_is_left() -> None:
    expected = {"exact": 100.0} | {f"dot {number}": 10.0 for number in range(30)}
    shown = times_left(expected, expected, 2)
    # Two processes, 400 s of work.
    assert shown[10] == pytest.approx(150, rel=0.35)
    assert all(after <= 1.05 * before for before, after in itertools.pairwise(shown[1:]))
    assert shown[-1] == 0


def test_the_time_left_hardly_grows_where_guesses_are_off() -> None:
    expected = {f"dot {number}": 30.0 - number for number in range(29)}
    taken = {
        name: seconds * (1.3, 1.0, 0.7)[place % 3] for place, (name, seconds) in enumerate(expected.items())
    }
    shown = times_left(expected, taken, 2)[3:]
    lowest = itertools.accumulate(shown, min)
    assert all(after <= 1.2 * low for low, after in zip(lowest, shown[1:-3], strict=False))


def test_all_work_is_done_when_all_is_finished_and_none_before() -> None:
    seconds = {"a": 3.0, "b": 2.0, "c": 1.0}
    assert done_share(list(seconds), seconds, seconds, 2) == 1
    assert 0 < done_share(list(seconds), seconds, {"a"}, 2) < 1
