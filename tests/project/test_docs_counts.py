"""Numbers of designs, cases and proofs that documents state are those of the code."""

import re
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import pytest

from lmul.evidence.exhaustive import __main__ as exhaustive
from lmul.evidence.formal import multiplication, streams
from lmul.evidence.formal.accumulation import accumulation_claims
from lmul.evidence.formal.claims import Claim
from lmul.evidence.formal.fusion import fusion_claims
from lmul.evidence.formal.groups import group_claims
from lmul.evidence.formal.outputs import output_claims
from lmul.evidence.mutation.__main__ import REQUIRED
from lmul.evidence.mutation.campaign import CAMPAIGNS
from lmul.explore.space import read_space
from lmul.golden import find_format
from lmul.report.plan import Plan
from lmul.sim.stimulus.classes import classes_of
from lmul.sim.stimulus.pairs import many_edge_codes
from lmul.workloads import default_operands
from tests.hdl import test_array, test_multiplier, test_sums
from tests.sim import test_four_state, test_gate_level
from tests.support.paths import ROOT
from tests.support.scripts import script

VERIFICATION = "docs/verification.md"


def all_combinations() -> Sequence[int]:
    formats = product(test_sums.CHOICES["format_a"], test_sums.CHOICES["format_b"])
    dots = sum(1 for pair in formats for _ in test_sums.all_choices(*pair))
    named = [*test_multiplier.FORMATS, *test_multiplier.ODD_FORMATS]
    stages = range(test_multiplier.PIPELINE_LIMIT + 1)
    multipliers = sum(len(test_multiplier.designs(name, pipeline)) for name in named for pipeline in stages)
    return dots, len(test_array.LONG), multipliers


def small_formats() -> Sequence[int]:
    parts = [exhaustive.part(name, exhaustive.MULS) for name in exhaustive.small_formats()]
    modules = [len(part.candidates) for part in parts]
    products = (count * 4**part.format.width for count, part in zip(modules, parts, strict=True))
    return sum(modules), sum(products)


def fp32_products() -> Sequence[int]:
    edges = len(many_edge_codes(find_format("fp32")))
    return edges, len(exhaustive.WIDE_MULS), exhaustive.DRAWN + edges**2


def mutants(part: str = "") -> Sequence[int]:
    return (sum(campaign.count for campaign in CAMPAIGNS if part in campaign.part),)


def stressed_designs() -> Sequence[int]:
    text = (ROOT / "Makefile").read_text()
    (script,) = re.findall(r"^coverage:.*?\n\n", text, re.MULTILINE | re.DOTALL)
    formats = len(re.findall(r"for format in (.*?); do", script)[0].split())
    muls, accumulators, scales, dataflows = (
        len(re.findall(rf"^{name} := (.*)", text, re.MULTILINE)[0].split())
        for name in ("MULTIPLIERS", "DOT_ACCUMULATORS", "SCALES", "DATAFLOWS")
    )
    return (muls * formats + accumulators + scales + dataflows,)


def reported() -> Sequence[int]:
    designs = [found.kind for found in Plan().designs(default_operands())]
    return designs.count("mul"), designs.count("dot")


COUNTS: tuple[tuple[str, str, Callable[[], Sequence[float]]], ...] = (
    ("README.md", "all combinations, {} dot products, {} arrays and {} multipliers", all_combinations),
    (VERIFICATION, "| {} modules, {} products |", small_formats),
    (VERIFICATION, "| {} products of each format |", lambda: (len(exhaustive.WIDE_MULS) * 4**16,)),
    (VERIFICATION, "all pairs of {} edge values, native bench | {} x {} products", fp32_products),
    (VERIFICATION, "mutants of netlists of generic gates, and faults that are written down | {};", mutants),
    (VERIFICATION, "(`lmul`, `exact`, `addc`, `mitchell`) | {} |", lambda: mutants("multiplier")),
    (
        VERIFICATION,
        "dot products (exact sum, `fixed`, `fused`, `fused` in turn) | {} |",
        lambda: mutants("dot product"),
    ),
    (VERIFICATION, "control of arrays (`os`, `ws`) | {} |", lambda: mutants("array control")),
    (
        VERIFICATION,
        "block scales (`nvfp4`, `mxfp4`, `mx16`, `mx`), faults that are written down | {} |",
        lambda: mutants("block scales"),
    ),
    (
        VERIFICATION,
        "integers (products, sums), faults that are written down | {} |",
        lambda: mutants("integers"),
    ),
    (VERIFICATION, "| all | {} |", mutants),
    (VERIFICATION, "fails if fewer than {} % of those", lambda: (100 * REQUIRED,)),
    (VERIFICATION, "functional coverage of {} designs, no hole", stressed_designs),
    (VERIFICATION, "stress benches of {} designs with their coverage", stressed_designs),
    (VERIFICATION, "is the same for the {} designs", stressed_designs),
    (VERIFICATION, "| {} pairs of classes of e4m3", lambda: (len(classes_of(find_format("e4m3"))) ** 2,)),
    (
        VERIFICATION,
        "| {} small designs; {} of default size in the long tier",
        lambda: (len(test_four_state.QUICK), len(test_four_state.LONG)),
    ),
    (
        VERIFICATION,
        "small designs; the {} of default size in the long tier",
        lambda: (len(test_gate_level.DEFAULTS),),
    ),
    ("docs/report.md", "measures {} multipliers", lambda: reported()[:1]),
    ("docs/report.md", "and {} dot products", lambda: reported()[1:]),
)
"""Document, words and numbers."""


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, Sequence[float]], None]:
    """Compare the numbers of a sentence in a document with others."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    figures = script(ROOT / "docs" / "figures.py")

    def compare(document: str, words: str, numbers: Sequence[float]) -> None:
        written = [f"{number:,}" if isinstance(number, int) else f"{number:g}" for number in numbers]
        text = (ROOT / document).read_text()
        found = figures.numbers_of(text, figures.Sentence(document, words, lambda: written))
        assert [number.replace(",", "") for number in found] == [
            number.replace(",", "") for number in written
        ]

    return compare


@pytest.mark.parametrize(("document", "words", "numbers"), COUNTS, ids=[words for _, words, _ in COUNTS])
def test_count_in_a_document_is_that_of_the_code(
    document: str,
    words: str,
    numbers: Callable[[], Sequence[float]],
    check: Callable[[str, str, Sequence[float]], None],
) -> None:
    check(document, words, numbers())


def test_numbers_of_proofs_are_those_of_the_claims(
    check: Callable[[str, str, Sequence[float]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Their hardware need not be made to count them.
    monkeypatch.setattr(multiplication, "multiplier_claim", lambda design: design)
    claim = Claim("", "", {}, "", {})
    monkeypatch.setattr(streams, "_claim", lambda *_words, **_more: claim)
    multipliers = multiplication.multiplier_claims()
    rounded = sum(design.mul in ("addc", "exact") for design in multipliers)  # type: ignore[attr-defined]
    added = len(multipliers) - rounded
    check(VERIFICATION, "| {} proofs, {} mutants refuted |", (added, added))
    check(VERIFICATION, "`exact` of bf16 (default policies) | the same | {}, {} |", (rounded, rounded))
    fused = len(fusion_claims())
    others = len(streams.stream_claims()) + len(accumulation_claims()) + len(output_claims()) + fused
    check(VERIFICATION, "SAT sweeping of one step | {}, {} |", (fused, fused))
    groups = len(group_claims())
    others += groups
    check(VERIFICATION, "decision diagrams, SAT sweeping | {}, {} |", (groups, groups))
    integers = len(multiplication.integer_claims())
    check(VERIFICATION, "| {} proofs, {} mutants refuted; ", (integers, integers))
    check(VERIFICATION, "must refute: {} of each", (len(multipliers) + integers + others,))


def test_numbers_of_designs_of_the_examples_of_sweeps(
    check: Callable[[str, str, Sequence[float]], None], tmp_path: Path
) -> None:
    text = (ROOT / "docs" / "explore.md").read_text()
    (large, small) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    for example, told in ((large, "That is {} designs. Comb"), (small, "That is {} designs. The perplexity")):
        (tmp_path / "space.toml").write_text(example)
        points = read_space(tmp_path / "space.toml").distinct
        check("docs/explore.md", told, (len(points),))
