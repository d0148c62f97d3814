"""The scripts that train: the same losses every time, kept, gone on with, and told with their intervals."""

import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean, stdev
from types import ModuleType
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from lmul.errors import UserError  # noqa: E402
from tests.support.paths import EXAMPLES  # noqa: E402
from tests.support.torch_models import VOCABULARY, small_model  # noqa: E402

TINY = [
    *("--steps", "6", "--layers", "1", "--hidden", "24", "--batch", "16"),
    *("--context", "32", "--every", "3", "--rate", "1e-2"),
]
WAYS = ("lmul,e4m3,row", "addm,e4m3,row/exact,e5m2xe4m3,row")

Run = Callable[..., tuple[Any, str]]


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """Import the scripts as Python does that runs them."""
    sys.path.insert(0, str(EXAMPLES / "training"))
    try:
        yield {name: importlib.import_module(name) for name in ("runs", "train", "finetune")}
    finally:
        sys.path.remove(str(EXAMPLES / "training"))


@pytest.fixture
def run(
    scripts: dict[str, ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a script; give the figures that it writes, and what it prints."""

    def call(name: str, build: str, *arguments: str) -> tuple[Any, str]:
        figures = tmp_path / "figures.json"
        places = ("--build", str(tmp_path / build), "--json", str(figures))
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments, *places])
        scripts[name].main()
        return json.loads(figures.read_text()), capsys.readouterr().out

    return call


def test_training_gives_the_same_losses_again_and_they_fall(run: Run) -> None:
    found, told = run("train", "first", *TINY, "--seeds", "1", "2", "--arithmetics", *WAYS)
    again, _ = run("train", "second", *TINY, "--seeds", "2", "--arithmetics", *WAYS)
    assert [row["arithmetic"] for row in found["rows"]] == ["bf16", *WAYS]
    curves = [[each["curve"] for each in row["runs"]] for row in found["rows"]]
    assert [row[1] for row in curves] == [row["runs"][0]["curve"] for row in again["rows"]]
    assert all(curve["6"] < curve["3"] for row in curves for curve in row)
    # Other seeds and other arithmetics have other losses.
    assert len({curve["6"] for row in curves for curve in row}) == 6
    for row in found["rows"][1:]:
        final, wanted = ([each["curve"]["6"] for each in one["runs"]] for one in (row, found["rows"][0]))
        assert row["loss"]["value"] == pytest.approx(mean(final))
        assert row["difference"]["value"] == pytest.approx(mean(final) - mean(wanted))
        pairs = [value - other for value, other in zip(final, wanted, strict=True)]
        assert row["difference"]["half_width"] == pytest.approx(12.706 * stdev(pairs) / 2**0.5)
    assert len(re.findall(r" \d\.\d+ ± \d\.\d+", told)) == 3
    assert len(re.findall(r" [+-]\d\.\d+ ± \d\.\d+", told)) == 2
    assert max(map(len, told.splitlines()[:-1])) <= 80


def test_training_goes_on_with_what_is_kept(
    run: Run, scripts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = run("train", "kept", *TINY, "--seeds", "1", "--arithmetics", WAYS[0])
    trained = []
    train = scripts["train"].train
    monkeypatch.setattr(scripts["train"], "train", lambda setup: trained.append(setup.seed) or train(setup))
    more, _ = run("train", "kept", *TINY, "--seeds", "1", "2", "--arithmetics", WAYS[0])
    assert trained == [2, 2]
    assert [row["runs"][0] for row in more["rows"]] == [row["runs"][0] for row in first["rows"]]
    run("train", "kept", *TINY, "--rate", "2e-2", "--seeds", "1", "--arithmetics", "bf16")
    assert trained == [2, 2, 1]


def test_words_that_are_unknown_are_told_before_any_work(
    run: Run, scripts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, work in (("train", "train"), ("finetune", "load")):
        monkeypatch.setattr(scripts[name], work, lambda *_: pytest.fail("work was done"))
        with pytest.raises(UserError, match="is no word of an arithmetic"):
            run(name, "none", "--arithmetics", "lmul,e4m3,rows")


@pytest.fixture
def small(scripts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the small model take the place of the language model."""
    model = small_model("llama")
    text = torch.randint(1, VOCABULARY, (400,), generator=torch.Generator().manual_seed(2))
    monkeypatch.setattr(scripts["finetune"], "load", lambda: (model, text))
    return model


TUNE = ["--steps", "5", "--context", "20", "--rate", "1e-2", "--every", "2", "--arithmetics", WAYS[0]]


def test_tuning_goes_on_from_its_checkpoint_to_the_same_losses(
    run: Run, small: Any, scripts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in small.state_dict().items()}
    whole, told = run("finetune", "whole", *TUNE)
    assert all(torch.equal(value, before[name]) for name, value in small.state_dict().items())
    step, made = scripts["finetune"].Tuning.step, []

    def counted(tuning: Any, batch: Any) -> None:
        made.append(tuning.done)
        if len(made) == 4:  # Two steps are kept, the third is not.
            raise KeyboardInterrupt
        step(tuning, batch)

    monkeypatch.setattr(scripts["finetune"].Tuning, "step", counted)
    with pytest.raises(KeyboardInterrupt):
        run("finetune", "again", *TUNE)
    again, _ = run("finetune", "again", *TUNE)
    assert made == [0, 1, 2, 3, 2, 3, 4, 0, 1, 2, 3, 4]
    assert again["rows"] == whole["rows"]
    made.clear()
    assert run("finetune", "again", *TUNE)[1].replace("again", "whole") == told
    assert not made


def test_tuned_losses_stand_beside_fp32_that_was_tuned_as_much(run: Run, small: Any) -> None:
    found, told = run("finetune", "build", *TUNE)
    plain, row = found["rows"]
    assert plain["tuned"]["difference"] == plain["untouched"]["difference"] == {"value": 0, "half_width": 0}
    assert plain["windows"]["tuned"] == plain["windows"]["tuned in fp32"] != plain["windows"]["untouched"]
    assert len({row[what]["loss"]["value"] for what in ("untouched", "tuned in fp32", "tuned")}) == 3
    gaps = [row[what]["loss"]["value"] - plain[what]["loss"]["value"] for what in ("untouched", "tuned")]
    assert row["tuned"]["difference"]["value"] == pytest.approx(gaps[1])
    assert row["closed"]["value"] == pytest.approx(1 - gaps[1] / gaps[0])
    assert told.count("±") == 8  # Three losses, three differences, what is closed, and the note.
    assert max(map(len, told.splitlines()[:-1])) <= 80


@pytest.mark.parametrize(
    ("value", "half_width", "told"),
    [
        (2.34567, 0.0123, "+2.35 ± 0.02"),
        (-0.0004, 0.0009, "-0.0004 ± 0.0009"),
        (53.2, 17.0, "+53 ± 17"),
        (2.34567, float("inf"), "+2.35 ± ?"),
        (0.0, 0.0, "+0"),
    ],
)
def test_values_have_no_more_digits_than_their_interval(
    scripts: dict[str, ModuleType], value: float, half_width: float, told: str
) -> None:
    assert scripts["runs"].Interval(value, half_width).told(signed=True) == told


def test_interval_of_a_ratio_is_that_of_a_mean_where_the_other_is_constant(
    scripts: dict[str, ModuleType],
) -> None:
    values = [1.0, 2.0, 4.0]
    found = scripts["runs"].ratio(values, [2.0] * 3)
    assert found.value == pytest.approx(mean(values) / 2)
    assert found.half_width == pytest.approx(4.303 * stdev(values) / 3**0.5 / 2)
