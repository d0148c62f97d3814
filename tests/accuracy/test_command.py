"""`lmul error`: tables, files and pictures, and one line for whatever cannot be used."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmul.accuracy.plot import error_square, picture_mantissas, plot_errors
from lmul.accuracy.products import code_errors, multipliers
from lmul.commands.error import run_error
from lmul.errors import UserError
from lmul.golden import E4M3, find_format

DEFAULTS: dict[str, Any] = {
    "format": "e4m3",
    "operands": None,
    "scaling": None,
    "codes": False,
    "rounding": "nearest",
    "length": 64,
    "json": None,
    "plot": None,
    "claims": False,
}


def run(**options: Any) -> int:
    return run_error(argparse.Namespace(**DEFAULTS | options))


def save(path: Path, a: Any, b: Any) -> Path:
    np.savez(path, a=np.asarray(a, dtype=np.float32), b=np.asarray(b, dtype=np.float32))
    return path


def test_the_table_of_a_format_shows_every_multiplier_in_80_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run() == 0
    output = capsys.readouterr().out
    assert max(len(line) for line in output.splitlines()) <= 80
    for mul in multipliers(3):
        assert sum(line.split()[:1] == [mul] for line in output.splitlines()) == 4
    mitchell = next(line for line in output.splitlines() if line.startswith(" mitchell"))
    assert mitchell.split() == ["mitchell", "-3.78", "3.78", "4.93", "-11.11", "41"]


def test_json_holds_the_figures_of_the_table(tmp_path: Path) -> None:
    assert run(json=tmp_path / "out" / "error.json", format="e5m2", rounding="truncate") == 0
    report = json.loads((tmp_path / "out" / "error.json").read_text())
    assert (report["format"], report["rounding"], report["length"]) == ("e5m2", "truncate", 64)
    assert report["codes"]["lmul"]["errors"]["mean"] == code_errors("lmul", 2).errors.mean
    assert set(report["operands"]) == {"uniform", "gaussian"}
    assert set(report["dots"]) == {"gaussian", "same_sign"}
    assert report["expected_means"]["lmul"] == pytest.approx(report["codes"]["lmul"]["errors"]["mean"])


def test_operands_of_a_file_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path / "mine.npz", [[448.0, 240.0], [0.0, 1e-9]], [[448.0], [1.0]])
    assert run(operands=path, json=tmp_path / "mine.json") == 0
    assert "3 of 4 products" in capsys.readouterr().out
    report = json.loads((tmp_path / "mine.json").read_text())
    assert report["shape"] == [2, 2, 1]
    assert (report["products"]["zeros"], report["products"]["flushed"]) == (1, 1)
    assert report["products"]["errors"]["exact"]["mean"] == pytest.approx(-1 / 3)


def test_figures_that_are_no_numbers_are_null(tmp_path: Path) -> None:
    path = save(tmp_path / "zero.npz", [[1.0, 1.0]], [[1.0], [-1.0]])
    assert run(operands=path, json=tmp_path / "zero.json") == 0
    assert json.loads((tmp_path / "zero.json").read_text())["dots"]["lmul"]["bias"] is None


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_picture_is_written_whole_and_the_same_every_time(suffix: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    plot_errors(E4M3, first)
    plot_errors(E4M3, second)
    magic = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    assert first.read_bytes().startswith(magic)
    assert first.read_bytes() == second.read_bytes()
    assert b"Date" not in first.read_bytes()
    assert b":date>" not in first.read_bytes()
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_the_picture_shows_the_errors_of_all_mantissas() -> None:
    for mul in multipliers(3):
        square = error_square(picture_mantissas(3), mul, 3)
        assert square.shape == (8, 8)
        assert np.mean(square) == pytest.approx(100 * code_errors(mul, 3).errors.mean)


@pytest.mark.parametrize("bits", [9, 23])
def test_the_picture_of_a_wide_format_spans_all_mantissas(bits: int) -> None:
    mantissa = picture_mantissas(bits)
    part = (1 << bits) // 256
    assert np.array_equal(mantissa // part, np.arange(256))
    square = error_square(mantissa, "mitchell", bits)
    assert np.mean(square) == pytest.approx(-3.85, abs=0.1)


def test_products_that_are_all_exact_have_no_error(tmp_path: Path) -> None:
    operands = save(tmp_path / "ones.npz", np.ones((4, 4)), np.full((4, 4), 0.1))
    assert run(operands=operands, json=tmp_path / "error.json") == 0
    sums = json.loads((tmp_path / "error.json").read_text())["products"]["errors"]
    assert sums["exact"]["rms"] == 0


def test_integers_err_by_quantisation_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(format="int8", length=64, json=tmp_path / "error.json") == 0
    report = json.loads((tmp_path / "error.json").read_text())
    assert (report["format"], report["codes"], report["operands"]) == ("int8", {}, {})
    assert 0.001 < report["dots"]["gaussian"]["exact"]["noise"] < 0.02
    assert capsys.readouterr().out.startswith("int8: products are whole, and exact.")
    whole = save(tmp_path / "whole.npz", np.array([[127.0, -3.0]]), np.array([[-127.0], [64.0]]))
    for codes in (False, True):
        assert run(format="int8", operands=whole, json=tmp_path / "error.json", codes=codes) == 0
        errors = json.loads((tmp_path / "error.json").read_text())["products"]["errors"]
        assert errors["exact"]["rms"] == 0
        np.savez(whole, a=np.array([[127, -3]], np.int8), b=np.array([[129], [64]]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "int8", "plot": Path("error.png")}, ["--plot", "int8", "leave it out"]),
        ({"format": "e9m9"}, ["format 'e9m9'", "e4m3"]),
        ({"length": 0}, ["--length", "from 1 to 65536", "0"]),
        ({"length": 65537}, ["--length", "from 1 to 65536", "65537"]),
        ({"plot": Path("error.gif")}, ["--plot", "error.gif", ".png", ".svg", ".pdf"]),
        ({"plot": Path("error")}, ["--plot", ".png"]),
        ({"operands": Path("missing.npz")}, ["missing.npz", ".npz"]),
        (
            {"operands": Path("missing.npz"), "scaling": "column"},
            ["--scaling", "column", "tensor, row, block"],
        ),
        ({"operands": Path("missing.npz"), "scaling": "row", "codes": True}, ["--scaling", "--codes"]),
        ({"scaling": "row"}, ["--scaling", "--operands"]),
        ({"codes": True}, ["--codes", "--operands"]),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(
    options: dict[str, Any], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as refusal:
        run(json=Path("error.json"), **options)
    message = str(refusal.value)
    assert "\n" not in message
    assert all(word in message for word in words), message
    assert list(tmp_path.iterdir()) == []


def test_every_pair_of_a_file_has_its_table_and_its_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = np.random.default_rng(1).normal(size=(2, 3, 40))
    np.savez(tmp_path / "mine.npz", q_a=a, q_b=a[0].T, k_a=a[0], k_b=a[1].T)
    assert run(operands=tmp_path / "mine.npz", json=tmp_path / "mine.json", scaling="block") == 0
    found = json.loads((tmp_path / "mine.json").read_text())
    assert [report["name"] for report in found] == ["mine.q[0]", "mine.q[1]", "mine.k"]
    assert all(report["scaling"] == "block" for report in found)
    output = capsys.readouterr().out
    assert all(f"{report['name']}: 3 x 40 by" in output for report in found)


def test_finer_scales_and_codes_change_the_errors_as_they_should(tmp_path: Path) -> None:
    a = np.random.default_rng(1).normal(size=(4, 64))
    a[0] *= 2.0**12
    a[:, :32] *= 2.0**9
    path, noise = save(tmp_path / "mine.npz", a, a.T), {}
    for scaling in ("tensor", "row", "block"):
        assert run(operands=path, json=tmp_path / "mine.json", scaling=scaling) == 0
        report = json.loads((tmp_path / "mine.json").read_text())
        noise[scaling] = report["products"]["errors"]["exact"]["rms"]
    assert noise["block"] < noise["row"] < noise["tensor"]
    np.savez(path, a=np.array([[0x38, 0x40]]), b=np.array([[0x38], [0x41]]))
    assert run(operands=path, json=tmp_path / "mine.json", codes=True) == 0
    assert json.loads((tmp_path / "mine.json").read_text())["products"]["errors"]["exact"]["rms"] == 0


def test_operands_whose_products_are_all_zero_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "zeros.npz", np.zeros((2, 3)), np.ones((3, 2)))
    with pytest.raises(UserError, match=r"zeros\.npz.*zero"):
        run(operands=path)


def test_a_picture_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "error.png").mkdir()
    for path in (tmp_path / "file" / "error.png", tmp_path / "error.png"):
        with pytest.raises(UserError, match="cannot write"):
            plot_errors(find_format("e2m1"), path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["error.png", "file"]
