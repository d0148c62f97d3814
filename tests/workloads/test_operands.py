"""The captured tiles, what a user may give in their place, and (with the extra `llm`) the model itself."""

import hashlib
import importlib.resources
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lmul.errors import UserError
from lmul.golden import (
    E4M3,
    E5M2,
    SCALINGS,
    Arithmetic,
    Format,
    decode,
    encode,
    find_format,
    matmul,
    matmul_codes,
    quantise_factor,
)
from lmul.terminal.parser import run_tool
from lmul.workloads import Operands, capture, default_operands, load_operands, tile_names
from tests.support.llm import needs_llm

STORED = Path(str(importlib.resources.files("lmul.workloads"))) / "smollm2"
PROVENANCE = json.loads((STORED / "provenance.json").read_text())
MATRIX = np.arange(6.0).reshape(2, 3)


def test_tiles_cover_linear_layers_and_attention_early_middle_and_late() -> None:
    kinds = ("q_proj", "gate_proj", "down_proj", "qk", "pv")
    wanted = {f"layer{layer}.{kind}" for layer in (0, 15, 29) for kind in kinds}
    assert set(tile_names()) == wanted
    assert list(tile_names()) == sorted(wanted)


def test_tiles_fit_in_a_megabyte() -> None:
    assert sum(file.stat().st_size for file in STORED.iterdir()) <= 1_000_000


def test_default_operands_are_real_unquantised_float16_matrices() -> None:
    for operands in default_operands():
        assert operands.a.shape[1] == operands.b.shape[0]
        for array in (operands.a, operands.b):
            assert array.dtype == np.float32
            assert np.isfinite(array).all()
            assert np.array_equal(array, array.astype(np.float16))
            assert len(np.unique(array)) > 1000  # numbers quantised to 8 bits would have at most 256


def test_probability_tiles_are_probabilities_with_few_masked() -> None:
    for operands in default_operands():
        if operands.name.endswith("pv"):
            assert (operands.a >= 0).all()
            assert (operands.a.sum(axis=1) <= 1.001).all()
            assert np.mean(operands.a == 0) < 0.15


@pytest.mark.parametrize("name", tile_names())
def test_tiles_are_those_of_the_provenance(name: str) -> None:
    with np.load(STORED / f"{name}.npz", allow_pickle=False) as stored:
        for key in ("a", "b"):
            described = PROVENANCE["tiles"][name][key]
            assert stored[key].dtype == np.float16
            assert list(stored[key].shape) == described["shape"]
            assert hashlib.sha256(stored[key].astype("<f2").tobytes()).hexdigest() == described["sha256"]


def test_provenance_names_the_text_as_it_is() -> None:
    text = (STORED.parent / PROVENANCE["text"]).read_bytes()
    assert hashlib.sha256(text).hexdigest() == PROVENANCE["text_sha256"]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint8", ">f4"])
def test_numbers_of_any_width_are_accepted(tmp_path: Path, dtype: str) -> None:
    np.savez(tmp_path / "mine.npz", a=MATRIX.astype(dtype), b=MATRIX.T.astype(dtype))
    (operands,) = load_operands(tmp_path / "mine.npz")
    assert operands.name == "mine"
    assert operands.a.dtype == operands.b.dtype == np.float32
    assert np.array_equal(operands.a, MATRIX)
    assert np.array_equal(operands.b, MATRIX.T)


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, MATRIX)
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def a_with(value: float, dtype: str = "float32") -> bytes:
    a = np.ones((2, 3), dtype)
    a[1, 2] = value
    return npz(a=a, b=MATRIX.T)


def damaged() -> bytes:
    content = bytearray(npz(a=MATRIX, b=MATRIX.T))
    content[content.index(b"\x93NUMPY") + 140] ^= 0xFF  # inside the numbers of a: the checksum tells
    return bytes(content)


BAD_FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not a whole .npz"),
    "garbage": (lambda: b"a,b\n1,2\n", "not a whole .npz"),
    "truncated": (lambda: npz(a=MATRIX, b=MATRIX.T)[:-30], "not a whole .npz"),
    "npy": (npy, "single array"),
    "damaged": (damaged, "damaged"),
    "empty member": (lambda: zipped(a=b"", b=npy()), "array a is"),
    "text member": (lambda: zipped(a=b"1 2 3", b=npy()), "array a is"),
    "a cut short": (lambda: zipped(a=npy()[:-8], b=npy()), "damaged"),
    "no a": (lambda: npz(b=MATRIX), "lacks a"),
    "no b": (lambda: npz(a=MATRIX), "lacks b"),
    "neither": (lambda: npz(x=MATRIX, y=MATRIX), "lacks a and b; it holds ['x', 'y']"),
    "objects": (lambda: npz(a=np.array([[1, None]]), b=MATRIX), "Python objects"),
    "complex": (lambda: npz(a=MATRIX * 1j, b=MATRIX.T), "complex128"),
    "strings": (lambda: npz(a=np.array([["1", "2"]]), b=MATRIX), "type <U1"),
    "bool": (lambda: npz(a=MATRIX > 1, b=MATRIX.T), "type bool"),
    "dates": (lambda: npz(a=MATRIX.astype("datetime64[s]"), b=MATRIX.T), "datetime64"),
    "1-D": (lambda: npz(a=MATRIX[0], b=MATRIX.T), "1 dimension: "),
    "5-D": (lambda: npz(a=MATRIX, b=MATRIX.T[None, None, None]), "array b has 5 dimensions"),
    "batches": (
        lambda: npz(a=np.ones((2, 4, 3)), b=np.ones((3, 3, 4))),
        "a is 2 x 4 x 3 and b is 3 x 3 x 4: batches must be of one size, or of 1",
    ),
    "too many": (lambda: npz(a=np.ones((1, 4097, 1, 1)), b=np.ones((4097, 1, 1, 1))), "more than 4,096"),
    "NaN of a head": (
        lambda: npz(a=MATRIX[None], b=np.full((2, 3, 4), np.nan)),
        "array b: entry [0, 0, 0] is not",
    ),
    "half a pair": (lambda: npz(a=MATRIX, b=MATRIX.T, q_a=MATRIX), "lacks q_b"),
    "inner sizes of a pair": (lambda: npz(q_a=MATRIX, q_b=MATRIX), "a is 2 x 3 and b is 2 x 3"),
    "a pair of no name": (lambda: npz(_a=MATRIX, _b=MATRIX), "lacks a and b; it holds ['_a', '_b']"),
    "fp8 without a format": (lambda: npz(a=MATRIX.astype(ml_dtypes.float8_e4m3fn), b=MATRIX.T), "no type"),
    "records": (lambda: npz(a=np.zeros((2, 3), "u1,u1"), b=MATRIX.T), "of type"),
    "0-D": (lambda: npz(a=1.0, b=MATRIX), "0 dimensions"),
    "no rows": (lambda: npz(a=MATRIX[:0], b=MATRIX.T), "0 x 3"),
    "no inner": (lambda: npz(a=MATRIX[:, :0], b=MATRIX.T[:0]), "2 x 0"),
    "inner sizes": (lambda: npz(a=MATRIX, b=MATRIX), "a is 2 x 3 and b is 2 x 3"),
    "NaN": (lambda: a_with(np.nan), "array a: entry [1, 2] is not a number"),
    "infinity": (lambda: a_with(-np.inf), "entry [1, 2] is infinite"),
    "beyond float32": (lambda: a_with(1e39, "float64"), "beyond the range of float32"),
}


def load(tmp_path: Path, *formats: Format, codes: bool = False, **arrays: Any) -> dict[str, Operands]:
    np.savez(tmp_path / "mine.npz", **arrays)
    both = (formats[0], formats[-1]) if formats else None
    return {pair.name: pair for pair in load_operands(tmp_path / "mine.npz", formats=both, codes=codes)}


def test_batches_and_heads_are_products_of_their_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(3, 5, 6))
    found = load(tmp_path, a=a, b=b)
    assert list(found) == [f"mine[{batch},{head}]" for batch in range(2) for head in range(3)]
    assert np.array_equal(found["mine[1,2]"].a, a[1, 2].astype(np.float32))
    assert np.array_equal(found["mine[1,2]"].b, b[2].astype(np.float32))
    assert list(load(tmp_path, a=a[0], b=b[0])) == ["mine[0]", "mine[1]", "mine[2]"]


def test_pairs_are_named_after_what_their_arrays_have_in_common(tmp_path: Path) -> None:
    found = load(
        tmp_path, q_a=MATRIX, b=MATRIX.T, mask=[1], q_b=MATRIX.T, a=MATRIX, head_0_b=[[2]], head_0_a=[[1]]
    )
    assert list(found) == ["mine", "mine.q", "mine.head_0"]
    assert found["mine.head_0"].b == 2


@pytest.mark.parametrize(
    ("dtype", "format_"),
    [("bfloat16", "bf16"), ("float8_e4m3fn", "e4m3"), ("float8_e5m2", "e5m2"), ("float4_e2m1fn", "e2m1")],
)
def test_arrays_of_ml_dtypes_keep_their_bits(tmp_path: Path, dtype: str, format_: str) -> None:
    a = np.array([[1.0, 0.5, -2.0], [3.0, 0.0, 1.5]]).astype(getattr(ml_dtypes, dtype))
    wanted = find_format(format_)
    (pair,) = load(tmp_path, wanted, a=a, b=a.T).values()
    assert np.array_equal(pair.a, a.astype(np.float32))
    for codes, array in zip(pair.codes(wanted, wanted), (a, a.T), strict=True):
        assert np.array_equal(codes, np.ascontiguousarray(array).view(wanted.dtype))


def test_bf16_and_e5m2_arrays_are_numbers_to_other_formats(tmp_path: Path) -> None:
    a = np.array([[1.0, 0.5], [3.0, 96.0]])
    for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e5m2):
        (pair,) = load(tmp_path, E4M3, a=a.astype(dtype), b=a.astype(dtype)).values()
        assert pair.given == (None, None)
        assert np.array_equal(pair.a, a)


def test_codes_are_taken_as_they_are(tmp_path: Path) -> None:
    a, b = np.array([[0x38, 0x7F, 0xFE]]), np.array([[1], [0x80], [0x41]], np.uint8)
    (pair,) = load(tmp_path, E4M3, E5M2, codes=True, a=a, b=b).values()
    codes = pair.codes(E4M3, E5M2)
    assert np.array_equal(codes[0], a)
    assert np.array_equal(codes[1], b)
    assert pair.a[0, 0] == 1
    assert pair.b[2, 0] == 2.5


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (
            np.array([[1, 300]]),
            r"entry \[0, 1\] is no bit pattern of e4m3, 1 of 2 are: wanted integers from 0 to 255",
        ),
        (np.array([[-1, 2]]), "is no bit pattern of e4m3"),
        (np.array([[1.0, 2.0]]), "of type float64: bit patterns of e4m3 are integers, or 1 byte each"),
        (np.ones((1, 2)).astype(ml_dtypes.bfloat16), "bit patterns of e4m3 are integers, or 1 byte each"),
        (np.ones((1, 2)).astype(ml_dtypes.float8_e5m2), "float8_e5m2, no bit patterns of e4m3"),
    ],
)
def test_what_is_no_code_is_refused(tmp_path: Path, array: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        load(tmp_path, E4M3, codes=True, a=array, b=np.ones((2, 1), np.uint8))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_operands_are_scaled_as_the_golden_model_scales_them(scaling: str) -> None:
    rng = np.random.default_rng(1)
    pair = Operands("drawn", rng.normal(size=(3, 70)), rng.normal(size=(70, 2)), scaling)
    x, y = pair.quantised(E4M3, E5M2)
    found = sum(
        (decode(a, E4M3) * x.scales()[:, k : k + len(b)]) @ (decode(b, E5M2) * y.scales()[k : k + len(b)])
        for (a, b), k in zip(pair.products(E4M3, E5M2), range(0, 70, pair.longest_sum), strict=True)
    )
    spec = Arithmetic(format=E4M3, format_b=E5M2, mul="exact", acc="fixed:200:-100", out="raw")
    np.testing.assert_allclose(found, matmul(pair.a, pair.b, spec, scaling=scaling), rtol=1e-12)


def test_operands_have_the_scales_of_a_design_in_every_step() -> None:
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=(3, 70)), rng.normal(size=(70, 2))
    e2m1 = find_format("e2m1")
    spec = Arithmetic(format=e2m1, mul="exact", acc="fused:40", scale="nvfp4", lanes=32, subnormals="full")
    a, b, scales = Operands("drawn", *numbers).scaled(spec)
    # Three steps of two blocks: the last one lacks a block.
    assert scales.a.shape == (3, 6) and not scales.a[:, 5].any() and not scales.b[5].any()
    x, y = (quantise_factor(real, side, spec, "nearest", "nvfp4") for side, real in enumerate(numbers))
    sums = matmul_codes(a, b, spec, None, scales.a[:, :5], scales.b[:5]).values()
    np.testing.assert_array_equal(
        sums * x.tensor_scale * y.tensor_scale, matmul(*numbers, spec, scaling="nvfp4")
    )
    given = Operands("codes", *numbers, given=(encode(numbers[0], e2m1), None))
    assert np.all(given.scaled(spec)[2].a[:, :5] == encode(1.0, E4M3))
    with pytest.raises(ValueError, match="scaling must be nvfp4 with scale nvfp4, not row"):
        Operands("drawn", *numbers, scaling="row").scaled(spec)


def test_checksums_tell_scalings_and_codes_apart() -> None:
    codes = encode(MATRIX, E4M3), encode(MATRIX.T, E4M3)
    numbers = MATRIX.astype(np.float32), MATRIX.T.astype(np.float32)
    ways = [{"scaling": scaling} for scaling in SCALINGS] + [{"given": codes}, {"given": (codes[0], None)}]
    assert len({Operands("mine", *numbers, **way).checksum for way in ways}) == len(ways)  # type: ignore[arg-type]


def refusal(path: Path) -> str:
    """Check that a file is refused in one line, and nothing is written beside it; return the line."""
    before = sorted(path.parent.iterdir())
    with pytest.raises(UserError) as caught:
        load_operands(path)
    assert sorted(path.parent.iterdir()) == before
    line = str(caught.value)
    assert line
    assert "\n" not in line
    return line


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, case: str) -> None:
    make, complaint = BAD_FILES[case]
    (tmp_path / "mine\n.npz").write_bytes(make())
    line = refusal(tmp_path / "mine\n.npz")
    assert complaint in line
    assert "want" in line or "must" in line


def test_missing_file_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "missing.npz")


def test_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.npz").mkdir()
    assert "is a directory" in refusal(tmp_path / "folder.npz")


def test_forbidden_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(path: Path, mode: str) -> None:  # root may read everything, so the answer is put in its mouth
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "mine.npz").write_bytes(npz(a=MATRIX, b=MATRIX.T))
    monkeypatch.setattr(Path, "open", forbid)
    assert "Permission denied" in refusal(tmp_path / "mine.npz")


def test_numbers_beyond_float16_are_not_stored() -> None:
    with pytest.raises(UserError, match=r"reaches 6.56e\+04"):
        capture.round_to_float16(np.array([65520.0 + 50.0]), "layer0.q_proj: a")
    assert capture.round_to_float16(np.array([65519.0]), "layer0.q_proj: a") == 65504


def stored_tiles() -> dict[str, capture.Tile]:
    return {operands.name: capture.Tile(operands.a, operands.b, {}) for operands in default_operands()}


def test_check_accepts_one_unit_in_the_last_place_and_no_more(tmp_path: Path) -> None:
    tiles = stored_tiles()
    folder = shutil.copytree(STORED, tmp_path / "tiles")
    assert capture.differences(tiles, folder) == []
    for steps, lines in ((1, 0), (2, 1)):
        with np.load(STORED / "layer15.qk.npz") as stored:
            a, b = stored["a"], stored["b"]
        for _ in range(steps):
            a[3, 5] = np.nextafter(a[3, 5], np.float16(np.inf))
        np.savez(folder / "layer15.qk.npz", a=a, b=b)
        assert len(capture.differences(tiles, folder)) == lines


def test_check_reports_missing_and_misshapen_tiles(tmp_path: Path) -> None:
    folder = shutil.copytree(STORED, tmp_path / "tiles")
    (folder / "layer0.pv.npz").unlink()
    np.savez(folder / "layer0.qk.npz", a=MATRIX, b=MATRIX.T)
    missing, a, b = capture.differences(stored_tiles(), folder)
    assert "layer0.pv.npz" in missing
    assert a == "layer0.qk: a is 2 x 3, not 64 x 64"
    assert b == "layer0.qk: b is 3 x 2, not 64 x 64"


def test_capture_without_the_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lmul.workloads.smollm2.PACKAGE", "no_such_package")
    monkeypatch.setitem(sys.modules, "gguf", None)
    assert run_tool(capture.main, ["-o", str(tmp_path)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("run `pip install 'lmul[llm]'`")
    assert not list(tmp_path.iterdir())


def test_capture_into_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert run_tool(capture.main, ["-o", str(tmp_path / "file")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_capture_refuses_an_unknown_option_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tool(capture.main, ["--chek"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--chek" in line


@needs_llm
def test_model_is_sane_and_gives_the_stored_tiles() -> None:
    captured = capture.capture_tiles()
    assert 20 < captured.perplexity < 40  # llama.cpp gets 28.8 for this text and file; chance is 49152
    assert capture.differences(captured.tiles, STORED) == []


@needs_llm
def test_model_knows_a_capital_and_every_product_goes_through_the_hook() -> None:
    from lmul.workloads import smollm2

    model = smollm2.load_model()
    names = []

    def record(name: str, a: smollm2.Array, b: smollm2.Array) -> smollm2.Array:
        names.append(name)
        assert a.shape[-1] == b.shape[-2]
        return a @ b

    tokens = smollm2.encode(model, "The capital of France is")
    logits = smollm2.forward(model, tokens, record)
    assert smollm2.decode(model, [int(logits[-1].argmax())]) == " Paris"
    assert len(set(names)) == len(names) == 30 * 9 + 1
