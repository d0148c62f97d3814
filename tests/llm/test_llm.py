"""A language model under an arithmetic: what is quantised, what is measured, and how sure that is."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lmul.cli import main
from lmul.cost.cells.measure import Conditions
from lmul.cost.library.reader import default_library
from lmul.cost.power.stimulus import stimulus
from lmul.cost.published.energies import TPUV4I
from lmul.design import make_design
from lmul.errors import UserError
from lmul.golden import (
    MULTIPLIERS,
    SCALINGS,
    Arithmetic,
    find_format,
    matmul,
    promoted_sums,
    quantise_factor,
)
from lmul.hdl import export
from lmul.llm.accuracy import Accuracy, measure_arithmetics
from lmul.llm.arithmetics import unit_arithmetic
from lmul.llm.energy_table import energy_tables
from lmul.llm.evaluation import (
    WINDOW,
    Interval,
    Reading,
    agreement,
    answer,
    pack_questions,
    perplexity,
    perplexity_ratio,
    read,
    right_answers,
)
from lmul.llm.generation import continuations
from lmul.llm.memory_energy import PUBLISHED, MemoryEnergy, read_memory_energy
from lmul.llm.products.array import ArrayMatmul
from lmul.llm.products.host import SchemeMatmul, Weights
from lmul.llm.readers.reader import NumpyReader
from lmul.llm.suites import SUITES
from lmul.llm.token_energy import (
    MULTIPLYING,
    Element,
    ElementEnergy,
    Machine,
    TokenEnergy,
    captured_operands,
    element_of,
    measure_kinds,
    products_per_token,
    token_energy,
)
from lmul.scheme import SCOPES, Scheme, parse_scheme
from lmul.workloads import default_operands, smollm2
from lmul.workloads.texts import Question, passage
from tests.support.llm import needs_llm, scheme_of, tiny_model
from tests.support.paths import EXAMPLES

SCHEMES = [
    "lmul,e4m3,attention",
    "exact,e5m2,linear,truncate",
    "addc,e3m4xe4m3,all,row,full",
    "mitchell,e8m3,all,block,truncate,acc=fixed:24:-19,gain=0.96",
    "lmul,bf16,all,power,acc=fp32,lanes=8",
    "exact,e4m3,all-but-head",
    "lmul,e4m3,all,acc=h100,lanes=32,promote=128",
    "exact,int8xint4,linear,row",
    "exact,bf16xe2m1,all-but-head,block",
]


@pytest.mark.parametrize("text", SCHEMES)
def test_name_of_a_scheme_is_read_back(text: str) -> None:
    scheme = scheme_of(text)
    assert scheme_of(scheme.name) == scheme
    assert set(text.split(",")) == set(scheme.name.split(","))


def test_full_alone_is_full_precision() -> None:
    assert parse_scheme("full") is None
    assert scheme_of("lmul,full").arithmetic.subnormals == "full"


def test_a_gpu_named_for_its_sums_has_its_own_lanes() -> None:
    assert scheme_of("lmul,bf16,acc=b200").name == "lmul,bf16,all,acc=b200,lanes=16"
    assert scheme_of("lmul,e4m3,acc=b200,lanes=8").arithmetic.lanes == 8
    assert scheme_of("lmul,e4m3,acc=fused:25").arithmetic.lanes == 4


def test_scale_of_blocks_says_how_operands_are_scaled() -> None:
    assert scheme_of("lmul,e4m3,acc=b200,scale=mx").name == "lmul,e4m3,all,block,acc=b200,lanes=32,scale=mx"
    assert scheme_of("lmul,e4m3,acc=b200,scale=mx,block-up").scaling == "block-up"
    nvfp4 = scheme_of("exact,e2m1,acc=fused:35,scale=nvfp4")
    assert (nvfp4.scaling, nvfp4.arithmetic.lanes) == ("nvfp4", 16)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lmul,e4m3,everywhere", "'everywhere' is no word of an arithmetic"),
        ("lmul,exact", "gives mul twice"),
        ("gain=much", "gain must be a number, not 'much'"),
        ("addc,bf16", "mul 'addc' is defined for at most 4 mantissa bits"),
        ("acc=fixed:1000:0", "acc 'fixed:1000:0' is out of range"),
        ("lmul,int8", "mul 'lmul' is not for integers: take exact"),
        ("exact,int8xe4m3", "format_b e4m3 beside int8: take two integers, or none"),
        ("gain=0.01", "gain must be from 0.5 to 2"),
        ("e4m3xe4m3xe4m3", "'e4m3xe4m3xe4m3' is no word"),
        ("promote=128", "promote is for fused sums, not for acc 'exact'"),
        ("acc=h100,promote=often", "promote must be a number, not 'often'"),
        ("acc=h100,promote=80", "promote must be whole steps of 32 products, not 80"),
        ("acc=h100,promote=128,block", "sums of blocks are added outside as it is"),
        ("acc=b200,scale=mx,row", "scaling must be block or block-up with scale mx, not row"),
        ("acc=b200,scale=fp8", "scale 'fp8' is unknown"),
        ("scale=mx", "scale is for fused sums, not for acc 'exact'"),
    ],
)
def test_words_that_mean_nothing_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        parse_scheme(text)


@pytest.mark.parametrize("suite", SUITES)
def test_rows_of_a_table_are_schemes_and_differ(suite: str) -> None:
    rows = SUITES[suite]()
    names = [scheme.name if scheme else "full" for scheme in map(parse_scheme, rows)]
    assert len(set(names)) == len(rows)


@pytest.mark.parametrize("scope", SCOPES)
def test_only_products_of_the_scope_are_quantised(scope: str) -> None:
    model, weights = tiny_model(), Weights()
    tokens = smollm2.encode(model, "some text")
    scheme = Scheme(arithmetic=Arithmetic(mul="exact"), scope=scope)
    quantised = SchemeMatmul(scheme, weights)
    seen = set()

    def spy(name: str, a: smollm2.Array, b: smollm2.Array) -> smollm2.Array:
        product = quantised(name, a, b)
        if not np.array_equal(product, a @ b):
            kind = "attention" if name.endswith(("qk", "pv")) else "linear"
            seen.add("head" if name == "lm_head" else kind)
        return product

    smollm2.forward(model, tokens, spy)
    whole, _, rest = scope.partition("-but-")
    kinds = {"attention": {"attention"}, "linear": {"linear", "head"}, "all": {"attention", "linear", "head"}}
    assert seen == kinds[whole] - {rest}


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_products_are_those_of_the_golden_model(mul: str, scaling: str) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 5, 40)).astype(np.float32), rng.normal(size=(40, 7)).astype(np.float32)
    scheme = Scheme(arithmetic=Arithmetic(mul=mul), scaling=scaling, rounding="truncate", gain=1.25)
    multiply = SchemeMatmul(scheme, Weights())
    wanted = matmul(a, b, scheme.arithmetic, rounding="truncate", scaling=scaling) / 1.25
    for _ in range(2):  # The second time with the weights that were kept.
        assert np.array_equal(multiply("layer0.q_proj", a, b), wanted)
    assert multiply.left_range == 0


def test_promoted_products_are_scaled_sums_of_promoted_tiles() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 5, 40)).astype(np.float32), rng.normal(size=(40, 7)).astype(np.float32)
    scheme = scheme_of("lmul,e4m3,row,acc=fused:6:5,promote=8")
    x, y = (
        quantise_factor(each, side, scheme.arithmetic, "nearest", "row") for side, each in enumerate((a, b))
    )
    found = SchemeMatmul(scheme, Weights())("layer0.q_proj", a, b)
    for index in range(2):
        sums = promoted_sums(x.codes[index], y.codes, scheme.arithmetic, 8)
        assert np.array_equal(found[index], sums.astype(float) * x.scale[index] * y.scale)
    plain = SchemeMatmul(scheme_of("lmul,e4m3,row,acc=fused:6:5"), Weights())("layer0.q_proj", a, b)
    assert not np.array_equal(found, plain)


def test_weights_are_quantised_anew_for_another_format() -> None:
    a, b = np.ones((1, 3)), np.array([[1.0], [1.3], [1.7]], dtype=np.float32)
    weights = Weights()
    for name in ("e4m3", "e5m2", "e4m3"):
        arithmetic = Arithmetic(format=find_format(name), mul="exact")
        multiply = SchemeMatmul(Scheme(arithmetic=arithmetic), weights)
        assert np.array_equal(multiply("lm_head", a, b), matmul(a, b, arithmetic))


def test_sums_that_leave_the_range_are_counted() -> None:
    multiply = SchemeMatmul(scheme_of("exact,e4m3,acc=fixed:12:0"), Weights())
    multiply("lm_head", np.ones((2, 8)), np.ones((8, 3)))
    assert (multiply.sums, multiply.left_range) == (6, 6)


def test_infinite_sums_are_told() -> None:
    multiply = SchemeMatmul(scheme_of("exact,e5m2,acc=fp16"), Weights())
    with pytest.raises(UserError, match="sums of lm_head are infinite under exact,e5m2,all,acc=fp16"):
        multiply("lm_head", np.ones((2, 8)), np.ones((8, 3)))


ASKED = [
    Question("aa", ("b", "ccc", "dd", "e"), 1),
    Question("long prompt", ("x", "y", "zz", "w"), 0),
    Question("q", ("r", "s", "t", "uvw"), 3),
]


def test_packed_questions_are_answered_as_if_asked_alone() -> None:
    model = tiny_model()
    alone = []
    for question in ASKED:
        likelihoods = []
        for choice in question.choices:
            prompt, tokens = (smollm2.encode(model, text) for text in (question.prompt, f" {choice}"))
            both = np.concatenate([prompt, tokens])
            logits = smollm2.forward(model, both)
            logits = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
            at = np.arange(len(prompt) - 1, len(both) - 1)
            likelihoods.append(logits[at, tokens].sum())
        alone.append(int(np.argmax(likelihoods)))
    reader = NumpyReader(model, SchemeMatmul(None, Weights()))
    (pack,) = pack_questions(reader, ASKED)
    assert answer(reader, ASKED, lambda *_: None).tolist() == alone
    # No question or choice sees another.
    logits = smollm2.forward(model, pack.tokens, layout=pack.layout)
    first = smollm2.forward(model, smollm2.encode(model, "aa dd"))
    place = pack.spans[0][2][0]
    np.testing.assert_allclose(logits[place], first[-len(place) :], atol=1e-12)


def test_packs_are_no_longer_than_a_window() -> None:
    reader = NumpyReader(tiny_model(), SchemeMatmul(None, Weights()))
    packs = list(pack_questions(reader, ASKED * 100))
    assert len(packs) > 1
    assert all(len(pack.tokens) <= WINDOW for pack in packs)
    assert sum(len(pack.spans) for pack in packs) == 300


def test_reading_predicts_every_token_but_the_first_of_a_window() -> None:
    model = tiny_model()
    text = np.arange(WINDOW + 30) % 256
    reading = read(NumpyReader(model, SchemeMatmul(None, Weights())), text, lambda *_: None)
    logits = smollm2.forward(model, text[:WINDOW])
    assert len(reading.surprises) == WINDOW - 1 + 29
    np.testing.assert_allclose(
        perplexity(Reading(reading.surprises[: WINDOW - 1], reading.guesses, 0, 0)).value,
        smollm2.perplexity(logits, text[:WINDOW]),
    )
    assert np.array_equal(reading.guesses[: WINDOW - 1], logits[:-1].argmax(axis=-1))


def test_intervals_hold_the_true_mean_19_times_in_20() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        # Neighbours are alike, as in a text.
        noise = np.convolve(rng.normal(size=4096), np.ones(8) / 8, mode="same")
        reading = Reading(1 + noise, np.zeros(4096), 0, 0)
        interval = perplexity(reading)
        held += abs(interval.value - np.e) <= interval.half_width
    assert 0.90 <= held / 400 <= 0.98


def test_ratio_and_agreement_compare_place_by_place() -> None:
    rng = np.random.default_rng(1)
    surprises = rng.gamma(2, 2, 4096)
    full = Reading(surprises, np.zeros(4096), 0, 0)
    other = Reading(surprises + np.log(1.1), np.arange(4096) % 4 == 0, 0, 0)
    ratio = perplexity_ratio(other, full)
    assert ratio.value == pytest.approx(1.1)
    assert ratio.half_width < 1e-9 < perplexity(full).half_width
    assert agreement(other, full).value == 0.75
    assert perplexity_ratio(full, full).value == 1


def test_right_answers_have_wilsons_interval() -> None:
    found = right_answers(np.array([1, 0, 0]), ASKED)
    assert found.value == pytest.approx(2 / 3)
    assert 0.3 < found.half_width < 0.45


def test_continuations_follow_their_own_texts_to_the_end() -> None:
    model = tiny_model()
    readers = (
        NumpyReader(model, SchemeMatmul(parse_scheme(words), Weights())) for words in ("full", "exact,bf16")
    )
    steps = list(continuations(*readers, "ab", 5))
    assert 1 <= len(steps) <= 5
    logits = smollm2.forward(model, smollm2.encode(model, "ab"))
    assert steps[0].full == smollm2.decode(model, [int(logits[-1].argmax())])


def test_products_of_a_model_go_through_the_simulated_array(tmp_path: Path) -> None:
    model = tiny_model()
    scheme = scheme_of("lmul,e4m3,attention,row")
    design = make_design("array", rows=2, cols=3, lanes=2)
    hardware = ArrayMatmul(scheme, design, Weights(), tmp_path)
    tokens = smollm2.encode(model, "a prompt")
    found = smollm2.forward(model, tokens, hardware)
    assert np.array_equal(found, smollm2.forward(model, tokens, SchemeMatmul(scheme, Weights())))
    # 6 heads of 8 x 8 scores and 8 x 4 mixed values, in tiles of 2 x 3, two layers.
    assert hardware.rows == 2 * 6 * 8 * (3 + 2)
    assert hardware.cycles > hardware.rows


def test_energy_of_a_token_is_that_of_its_products_and_bytes() -> None:
    model, design = tiny_model(), make_design("dot", lanes=2)
    machine, memory = Machine(rows=4, cols=2, batch=10, context=7), MemoryEnergy(2.0, 100.0, 300.0, "made up")
    counts = products_per_token(model, 7)
    assert counts["q_proj"] == 2 * 24 * 24
    assert counts["k_proj"] == 2 * 24 * 8
    assert counts["qk"] == counts["pv"] == 2 * 24 * 7
    assert counts["lm_head"] == 256 * 24
    measured = {kind: ElementEnergy(800.0, 0.25) for kind in counts}
    energy = token_energy(Element("lmul", design), measured, model, machine, memory)
    products = sum(counts.values())
    assert energy.sum("multipliers") == pytest.approx(products * 200e-9)
    assert energy.sum("elements") == pytest.approx(products * 600e-9)
    assert energy.sum("sram") == pytest.approx(products * 0.75 * 2.0 * 1e-6)
    weights = products - counts["qk"] - counts["pv"]
    keys_and_values = 2 * 2 * 8 * 7
    assert energy.sum("dram") == pytest.approx((weights / 10 + keys_and_values) * 100.0 * 1e-6)
    assert energy.sum("dram_high") == pytest.approx(3 * energy.sum("dram"))
    parts = ("multipliers", "elements", "sram", "dram")
    assert energy.sum("total") == pytest.approx(sum(energy.sum(part) for part in parts))
    assert energy.sum("total_high") == pytest.approx(energy.sum("total") + 2 * energy.sum("dram"))


def token_pair(memory: MemoryEnergy) -> list[TokenEnergy]:
    """Give the energy of a token on two designs, of which the first takes three quarters of the second."""
    model, machine = tiny_model(), Machine(context=7)
    counts = products_per_token(model, 7)
    return [
        token_energy(
            Element(mul, make_design("dot", mul=mul)), dict.fromkeys(counts, each), model, machine, memory
        )
        for mul, each in (("lmul", ElementEnergy(600.0, 0.1)), ("exact", ElementEnergy(800.0, 0.2)))
    ]


@pytest.mark.parametrize(
    ("words", "bits"),
    [
        ("exact,int8,row", (8, 8)),
        ("exact,int8xint4", (8, 4)),
        ("lmul,bf16,acc=fp32", (16, 16)),
        ("exact,e4m3xe2m1,scale=mx,acc=fused:25", (8.25, 4.25)),
        ("exact,e2m1,scale=mxfp4,acc=fused:35", (4.25, 4.25)),
        ("exact,e2m1,scale=nvfp4,acc=fused:35", (4.5, 4.5)),
    ],
)
def test_an_operand_takes_the_bytes_of_its_format_and_of_its_scale(
    words: str, bits: tuple[float, float]
) -> None:
    model, element, memory = tiny_model(), element_of(words), MemoryEnergy(2.0, 100.0, 300.0, "made up")
    machine = Machine(rows=4, cols=2, batch=10, context=7)
    counts = products_per_token(model, 7)
    energy = token_energy(element, dict.fromkeys(counts, ElementEnergy(1.0, 0.5)), model, machine, memory)
    (first, second), products = (bits[0] / 8, bits[1] / 8), sum(counts.values())
    assert energy.sum("sram") == pytest.approx(products * (first / 2 + second / 4) * 2.0 * 1e-6)
    read = (products - counts["qk"] - counts["pv"]) / 10 + 2 * 2 * 8 * 7
    assert energy.sum("dram") == pytest.approx(read * second * 100.0 * 1e-6)


ELEMENTS = {
    "exact,int8,row": ("int8", "exact", 8, "row"),
    "exact,int4,lanes=4,acc=fixed:20:0": ("int4", "fixed:20:0", 4, "tensor"),
    "lmul,e4m3,scale=mx,acc=fused:13:13,lanes=16": ("e4m3", "fused:13:13", 16, "block"),
    "exact,e4m3,block-up,scale=mx,acc=b200": ("e4m3", "b200", 32, "block-up"),
    "exact,int8xint4,scale=mx16,acc=fixed:28:-14": ("int8xint4", "fixed:28:-14", 16, "block"),
    "exact,e2m1,scale=nvfp4,acc=fused:25": ("e2m1", "fused:25", 16, "nvfp4"),
    "exact,e2m1,scale=mxfp4,acc=fused:25": ("e2m1", "fused:25", 16, "block"),
}
"""What computes an arithmetic: format, sum, lanes, and how its operands are scaled."""


@pytest.mark.parametrize("words", ELEMENTS)
def test_an_element_has_the_arithmetic_of_its_words_and_a_block_that_multiplies(words: str) -> None:
    element = element_of(words)
    design = element.design
    assert (design.format_names, design.acc, design.lanes, element.scaling) == ELEMENTS[words]
    scheme = scheme_of(words)
    assert unit_arithmetic(design) == unit_arithmetic(scheme.arithmetic)
    modules = re.findall(r"^module \w+_([a-z]+) \(", export(design).verilog, re.MULTILINE)
    assert sum(module in MULTIPLYING for module in modules) == 1
    pair = default_operands()[0]
    assert stimulus(design, [replace(pair, scaling=element.scaling)])["a"].size


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("full", "one element computes every product of a token: take all"),
        ("exact,int8,row,all-but-head", "one element computes every product"),
        ("lmul,e4m3,acc=h100,promote=128", "leave promote out"),
        ("lmul,fp32", "fp32"),
    ],
)
def test_an_arithmetic_without_an_element_is_refused(words: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        element_of(words)


def test_dearer_memory_takes_more_of_a_token_and_leaves_less_to_save() -> None:
    ours, exact = token_pair(PUBLISHED)
    elements = ours.sum("multipliers") + ours.sum("elements")
    assert ours.memory_share() == pytest.approx(1 - elements / ours.sum("total"))
    assert ours.memory_share() < ours.memory_share("_high") < 1
    assert ours.saved_of(exact) > ours.saved_of(exact, "_high") > 0
    free, of_free = token_pair(MemoryEnergy(0.0, 0.0, 0.0, "none"))
    assert (free.memory_share(), free.saved_of(of_free)) == (0, pytest.approx(0.25))


@pytest.mark.parametrize("memory", [PUBLISHED, MemoryEnergy(1.0, 30.0, 30.0, "a data sheet")])
def test_energy_tables_name_the_memory_and_show_a_range_where_there_is_one(memory: MemoryEnergy) -> None:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(energy_tables([token_pair(memory)]))
        console.print(energy_tables([token_pair(memory)[:1]]))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert memory.text in " ".join(" ".join(lines).split())
    ends = 1 if memory.dram == memory.dram_high else 2
    assert sum("saved of" in line for line in lines) == ends
    assert sum("memory's share" in line for line in lines) == 2 * ends


MEMORY = 'sram_pj_per_byte = 1\ndram_pj_per_byte = [30.5, 60]\nsource = "x"\n'


def test_energies_of_memory_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "memory.toml"
    path.write_text(MEMORY)
    assert read_memory_energy(path) == MemoryEnergy(1.0, 30.5, 60.0, "x")
    path.write_text(MEMORY.replace("[30.5, 60]", "45"))
    assert read_memory_energy(path) == MemoryEnergy(1.0, 45.0, 45.0, "x")


def test_the_example_of_a_memory_has_the_figures_of_its_source() -> None:
    found = read_memory_energy(EXAMPLES / "memory" / "hbm2.toml")
    assert (found.sram, found.dram, found.dram_high) == (TPUV4I.sram_byte, *TPUV4I.dram_byte)
    assert TPUV4I.source in found.source


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("sram_pj_per_byte = 1", "", "sram_pj_per_byte is missing"),
        ("sram_pj_per_byte = 1", 'sram_pj_per_byte = "1"', "sram_pj_per_byte must be a number"),
        ("sram_pj_per_byte = 1", "sram_pj_per_byte = nan", "sram_pj_per_byte must be a number"),
        ("sram_pj_per_byte = 1", "sram_pj_per_byte = true", "sram_pj_per_byte must be a number"),
        ("sram_pj_per_byte", "sram", "it has no 'sram'"),
        ("[30.5, 60]", "[60, 30.5]", "low and high end"),
        ("[30.5, 60]", "[1, 2, 3]", "low and high end"),
        ("[30.5, 60]", "-1", "low and high end"),
        ("[30.5, 60]", f"1{400 * '0'}", "low and high end"),
        ('"x"', '" "', "source must be a text"),
        ('"x"', "3", "source must be a text"),
    ],
)
def test_energies_of_memory_that_are_none_are_refused(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "memory.toml"
    path.write_text(MEMORY.replace(old, new))
    with pytest.raises(UserError, match=rf"memory\.toml: .*{words}"):
        read_memory_energy(path)


def test_operands_of_every_kind_are_captured() -> None:
    model = tiny_model()
    found = captured_operands(model, "".join(map(chr, range(32, 127))) * 2, 120)
    assert found.keys() == products_per_token(model, 1).keys()
    assert all(pair.a.shape[1] == pair.b.shape[0] for pairs in found.values() for pair in pairs)


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        "lmul,e4m3,lanes=2",
        "exact,int4,row,lanes=2",
        "exact,e4m3,scale=mx,acc=fused:8:8,lanes=2",
        "exact,e2m1,scale=nvfp4,acc=fused:8:8",
    ],
)
def test_multipliers_of_an_element_take_less_than_half_of_it(words: str, tmp_path: Path) -> None:
    operands, conditions = {"q_proj": default_operands()[:2]}, Conditions(seeds=1, precision=0.1)
    (found,) = measure_kinds(
        element_of(words), operands, default_library(), conditions, tmp_path, lambda *_: None
    ).values()
    assert 0.01 < found.multipliers < 0.5
    assert 30 < found.fj_per_product < 5000


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    output = capsys.readouterr()
    return status, output.out, output.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("llm", "--tokens", "1"),
        ("llm", "--arithmetic", "lmul,e4m3,nowhere"),
        ("llm", "--text", "missing.txt"),
        ("llm", "--energy", "--batch", "0"),
        ("llm", "--energy", "--context", "0"),
        ("llm", "--energy", "--memory-energy", "missing.toml"),
        ("llm", "--energy", "--compare", "lmul,none"),
        ("continue", ""),
        ("continue", "a", "--tokens", "0"),
        ("continue", "a", "--tokens", "5000"),
        ("continue", "a", "--array", "--arithmetic", "full"),
        ("continue", "a", "--array", "--arithmetic", "lmul,block"),
        ("continue", "a", "--array", "--arithmetic", "lmul,block-up"),
        ("continue", "a", "--array", "--arithmetic", "lmul,out=raw"),
        ("continue", "a", "--array", "--arithmetic", "lmul,acc=h100,lanes=8,promote=128"),
    ],
)
def test_bad_input_is_told_in_one_line(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert out == ""
    assert err.splitlines()[-1].startswith("lmul: ")
    assert sum(line.startswith("lmul: ") for line in err.splitlines()) == 1


@needs_llm
def test_command_shows_and_writes_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # Its own name may be longer than a line.
    arguments = ("llm", "--arithmetic", "lmul,e4m3,attention", "--tokens", "64")
    first = run(capsys, *arguments, "--json", "llm.json")
    assert first[0] == 0
    (row,) = json.loads((tmp_path / "llm.json").read_text())
    assert row["arithmetic"] == "lmul,e4m3,attention"
    assert 1 < row["perplexity"]["value"] < 1000
    assert all(len(line) <= 80 for line in first[1].splitlines())
    assert run(capsys, *arguments)[1] in first[1]


@needs_llm
@pytest.mark.long
def test_hardware_continues_a_real_prompt_as_the_golden_model_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (
        "continue",
        "The capital of France is",
        "--arithmetic",
        "lmul,e4m3,attention",
        "--tokens",
        "2",
    )
    golden = run(capsys, *arguments)
    hardware = run(capsys, *arguments, "--array", "--build", str(tmp_path))
    assert golden[0] == hardware[0] == 0
    assert hardware[1].startswith(golden[1])
    assert "rows equal the golden model's" in hardware[1]
    assert " Paris" in golden[1]


@needs_llm
@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "digits"), [("lmul,e4m3,all", "68.25192443"), ("lmul,e4m3,attention", "59.90024864")]
)
def test_figures_are_the_same_on_every_machine(words: str, digits: str) -> None:
    (found,) = measure_arithmetics([scheme_of(words)], passage(), 256, (), None, lambda *_: None)
    assert f"{found.perplexity.value:.10g}" == digits


@needs_llm
def test_text_of_one_token_is_refused() -> None:
    with pytest.raises(UserError, match="the text has 1 tokens: it must have 2 or more"):
        measure_arithmetics([scheme_of("lmul,e4m3")], "a", 256, (), None, lambda *_: None)


def test_half_width_that_is_not_known_is_none_in_the_json() -> None:
    some, unknown = Interval(1.0, 0.5), Interval(1.0, math.inf)
    plain = Accuracy("full", unknown, some, some, None, 0.0).as_plain()
    assert plain["perplexity"] == {"value": 1.0, "half_width": None}
    assert plain["ratio"] == {"value": 1.0, "half_width": 0.5}


def test_weights_for_another_accumulator_are_quantised_anew() -> None:
    weights = Weights()
    made = []
    for words in ("lmul,e4m3", "lmul,e4m3,acc=fixed:24:-3,lanes=8", "lmul,e4m3"):
        weights.quantised("q", scheme_of(words), lambda: made.append(1))  # type: ignore[arg-type,return-value]
    assert len(made) == 3
