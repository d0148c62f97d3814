"""Steps that tensor cores gave: their files, and what a design's Verilog makes of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmul.cli import main
from lmul.design import LIMITS
from lmul.errors import UserError
from lmul.golden import Arithmetic, decode
from lmul.golden.sums.blocks.scales import Scales
from lmul.sim.stimulus.vectors import Steps, arithmetic, combinations, read_steps
from tests.support.golden.tensor_cores import MEASURED, MODELLED, called

FEW = 40
"""Steps of a quick run."""


def write(path: Path, *given: Steps) -> Path:
    """Write steps as an .npz file."""
    arrays = {f"{one.name}/{part}": getattr(one, part) for one in given for part in "abcd"}
    arrays |= {
        f"{one.name}/s{side}": getattr(one.scales, side) for one in given if one.scales for side in "ab"
    }
    np.savez(path, **arrays)
    return path


def few(name: str) -> Steps:
    """Give the first steps of a combination of the published model."""
    steps = read_steps(MODELLED, name)
    scales = steps.scales and Scales(steps.scales.a[:FEW], steps.scales.b[:FEW])
    return Steps(name, *(getattr(steps, part)[:FEW] for part in "abcd"), scales)


def drawn(name: str, lanes: int) -> Steps:
    """Draw steps of a unit as it was called, with what the golden model gives."""
    rng = np.random.default_rng(1)
    a, b = (rng.integers(0, 0x7F, (FEW, lanes)).astype(np.uint8) for _ in "ab")
    c = rng.integers(0, 1 << 32, FEW).astype(np.uint32)
    return Steps(name, a, b, c, called(Steps(name, a, b, c, c)))


def simulated(shared: Path, *words: str) -> int:
    """Run the command on steps."""
    return main(["sim", "dot", "--build", str(shared), *words])


def test_steps_of_the_published_model_are_those_of_the_verilog(
    tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, figures = few("v100-fp16/fp16"), tmp_path / "figures.json"
    file = write(tmp_path / "steps.npz", given, few("a100-fp16/bf16"))
    assert simulated(shared, "--acc", "v100", "--vectors", str(file), "--json", str(figures)) == 0
    out = capsys.readouterr().out
    assert f"addend.v: v100-fp16/fp16, {FEW} steps." in out
    assert "a100" not in out
    (row,) = json.loads(figures.read_text())["vectors"]
    assert row == {
        "combination": "v100-fp16/fp16",
        "design": "exact_fp16_dot4_acc_v100_out_raw_full_addend",
        **dict.fromkeys(("steps", "equal_to_given", "equal_to_model"), FEW),
    }
    given.d[7] ^= 1
    write(file, given)
    assert simulated(shared, "--acc", "fused:23", "--vectors", str(file), "--json", str(figures)) == 1
    assert "steps differ in v100-fp16/fp16" in capsys.readouterr().err
    (row,) = json.loads(figures.read_text())["vectors"]
    assert (row["equal_to_given"], row["equal_to_model"]) == (FEW - 1, FEW)


def test_steps_with_scales_are_those_of_the_verilog(
    tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "steps.npz", few("b200-mxfp8/e5m2"), few("b200-nvfp4/e2m1"))
    assert simulated(shared, "--vectors", str(file)) == 0
    out = capsys.readouterr().out
    assert f"scale_mx_addend.v: b200-mxfp8/e5m2, {FEW} steps." in out
    # Nothing in the library has 64 lanes.
    assert "nvfp4" not in out


def test_units_are_called_as_they_were_measured(tmp_path: Path, shared: Path) -> None:
    file = write(tmp_path / "steps.npz", drawn("ada/e4m3", 32), drawn("b200/e4m3", 4))
    assert simulated(shared, "--vectors", str(file)) == 0


def test_sum_that_was_added_afterwards_is_rounded_to_nearest() -> None:
    one = np.array([[0x38]], dtype=np.uint8)
    c = np.array([0x33C00000], dtype=np.uint32)  # 0.75 of the last place of 1.
    for name, wanted in (("b200/e4m3", 0x3F800001), ("b200-fp8/e4m3", 0x3F800000)):
        assert called(Steps(name, one, one, c, c)).tolist() == [wanted]


@pytest.mark.long
@pytest.mark.parametrize("file", [MODELLED, MEASURED], ids=["model", "measured"])
def test_every_step_is_that_of_the_verilog(file: Path, tmp_path: Path, shared: Path) -> None:
    if not file.is_file():
        pytest.skip("LMUL_VECTORS names no folder with silicon.npz")
    figures = tmp_path / "figures.json"
    assert simulated(shared, "--vectors", str(file), "--json", str(figures)) == 0
    rows = json.loads(figures.read_text())["vectors"]
    built = [name for name in combinations(file) if arithmetic(name).lanes <= LIMITS["lanes"]]
    assert [row["combination"] for row in rows] == built
    assert sum(row["steps"] for row in rows) == 1000 * len(rows)


def hexadecimal(codes: Any, own: Arithmetic) -> str:
    """Write codes as the texts have them: bits of fp32."""
    if own.format.name == "e8m10":
        bits = codes.astype(np.uint32) << 13
    else:
        bits = decode(codes, own.format).astype(np.float32).view(np.uint32)
    return "".join(" ".join(f"{code:08x}" for code in row) + "\n" for row in bits.tolist())


def write_texts(folder: Path, gpu: str, format_: str, steps: Steps) -> None:
    """Write steps as the repository of the measured ones does."""
    inside, own = folder / gpu / format_, arithmetic(steps.name)
    inside.mkdir(parents=True)
    for part in "ab":
        (inside / f"{part}_{gpu}_{format_}.txt").write_text(hexadecimal(getattr(steps, part), own))
    for part in "cd":
        lines = (f"{code:032b}\n" for code in getattr(steps, part).tolist())
        (inside / f"{part}_{gpu}_fp32.txt").write_text("".join(lines))


@pytest.mark.parametrize(
    ("gpu", "format_", "lanes"),
    [("A2", "tf32", 4), ("L40S", "E5M2", 32), ("B200", "bf16", 16), ("H200", "E4M3", 32)],
)
def test_texts_hold_the_steps_of_gpus_alike(gpu: str, format_: str, lanes: int, tmp_path: Path) -> None:
    name = f"{gpu}/{format_}".lower()
    rng, own = np.random.default_rng(1), arithmetic(name).format
    a, b = (rng.integers(0, own.largest_finite, (9, lanes)) for _ in "ab")
    c, d = (rng.integers(0, 1 << 32, 9).astype(np.uint32) for _ in "cd")
    write_texts(tmp_path, gpu, format_, Steps(name, a, b, c, d))
    assert combinations(tmp_path) == [name]
    found = read_steps(tmp_path, name)
    assert np.array_equal(found.a, a)
    assert np.array_equal(found.b, b)
    assert np.array_equal(found.d, d)
    # The programs of Hopper's called it without.
    assert np.array_equal(found.c, 0 * c if gpu == "H200" else c)


def test_operands_of_texts_are_converted_as_on_the_gpu(tmp_path: Path) -> None:
    codes = np.full((1, 4), 0x38, dtype=np.uint8)
    one = np.zeros(1, dtype=np.uint32)
    write_texts(tmp_path, "Ada", "E4M3", Steps("ada/e4m3", codes, codes, one, one))
    (tmp_path / "Ada/E4M3/a_Ada_E4M3.txt").write_text("3f880000 3f980000 47000000 7f800000\n")
    assert read_steps(tmp_path, "ada/e4m3").a.tolist() == [[0x38, 0x3A, 0x7E, 0x7E]]


def test_files_that_are_no_steps_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "steps.npz"
    with pytest.raises(UserError, match=r"No such file.*NAME/FORMAT"):
        combinations(file)
    file.write_text("steps")
    with pytest.raises(UserError, match=r"not a whole \.npz file"):
        combinations(file)
    np.savez(file, a=np.zeros(3))
    with pytest.raises(UserError, match="no steps of tensor cores"):
        combinations(file)
    np.savez(file, **{"h100/e4m3/a": np.zeros((2, 4), np.uint8)})
    with pytest.raises(UserError, match="h100/e4m3 lacks an array"):
        read_steps(file, "h100/e4m3")
    given = few("h100-fp8/e4m3")
    write(file, Steps("h100/e4m3", given.a, given.b[:, 1:], given.c, given.d))
    with pytest.raises(UserError, match="has shapes"):
        read_steps(file, "h100/e4m3")
    write(file, Steps("mi300/e4m3", given.a, given.b, given.c, given.d))
    with pytest.raises(UserError, match="of no unit that is known: it must be one of h100"):
        read_steps(file, "mi300/e4m3")
    write(file, Steps("h100/e2m1", given.a, given.b, given.c, given.d))
    with pytest.raises(UserError, match="not for e2m1"):
        read_steps(file, "h100/e2m1")


@pytest.mark.parametrize(
    ("text", "words"),
    [("3f80000g\n", "line 1 is '3f80000g': wanted hexadecimal"), ("\n", "is empty"), ("1 2\n3\n", "line 2")],
)
def test_texts_that_hold_no_numbers_are_refused(text: str, words: str, tmp_path: Path) -> None:
    one, code = np.zeros(1, dtype=np.uint32), np.array([[0x38]], dtype=np.uint8)
    write_texts(tmp_path, "B200", "E4M3", Steps("b200/e4m3", code, code, one, one))
    (tmp_path / "B200/E4M3/b_B200_E4M3.txt").write_text(text)
    with pytest.raises(UserError, match=words):
        read_steps(tmp_path, "b200/e4m3")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--mul", "lmul"], "--mul beside --vectors must be exact, or left out"),
        (["--pauses"], "--pauses means nothing beside --vectors"),
        (["--acc", "h100", "--lanes", "8"], "has no steps of such a design: it has v100-fp16/fp16"),
        (["--acc", "fused:3"], "F must be from 4 to 40"),
    ],
)
def test_what_means_nothing_to_steps_is_refused(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "steps.npz", few("v100-fp16/fp16"))
    assert simulated(tmp_path, *words, "--vectors", str(file)) == 2
    assert told in capsys.readouterr().err
    assert main(["sim", "array", "--vectors", str(file)]) == 2
    assert "--vectors means nothing to array: it is for dot" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["steps.npz"]
