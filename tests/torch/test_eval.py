"""Evaluation by the harness: a random model of bytes, on texts of the package, without a network."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("lm_eval")
import datasets
import huggingface_hub
import torch
from lm_eval.api.group import Group
from lm_eval.api.task import ConfigurableTask
from lm_eval.config.group import AggMetricConfig
from lm_eval.tasks import TaskManager
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from lmul.cli import main
from lmul.torch import convert_, models, restore_
from lmul.torch.evaluation import tasks
from lmul.torch.evaluation.neighbours import neighbour
from lmul.torch.evaluation.statistics import Samples, members, paired, samples_of
from lmul.workloads.texts import passage, questions

END = "<end>"

LMUL = "lmul,e4m3,all,row"

ATTENTION = "lmul,e4m3,attention,row"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a random model, and its tokenizer, whose tokens are bytes."""
    place = tmp_path_factory.mktemp("model")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE(vocab={letter: i for i, letter in enumerate([*letters, END])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=END, eos_token=END).save_pretrained(place)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(letters) + 1,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2048,
    )
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():  # Larger than those that training begins with.
            parameter.add_(torch.randn_like(parameter) * 0.3)
    model.save_pretrained(place)
    return place


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `lmul eval` in a directory of its own, with no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)

    def here(*words: object) -> tuple[int, str, str]:
        status = main(["eval", *map(str, words)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return here


GENERATED = {
    "output_type": "generate_until",
    "doc_to_target": "prompt",
    "doc_to_choice": None,
    "generation_kwargs": {"max_gen_toks": 3, "until": ["."], "do_sample": False},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
"""What makes a task that generates of the questions."""


def local_task(
    name: str, alias: str, asked: slice, changed: dict[str, Any] | None = None
) -> ConfigurableTask:
    """Make a task of some of the samples of a local one."""
    config = tasks.local_config(name)
    documents = config["custom_dataset"]()["test"]
    some = datasets.Dataset.from_list(documents.to_list()[asked])
    return ConfigurableTask(
        config=config | {"task": alias, "custom_dataset": lambda **_: {"test": some}} | (changed or {})
    )


def one(rows: list[dict[str, Any]], metric: str, arithmetic: str) -> dict[str, Any]:
    (row,) = [row for row in rows if (row["metric"], row["arithmetic"]) == (metric, arithmetic)]
    return row


def surprise(model: Any, tokenizer: Any, before: str, text: str) -> float:
    """Give the negative log likelihood of a text behind another one, in nats."""
    first, then = (tokenizer(part)["input_ids"] for part in (before, text))
    ids = torch.tensor([first + then])
    with torch.no_grad():
        logits = model(ids).logits[0, len(first) - 1 : -1].double()
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(then), reduction="sum"))


def test_figures_are_those_of_the_converted_model(folder: Path, run: Run, tmp_path: Path) -> None:
    arithmetics = ("--arithmetic", "lmul,e4m3,row", "--arithmetic", ATTENTION)
    words = ("--limit", 2, "--neighbours", 1)
    status, out, _ = run(folder, *arithmetics, *words, "--json", "figures.json", "--output", "harness")
    assert status == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    found = json.loads((tmp_path / "figures.json").read_text())
    assert (found["tasks"], found["limit"], found["neighbours"]) == (list(tasks.LOCAL), 2, 1)

    model, tokenizer = models.load(str(folder))
    for arithmetic in ("full", LMUL, ATTENTION):  # The last one leaves layers that the other has.
        if arithmetic != "full":
            convert_(restore_(model), arithmetic)
        texts = tasks.pieces(passage())[:2]
        nats = sum(surprise(model, tokenizer, END, text) for text in texts)
        value = math.exp(nats / sum(len(text.split()) for text in texts))
        row = one(found["rows"], "word_perplexity", arithmetic)
        assert row["value"] == pytest.approx(value, rel=1e-4)
        assert row["samples"] == 2
        right = 0
        for question in questions()[:2]:
            choices = [surprise(model, tokenizer, question.prompt, f" {text}") for text in question.choices]
            right += int(np.argmin(choices)) == question.answer
        assert one(found["rows"], "acc", arithmetic)["value"] == pytest.approx(right / 2)

    written = json.loads((tmp_path / "harness" / LMUL / "lmul_passage.neighbour1.json").read_text())
    row = one(found["rows"], "word_perplexity", LMUL)
    assert written["results"]["lmul_passage"]["word_perplexity,none"] == row["passes"][1]
    assert row["passes"][0] != row["passes"][1]
    assert row["difference"]["kind"] == "x full"
    full = one(found["rows"], "word_perplexity", "full")["value"]
    ratios = [value / full for value in row["passes"]]
    assert abs(row["difference"]["value"] - math.sqrt(math.prod(ratios))) < 1e-9
    assert max(abs(ratio - row["difference"]["value"]) for ratio in ratios) < row["difference"]["half_width"]


def test_a_run_goes_on_where_another_one_ended(
    folder: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (folder, "--tasks", "lmul_questions", "--limit", 2, "--neighbours", 0, "--json", "figures.json")
    first = run(*words, "--arithmetic", "lmul,e4m3,row")
    assert first[0] == 0

    def unwanted(name: str) -> Any:
        raise AssertionError(f"{name} is loaded again")

    monkeypatch.setattr(models, "load", unwanted)
    again = run(*words, "--arithmetic", "lmul,e4m3,row", "--arithmetic", "full")
    assert again[:2] == first[:2]
    with pytest.raises(AssertionError, match="loaded again"):
        run(*words, "--arithmetic", "addm,e4m3,row")
    with pytest.raises(AssertionError, match="loaded again"):
        run(*words, "--arithmetic", "lmul,e4m3,row", "--batch-size", 2)
    (folder / "note.txt").write_text("another model")
    with pytest.raises(AssertionError, match="loaded again"):
        run(*words, "--arithmetic", "lmul,e4m3,row")


def test_neighbours_change_codes_and_leave_no_trace(folder: Path) -> None:
    model, tokenizer = models.load(str(folder))
    ids = torch.tensor([tokenizer(passage()[:300])["input_ids"]])

    def logits(number: int) -> torch.Tensor:
        with torch.no_grad(), neighbour(model, number):
            return model(ids).logits

    full = logits(0)
    moved = (logits(1) - full).abs().max()
    convert_(model, LMUL)
    own = logits(0)
    assert torch.equal(logits(1), logits(1))
    assert not torch.equal(logits(1), logits(2))
    assert 0 < moved < 1e-4
    assert (logits(1) - own).abs().max() > 20 * moved
    assert torch.equal(logits(0), own)


def test_a_group_is_the_samples_of_its_tasks(
    folder: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Group("all", aggregate_metric_list=[AggMetricConfig(metric="acc", weight_by_size=True)])
    for name, asked in (("first", slice(0, 2)), ("second", slice(2, 5))):
        group.add(local_task("lmul_questions", name, asked))
    monkeypatch.setattr(tasks, "load", lambda _: TaskManager(include_defaults=False).load([group]))
    words = ("--tasks", "lmul_questions", "--arithmetic", "lmul,e4m3,row", "--neighbours", 0)
    status, out, _ = run(folder, *words, "--json", "figures.json")
    assert status == 0
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    acc = {row["task"]: row for row in rows if (row["metric"], row["arithmetic"]) == ("acc", LMUL)}
    assert {name: row["inside"] for name, row in acc.items()} == {"first": True, "second": True, "all": False}
    changes = {name: row["difference"]["value"] for name, row in acc.items()}
    assert changes["all"] == pytest.approx((2 * changes["first"] + 3 * changes["second"]) / 5)
    assert "all: acc, 5 samples" in out
    assert "first" not in out


def test_a_task_that_generates(
    folder: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = local_task("lmul_questions", "said", slice(0, 2), GENERATED)
    monkeypatch.setattr(tasks, "load", lambda _: TaskManager(include_defaults=False).load([task]))
    words = ("--tasks", "lmul_questions", "--arithmetic", "lmul,e4m3,row", "--neighbours", 1)
    assert run(folder, *words, "--json", "figures.json")[0] == 0
    row = one(json.loads((tmp_path / "figures.json").read_text())["rows"], "exact_match", LMUL)
    assert (row["samples"], len(row["passes"]), row["difference"]["kind"]) == (2, 2, "minus full")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere/at/all",), "'nowhere/at/all' is no model that is here: name a folder"),
        (("missing.gguf",), "'missing.gguf' is no model that is here"),
        ((".",), "'.' has no config.json: name a folder as `save_pretrained` writes it"),
        (("FOLDER", "--tasks", "lmul_question"), "did you mean lmul_questions"),
        (("FOLDER", "--tasks", ","), "--tasks ',' names no task"),
        (("FOLDER", "--limit", 0), "--limit must be 1 or more, not 0"),
        (("FOLDER", "--batch-size", 0), "--batch-size must be 1 or more, not 0"),
        (("FOLDER", "--neighbours", -1), "--neighbours must be 0 or more, not -1"),
        (("FOLDER", "--arithmetic", "lmul,e4m3,nowhere"), "'nowhere' is no word of an arithmetic"),
        (("FOLDER", "--arithmetic", ""), "--arithmetic has no words: name one"),
        (("FOLDER", "--tasks", ""), "--tasks '' names no task"),
        (("FOLDER", "--output", "/dev/null/x"), "'/dev/null' is no directory"),
        (("FOLDER", "--tasks", "piqa"), "the data of task 'piqa' cannot be had"),
        (("nobody/nothing",), "find them in the cached files; name a folder"),  # Of several sentences one.
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_used_is_told_in_one_line(
    words: tuple[object, ...], said: str, folder: Path, run: Run, tmp_path: Path
) -> None:
    status, out, err = run(*(folder if word == "FOLDER" else word for word in words), "--json", "x.json")
    assert (status, out) == (2, "")
    (line,) = [line for line in err.splitlines() if not line.endswith("...")]
    assert line.startswith("lmul: ")
    assert said in line
    assert not (tmp_path / "x.json").exists()


def test_damaged_weights_are_told_in_one_line(folder: Path, run: Run, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(
            path.read_bytes()[: 1000 if path.suffix == ".safetensors" else None]
        )
    status, _, err = run(tmp_path)
    assert status == 2
    assert "cannot be loaded" in err.splitlines()[-1]


def test_the_paper_s_tasks_are_known_to_the_harness() -> None:
    assert tasks.names(["paper", "lmul_passage", "piqa"]) == [*tasks.PAPER, "lmul_passage"]


def test_questions_are_those_of_the_package() -> None:
    task = tasks.load("lmul_questions")["tasks"]["lmul_questions"]
    documents = list(task.test_docs())
    assert len(documents) == len(questions())
    for document, question in zip(documents, questions(), strict=True):
        assert task.doc_to_text(document) == question.prompt
        assert task.doc_to_choice(document) == list(question.choices)
        assert task.doc_to_target(document) == question.answer


def test_pieces_are_the_whole_text() -> None:
    found = tasks.pieces(passage())
    assert " ".join(found).split() == passage().split()
    assert [len(piece.split()) for piece in found[:-1]] == [tasks.PIECE_WORDS] * (len(found) - 1)
    assert len(found) == math.ceil(len(passage().split()) / tasks.PIECE_WORDS)


def plain(values: list[float]) -> Samples:
    return Samples(np.array(values), np.ones(len(values)))


def test_interval_of_one_pass_is_student_s_of_the_paired_differences() -> None:
    found = paired([plain([1.1, 2.3, 3.2, 4.4])], plain([1.0, 2.0, 3.0, 4.0]))
    # Differences .1 .3 .2 .4: mean .25, deviation .12910, and 3.182 of it over the root of 4.
    assert (found.kind, found.value) == ("minus full", pytest.approx(0.25))
    assert found.half_width == found.sampling == pytest.approx(0.20540, abs=1e-5)


def test_spread_of_passes_is_student_s_of_their_means() -> None:
    found = paired([plain([1.0, 1.0]), plain([2.0, 2.0]), plain([3.0, 3.0])], plain([0.0, 0.0]))
    # Means 1 2 3: deviation 1, and 4.303 of it over the root of 3.
    assert (found.value, found.sampling) == (pytest.approx(2.0), pytest.approx(0.0))
    assert found.half_width == found.spread == pytest.approx(2.48434, abs=1e-5)
    both = paired([plain([0.0, 2.0]), plain([1.0, 3.0])], plain([0.0, 0.0]))
    assert both.half_width == pytest.approx(math.hypot(12.706, 12.706 * math.sqrt(0.5) / math.sqrt(2)))


def test_weighted_differences_are_those_of_a_ratio() -> None:
    weights = np.array([1.0, 3.0])
    reference = Samples(np.zeros(2), weights, logarithmic=True)
    alike = paired([Samples(np.array([0.1, 0.3]), weights, logarithmic=True)], reference)
    assert (alike.kind, alike.value) == ("x full", pytest.approx(math.exp(0.1)))
    assert alike.half_width == pytest.approx(0.0, abs=1e-12)
    other = paired([Samples(np.array([0.3, 0.1]), weights, logarithmic=True)], reference)
    # Off by .2 and -.2 from .1 a unit of weight: 12.706 sqrt(2 (.04 + .04)) / 4.
    assert other.half_width == pytest.approx(math.exp(0.1) * 12.706 * 0.4 / 4)


def test_shares_without_a_change_have_an_interval() -> None:
    same = plain([0.0, 1.0, 1.0, 0.0])
    assert paired([same, same], same).half_width == pytest.approx(3.182 * math.sqrt(4 / 3) / 4)
    assert paired([plain([0.5] * 4)], plain([0.5] * 4)).half_width == 0


@pytest.mark.parametrize("count", [2, 3, 4])
def test_interval_holds_every_pass(count: int) -> None:
    means = [0.0] * (count - 1) + [1.0]  # None can be farther from the others.
    found = paired([plain([mean] * 5) for mean in means], plain([0.0] * 5))
    assert max(abs(mean - found.value) for mean in means) < found.half_width


def test_one_sample_says_nothing() -> None:
    assert paired([plain([1.0])], plain([0.0])).half_width == math.inf


def results(metric: str, told: object, *tasks_: list[object]) -> dict[str, Any]:
    """Give results of a group of tasks, by the values of their samples."""
    samples = {
        f"t{i}": [{"filter": "none", metric: value} for value in found] for i, found in enumerate(tasks_)
    }
    return {
        "results": {"group": {f"{metric},none": told}},
        "group_subtasks": {"group": ["inner"], "inner": list(samples)},
        "samples": samples,
    }


def test_samples_are_what_the_harness_s_figure_is_made_of() -> None:
    found = samples_of(results("acc", 0.75, [1, 0, 1], [1.0]), "group", "acc,none")
    assert found is not None
    assert (found.values.tolist(), found.metric) == ([1, 0, 1, 1], 0.75)
    likelihoods = [(-6.0, 2), (-4.0, 3)]
    words = samples_of(results("word_perplexity", math.exp(2), likelihoods), "group", "word_perplexity,none")
    assert words is not None
    assert (words.values.tolist(), words.weights.tolist(), words.logarithmic) == ([6, 4], [2, 3], True)
    bits = samples_of(results("bits_per_byte", 2 / math.log(2), likelihoods), "group", "bits_per_byte,none")
    assert bits is not None
    assert not bits.logarithmic


def test_metrics_that_are_no_mean_have_no_difference() -> None:
    assert samples_of(results("acc", 0.5, [1, 0, 1], [1.0]), "group", "acc,none") is None
    assert samples_of(results("f1", 0.5, [(1, 0), (1, 1)]), "group", "f1,none") is None
    assert samples_of(results("text", 0.5, ["a", "b"]), "group", "text,none") is None
    assert list(members(results("acc", 0.5, [1], [0]), "group")) == ["t0", "t1"]
