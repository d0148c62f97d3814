"""The five lines of the README, and the blocks of docs/pytorch.md, run as they stand on a small model."""

import re
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from lmul.scheme import parse_scheme  # noqa: E402
from tests.support.llm import tiny_model  # noqa: E402
from tests.support.paths import ROOT  # noqa: E402
from tests.support.project.documents import DOCUMENTS, PYTORCH, blocks, needs_torch  # noqa: E402
from tests.support.torch_models import as_transformers, byte_tokenizer, write_folder  # noqa: E402

FIVE = blocks(PYTORCH)[0]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be where there is a folder called MODEL."""
    monkeypatch.chdir(tmp_path)
    return write_folder(tmp_path / "MODEL", as_transformers(tiny_model()), byte_tokenizer())


def run(block: str, names: dict[str, Any]) -> None:
    exec(compile(block, "document", "exec"), names)  # noqa: S102


def test_readme_has_the_same_five_lines_and_no_other_block_needs_pytorch() -> None:
    elsewhere = [block for path in DOCUMENTS if path != PYTORCH for block in blocks(path)]
    assert [block for block in elsewhere if needs_torch(ROOT, block)] == [FIVE]
    assert len([line for line in FIVE.splitlines() if line]) == 5
    assert FIVE in blocks(ROOT / "README.md")


def test_words_of_the_table_are_arithmetics() -> None:
    words = re.findall(r"^\| `([^`]+)` \|", PYTORCH.read_text(), re.MULTILINE)
    assert len(words) >= 5
    assert all(parse_scheme(text) for text in words)


def test_five_lines_convert_and_evaluate(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    run(FIVE, names)
    shown = capsys.readouterr().out
    plain = as_transformers(tiny_model())
    with torch.no_grad():
        wanted, full = (model(names["text"], labels=names["text"]).loss for model in (names["model"], plain))
    assert shown.startswith(f"tensor({wanted:.4f}")
    assert abs(float(wanted - full)) > 1e-3
    assert "lmul,e4m3,all,row" in str(names["model"])


def test_blocks_of_the_page_go_on_from_the_five_lines(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harness = "lm_eval"
    found = blocks(PYTORCH)
    names: dict[str, Any] = {"torch": torch}
    for block in found:
        if harness not in block:
            run(block, names)
    shown = capsys.readouterr().out
    assert "model.layers.0-1.mlp.up_proj" in shown  # Of the summary.
    assert "model.layers.1.self_attn.qk" in shown  # Of the comparison.
    assert all(torch.isfinite(p.grad).all() for p in names["model"].parameters())
    assert "lmul" not in str(names["model"])
    assert harness in found[-1]


def test_harness_evaluates_the_converted_model(place: Path) -> None:
    pytest.importorskip("lm_eval")
    from lm_eval.api.instance import Instance

    names: dict[str, Any] = {}
    run(FIVE, names)
    run(blocks(PYTORCH)[-1], names)
    request = Instance("loglikelihood", {}, ("Paris is a", " city."), 0)
    ((found, _),) = names["harness"].loglikelihood([request], disable_tqdm=True)
    tokens = torch.tensor([list(b"Paris is a city.")])
    with torch.no_grad():
        logits = names["model"](tokens[:, :-1]).logits.log_softmax(-1)
    wanted = logits[0].gather(1, tokens[0, 1:, None])[-len(" city.") :].sum()
    assert found == pytest.approx(float(wanted), abs=1e-4)
