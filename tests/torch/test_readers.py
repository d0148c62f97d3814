"""A model of transformers reads what SmolLM2 reads by NumPy: near logits, the same bits of every product."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from lmul.cli import main  # noqa: E402
from lmul.errors import UserError  # noqa: E402
from lmul.llm.evaluation import answer, pack_questions, read  # noqa: E402
from lmul.llm.generation import continuations  # noqa: E402
from lmul.llm.products.host import SchemeMatmul, Weights  # noqa: E402
from lmul.llm.readers.reader import NumpyReader  # noqa: E402
from lmul.llm.readers.torch import TorchModel, TorchReader  # noqa: E402
from lmul.scheme import parse_scheme  # noqa: E402
from lmul.torch import convert_, matmul  # noqa: E402
from lmul.torch.observer import observing  # noqa: E402
from lmul.workloads import smollm2  # noqa: E402
from lmul.workloads.texts import Question  # noqa: E402
from tests.support.llm import scheme_of, tiny_model  # noqa: E402
from tests.support.torch_models import (  # noqa: E402
    as_transformers,
    byte_tokenizer,
    small_model,
    tokens,
    write_folder,
)

WORDS = "lmul,e4m3,row"

PROMPT = "some text to read"

ASKED = [Question("aa", ("b", "ccc", "dd", "e"), 1), Question("long prompt", ("x", "y", "zz", "w"), 0)]


def readers(words: str = "full", start: int | None = None) -> tuple[NumpyReader, TorchReader]:
    """Give the same tiny model by NumPy and by PyTorch."""
    model, scheme = tiny_model(), parse_scheme(words)
    by_torch = TorchReader(as_transformers(model), byte_tokenizer(start), scheme)
    return NumpyReader(model, SchemeMatmul(scheme, Weights())), by_torch


def largest_difference(found: Any, wanted: Any) -> float:
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def test_logits_in_full_precision_differ_by_less_than_a_hundred_thousandth() -> None:
    by_numpy, by_torch = readers()
    text = by_numpy.encode(PROMPT)
    assert np.array_equal(by_torch.encode(PROMPT), text)
    assert largest_difference(by_torch.logits(text), by_numpy.logits(text)) < 1e-5


def test_logits_under_an_arithmetic_differ_less_than_they_do_from_full_precision() -> None:
    by_numpy, by_torch = readers(WORDS)
    text = by_numpy.encode(PROMPT)
    wanted, found = by_numpy.logits(text), by_torch.logits(text)
    full = readers()[1].logits(text)
    assert largest_difference(found, wanted) < 0.02 < largest_difference(found, full)


def test_products_have_the_bits_of_numpys_for_the_operands_that_pytorch_had() -> None:
    model = convert_(as_transformers(tiny_model()), WORDS)
    seen: list[tuple[Any, ...]] = []
    with torch.no_grad(), observing(lambda *product: seen.append(product[1:])):
        model(torch.from_numpy(readers()[0].encode(PROMPT))[None])
    multiply = SchemeMatmul(scheme_of(WORDS), Weights())
    assert len(seen) == 2 * (7 + 2) + 1
    for number, (name, a, b, result) in enumerate(seen):
        wanted = multiply(f"{number}.{name}", a.numpy(), b.detach().numpy())
        assert np.array_equal(result.numpy(), wanted.astype(np.float32)), number


def test_products_have_the_bits_of_pytorchs_for_the_operands_that_numpy_had() -> None:
    by_numpy, _ = readers(WORDS)
    found = []

    def spy(name: str, a: smollm2.Array, b: smollm2.Array) -> smollm2.Array:
        wanted = by_numpy.matmul(name, a, b)
        product = matmul(*(torch.from_numpy(x.astype(np.float32)) for x in (a, b)), WORDS)
        found.append(np.array_equal(product.numpy(), wanted.astype(np.float32)))
        return wanted

    smollm2.forward(by_numpy.model, by_numpy.encode(PROMPT), spy)
    assert found == [True] * (2 * (7 + 2) + 1)


def test_questions_are_laid_out_as_by_numpy() -> None:
    by_numpy, by_torch = readers()
    (pack,) = pack_questions(by_torch, ASKED)
    wanted = by_numpy.logits(pack.tokens, pack.layout)
    assert largest_difference(by_torch.logits(pack.tokens, pack.layout), wanted) < 1e-5
    assert largest_difference(by_torch.logits(pack.tokens), wanted) > 1e-2
    found, expected = (answer(reader, ASKED, lambda *_: None) for reader in (by_torch, by_numpy))
    assert found.tolist() == expected.tolist()


def test_what_a_tokenizer_begins_with_comes_in_front_and_is_not_predicted() -> None:
    plain, begun = readers()[1], readers(start=7)[1]
    text = plain.encode(PROMPT)
    assert np.array_equal(begun.encode(PROMPT), text)
    whole = plain.logits(np.concatenate([[7], text]))[1:]
    np.testing.assert_allclose(begun.logits(text), whole, rtol=1e-5, atol=1e-5)
    layout = smollm2.plain_layout(len(text))
    np.testing.assert_allclose(begun.logits(text, layout), whole, rtol=1e-5, atol=1e-5)


def test_readings_are_numpys() -> None:
    by_numpy, by_torch = readers()
    text = np.arange(600) * 7 % 256
    wanted, found = (read(reader, text, lambda *_: None) for reader in (by_numpy, by_torch))
    np.testing.assert_allclose(found.surprises, wanted.surprises, rtol=1e-4)
    assert np.array_equal(found.guesses, wanted.guesses)


def test_continuations_convert_the_model_for_their_own_tokens_alone() -> None:
    model, tokenizer = as_transformers(tiny_model()), byte_tokenizer()
    full, chosen = (TorchReader(model, tokenizer, scheme) for scheme in (None, scheme_of(WORDS)))
    steps = list(continuations(full, chosen, "ab", 4))
    assert [step.full for step in steps] == [step.full for step in continuations(full, full, "ab", 4)]
    assert [step.chosen for step in steps] == [step.full for step in continuations(chosen, full, "ab", 4)]
    assert "lmul" not in str(model)
    assert model.config._attn_implementation != "lmul"


def test_logits_that_are_not_finite_and_texts_that_are_too_long_are_told() -> None:
    _, reader = readers("exact,e5m2,acc=fp16")
    with pytest.raises(UserError, match="not finite under exact,e5m2,all,acc=fp16: take an accumulator"):
        reader.logits(np.arange(40))
    with pytest.raises(UserError, match="reads at most 1024 tokens at once: 1025 are too many"):
        reader.logits(np.zeros(1025, np.int64))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models") / "tiny"
    return write_folder(place, as_transformers(tiny_model()), byte_tokenizer())


def test_command_reads_with_the_model_of_a_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lmul.commands.llm.questions", lambda: ASKED)
    words = ["llm", "--model", str(folder), "--tokens", "40", "--questions", "--arithmetic", WORDS]
    assert main([*words, "--json", "found.json"]) == 0
    shown = capsys.readouterr()
    assert "tiny (PyTorch)" in shown.out
    assert "PyTorch's float32" in shown.out
    assert "Loading weights" not in shown.err
    (row,) = json.loads(Path("found.json").read_text())
    assert row["left_range"] is None
    assert row["right"]["value"] in (0, 0.5, 1)
    # The second time from what is kept.
    monkeypatch.setattr("lmul.llm.readers.torch.load", None)
    assert main([*words, "--json", "again.json"]) == 0
    assert Path("again.json").read_bytes() == Path("found.json").read_bytes()


def test_command_continues_with_the_model_of_a_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["continue", "ab", "--model", str(folder), "--tokens", "3", "--arithmetic", WORDS]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0].split() == ["full", "precision", WORDS]
    assert "PyTorch's float32" in shown.out
    assert shown.err.splitlines() == ["Loading the language model ..."]


def test_kept_readings_are_those_of_the_weights(folder: Path, tmp_path: Path) -> None:
    key = TorchModel(str(folder)).key()
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert TorchModel(str(copy)).key() == key
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"1")
    assert TorchModel(str(copy)).key() != key


def test_a_model_that_is_not_there_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["llm"], ["continue", "ab"]):
        assert main([*command, "--model", "nowhere/at/all"]) == 2
        (line,) = (line for line in capsys.readouterr().err.splitlines() if not line.endswith("..."))
        assert "'nowhere/at/all' is no model that is here" in line


@pytest.mark.parametrize("family", ["gpt2", "opt", "gemma2", "mistral"])
def test_models_of_other_families_take_layouts_too(family: str) -> None:
    model, text = small_model(family), tokens(6, batch=1)[0].numpy()  # No more than a sliding window has.
    reader = TorchReader(model, byte_tokenizer(), scheme_of(WORDS))
    np.testing.assert_allclose(
        reader.logits(text, smollm2.plain_layout(len(text))), reader.logits(text), rtol=1e-5, atol=1e-5
    )
