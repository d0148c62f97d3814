"""The verdict on a unit, for people."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from lmul.golden import Format, decode
from lmul.sim.rtl.check import Checked
from lmul.sim.rtl.verdict import CLASSES, Verdict, words
from lmul.sim.stimulus.pairs import describe_pairs


def report(checked: Checked) -> Group:
    """Lay out what a unit computes: the closest model, differences by class with examples, who read it."""
    verdict = checked.verdict
    parts: list[RenderableType] = [Text(f"{checked.unit.top}: {verdict.agreement}.", style="bold")]
    parts.append(Text(f"Pairs: {describe_pairs(checked.format)} of {checked.format.name}."))
    if verdict.differ:
        parts.append(_differences(verdict))
    if len(checked.verdicts) > 1:
        parts.append(_models(checked))
    return Group(*parts, Text("\n".join(notes(checked))))


def notes(checked: Checked) -> Iterator[str]:
    """Say what read a unit, what of it was not compared, and whether its latency looks wrong."""
    if checked.better:
        latency, values = checked.better
        now = f"{checked.verdict.values:,}"
        yield f"With latency = {latency} there would be {values:,} other values or fewer, not {now}."
    elaborated = checked.elaborated
    if elaborated is None:
        yield f"No front end of Yosys reads it, so it can be simulated only: {checked.unread}."
    else:
        for name, said in elaborated.refused.items():
            yield f"Yosys' {name} refuses it: {said}."
        yield f"Yosys' {elaborated.front_end} reads it."
    if checked.refused:
        yield f"Verilator refuses it: {checked.refused}. Simulated is what Yosys made of it."
    if checked.left_out:
        yield f"Not compared: {', '.join(checked.left_out)}."


def _differences(verdict: Verdict) -> Table:
    """Lay out a row a class, and below it one an example."""
    right = [Column(name, justify="right") for name in ("pairs", "gives", "model", "product")]
    table = Table(Column("differs", no_wrap=True), *right, box=SIMPLE_HEAD)
    format_ = verdict.model.format
    for name, examples in verdict.examples.items():
        table.add_row(CLASSES[name], f"{verdict.classes[name]:,}")
        for one in examples:
            a, b, found, expected = (_code(code, format_) for code in (one.a, one.b, one.found, one.expected))
            table.add_row(f"  {a} x {b}", "", found, expected, f"{one.product:.4g}")
    return table


def _code(code: int, format_: Format) -> str:
    digits = -(-format_.width // 4)
    return f"{code:0{digits}x} {float(decode(code, format_)):.3g}"


def _models(checked: Checked) -> Table:
    table = Table(
        "compared with",
        *(Column(name, justify="right") for name in ("other codes", "other values")),
        box=SIMPLE_HEAD,
    )
    for verdict in checked.verdicts:
        table.add_row(words(verdict.model), f"{verdict.differ:,}", f"{verdict.values:,}")
    return table
