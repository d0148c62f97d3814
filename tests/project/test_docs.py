"""What the documents show works as they show it."""

import ast
import gc
import json
import re
import shlex
import warnings
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from amaranth.hdl import Elaboratable, UnusedElaboratable
from amaranth.sim import Simulator

from lmul.cli import _parser
from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.hdl import component, export
from tests.support.paths import DOCS, ROOT
from tests.support.project.documents import BROUGHT, DOCUMENTS, blocks, commands, needs_torch, whole
from tests.support.scripts import script

BLOCKS = [
    pytest.param(block, id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, block in enumerate(blocks(document))
    if not needs_torch(document, block)
]

FIGURES = {
    "dot": make_design("dot"),
    "array_os": make_design("array", rows=2, cols=2, lanes=2),
    "array_ws": make_design("array", rows=2, cols=2, lanes=2, dataflow="ws"),
}
"""The designs of the timing figures."""


@pytest.mark.parametrize("block", BLOCKS)
def test_python_in_the_documents_runs(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    monkeypatch.setattr(Elaboratable, "_MustUse__silence", False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnusedElaboratable)
        exec(compile(block, "document", "exec"), {})  # noqa: S102
        gc.collect()
    assert [str(warning.message) for warning in caught if warning.category is UnusedElaboratable] == []


@pytest.mark.parametrize("line", commands())
def test_commands_in_the_documents_are_commands(line: str) -> None:
    # Capitals and dots stand for what the reader takes.
    line = line.replace("DESIGN", "dot").replace(" ... ", " ")
    assert whole(line) or line not in commands(running=False)


def test_files_that_the_reader_has_to_bring_are_in_capitals_and_among_those_of_the_tests() -> None:
    brought: set[str] = set()
    for line in commands():
        words = shlex.split(re.split(r"\s>\s|\s\|\s", line)[0])[1:]
        with suppress(UserError, SystemExit):
            options = vars(_parser().parse_args(words))
            names = ("config", "operands", "liberty", "space", "before", "after", "text", "vectors")
            for value in (options[name] for name in names if options.get(name)):
                brought |= {str(one) for one in (value if isinstance(value, list) else [value])}
    assert len(brought) >= 8
    published = re.compile(r".*_(TT|tt|typ1p20)\w*\.lib")
    assert {name for name in brought if not published.match(name)} - BROUGHT == {"DIR", "space.toml"}


def test_links_between_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_glossary_is_in_alphabetical_order_and_names_files_that_there_are() -> None:
    text = (DOCS / "glossary.md").read_text()
    words = re.findall(r"^\| ([^|]+) \|", text, re.M)[1:]
    assert words == sorted(words, key=str.casefold)
    places = re.findall(r"`([\w/]+(?:\.py|/))`", text)
    assert len(places) > len(words) // 2
    assert not [place for place in places if not (ROOT / place).exists()]


def test_instance_in_the_readme_connects_every_port() -> None:
    (instance,) = re.findall(r"```verilog\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    text = export(make_design("dot", lanes=8))
    assert instance.split()[0] == text.name
    assert sorted(re.findall(r"\.(\w+)\(", instance)) == sorted(text.port_names)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(DOCS)
    return script(DOCS / "figures.py")


def test_figures_in_the_documents_are_those_recorded(figures: ModuleType) -> None:
    for path, text in figures.documents().items():
        assert path.read_text() == text, "run `python docs/figures.py`"


def test_documents_that_name_full_precision_say_that_the_weights_have_four_bits() -> None:
    texts = {path: path.read_text() for path in (ROOT / "README.md", *DOCS.glob("*.md"))}
    named = {path for path, text in texts.items() if "full precision" in " ".join(text.split())}
    assert len(named) >= 3
    assert [path for path in named if "4-bit file" not in " ".join(texts[path].split())] == []


def test_every_record_is_there(figures: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "bench")
    # Those that need an extra are written by bench/pytorch.py, examples/training and bench/layout.py.
    assert set(figures.RECORDS) == {
        *import_module("record").RECORDS,
        "pytorch",
        "training",
        "finetuning",
        "layout",
    }
    if figures.missing():
        pytest.skip(f"not recorded: {', '.join(figures.missing())}; run `make figures`")


def test_every_table_of_figures_is_in_a_document(figures: ModuleType) -> None:
    texts = [path.read_text() for path in DOCUMENTS]
    found = [name for text in texts for name in re.findall(r"^<!-- figures: (.*) -->$", text, re.MULTILINE)]
    assert sorted(set(found)) == sorted(figures.BLOCKS)


def test_a_figure_in_a_sentence_is_replaced_and_nothing_else(figures: ModuleType) -> None:
    sentence = figures.Sentence("a.md", "loses {} % of {} fJ", lambda: ("9.5", "1,148"))
    text = "It loses -1 %\n of 5,546 fJ, 2 of them."
    assert figures.fill(text, sentence) == "It loses 9.5 %\n of 1,148 fJ, 2 of them."
    assert figures.numbers_of(text, sentence) == ["-1", "5,546"]


@pytest.fixture
def narrow_sums(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(DOCS)
    return script(DOCS / "narrow_sums.py")


def test_picture_of_narrow_sums_is_that_of_the_record(narrow_sums: ModuleType, tmp_path: Path) -> None:
    record = narrow_sums.recorded("narrow", narrow_sums.MODEL)
    narrow_sums.write_picture(tmp_path / "sums.svg", lambda: narrow_sums.draw(record))
    same = (tmp_path / "sums.svg").read_bytes() == narrow_sums.PICTURE.read_bytes()
    assert same, "run `python docs/narrow_sums.py`"


def test_narrow_sums_have_costs_only_where_these_are_recorded(
    narrow_sums: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    interval = {"value": 0.01, "half_width": 0.002}
    sums = [
        {"mantissa_bits": 13, "nearest": False, "mul": "lmul"} | {"fraction_bits": bits} for bits in (13, 14)
    ]
    record = {
        "errors": [row | {"rms_percent": 1.0} for row in sums],
        "losses": [row | {"loss": interval, "divergence": interval} for row in sums],
    }
    found, missing = (narrow_sums.cost_of(row) for row in sums)
    assert found["design"]["acc"] == "fused:13:13" and found["design"]["lanes"] == 16
    assert missing is None
    assert len(narrow_sums.draw(record).subfigs) == 3
    monkeypatch.setattr(narrow_sums, "cost_of", lambda _: None)
    assert len(narrow_sums.draw(record).subfigs) == 2


@pytest.mark.parametrize("text", ["It loses much.", "It loses 1 % of 2 fJ, and loses 1 % of 2 fJ."])
def test_a_sentence_that_is_not_there_once_is_told(figures: ModuleType, text: str) -> None:
    with pytest.raises(LookupError, match=r"a\.md has \d times"):
        figures.fill(text, figures.Sentence("a.md", "loses {} % of {} fJ", lambda: ("1", "2")))


def test_a_mark_of_no_table_is_told(figures: ModuleType) -> None:
    with pytest.raises(LookupError, match=r"figures: costs --> names no table"):
        figures.with_tables("<!-- figures: costs -->\n<!-- end -->")


def test_a_table_without_its_record_stays_as_it_is(
    figures: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost() -> str:
        raise figures.NotRecordedError

    monkeypatch.setitem(figures.BLOCKS, "effects", lost)
    text = "<!-- figures: effects -->\n| as it is |\n<!-- end -->"
    assert figures.with_tables(text) == text


@pytest.mark.parametrize("name", FIGURES)
def test_timing_figures_are_those_of_their_sources(name: str) -> None:
    timing = script(DOCS / "timing.py")
    figure = (timing.IMAGES / f"timing_{name}.svg").read_text()
    assert figure == timing.draw(timing.SOURCES / f"{name}.json"), "run `python docs/timing.py`"


@pytest.mark.parametrize(("name", "design"), FIGURES.items())
def test_hardware_does_what_its_timing_figure_shows(name: str, design: Design) -> None:
    figure = json.loads((DOCS / "timing" / f"{name}.json").read_text())
    groups = {group[0]: group[1:] for group in figure["signal"] if isinstance(group, list)}
    inputs, outputs = (
        {wave["name"]: levels(wave["wave"]) for wave in groups[side] if not wave.get("data")}
        for side in ("in", "out")
    )
    assert outputs
    found = simulate(design, inputs, list(outputs))
    for signal, wave in outputs.items():
        shown = "".join(
            there if there != "x" else is_ for there, is_ in zip(wave, found[signal], strict=True)
        )
        assert found[signal] == shown, signal


def levels(wave: str) -> str:
    """Give the level in every cycle of a WaveDrom wave, whose dots repeat the one before."""
    found = ""
    for mark in wave:
        found += found[-1] if mark == "." else mark
    return found


def simulate(design: Design, inputs: dict[str, str], outputs: list[str]) -> dict[str, str]:
    """Drive ports cycle by cycle and give the levels of others."""
    block = component(design)
    found = dict.fromkeys(outputs, "")

    async def bench(ctx: Any) -> None:
        for cycle in range(len(next(iter(inputs.values())))):
            for name, wave in inputs.items():
                ctx.set(getattr(block, name), int(wave[cycle]))
            for name in outputs:
                found[name] += str(ctx.get(getattr(block, name)))
            await ctx.tick()

    simulator = Simulator(block)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def public(tree: ast.Module | ast.ClassDef) -> Iterator[ast.AST]:
    """Give a module or class, and what is public in it."""
    yield tree
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name[0] != "_":
            yield from public(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
            yield node


def test_everything_public_has_a_docstring() -> None:
    modules = list(script(DOCS / "rooms.py").files(ROOT / "src" / "lmul"))
    lacking = [
        f"{path.relative_to(ROOT)}: {getattr(node, 'name', '')}"
        for path in modules
        for node in public(ast.parse(path.read_text()))
        if not ast.get_docstring(node)  # type: ignore[arg-type]
    ]
    assert len(modules) > 150
    assert lacking == []
