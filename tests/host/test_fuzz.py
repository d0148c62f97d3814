"""Whatever is on the command line or in a file, `lmul` works or says in one line why not."""

import argparse
import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmul import cli
from lmul.errors import UserError
from lmul.explore.sweep import Sweep
from lmul.host.toml import LARGEST_CONFIG
from tests.support.cost.tiny_library import LIBRARY
from tests.support.host import cheap
from tests.support.host.edits import EDITS, edited
from tests.support.host.runs import run_here

Check = Callable[[Path, Any], object]


def few(drawn: st.SearchStrategy[Any], examples: int = 100) -> Callable[[Check], Callable[..., None]]:
    """Make a test of a check: some examples, the same ones each time."""
    chosen = settings(
        derandomize=True, deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck)
    )
    return lambda check: chosen(given(drawn)(check))


def many(drawn: st.SearchStrategy[Any], examples: int = 5000) -> Callable[[Check], Callable[..., None]]:
    """Make a long test of a check: many examples, others each time; a failure prints how to repeat it."""
    chosen = settings(
        deadline=None, max_examples=examples, print_blob=True, suppress_health_check=list(HealthCheck)
    )
    return lambda check: pytest.mark.long(chosen(given(drawn)(check)))


ANY_WORD = st.one_of(
    st.text(st.characters(exclude_characters="\0"), max_size=30),
    st.binary(max_size=10).map(lambda data: os.fsdecode(data.replace(b"\0", b""))),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["-", "--", "-1", "nan", "inf", "1e999", "9" * 5000, "x" * 5000, "[/]", "%s%n", "a\nb"]),
    st.sampled_from(["fixed:8:-3", "fixed:99999:0", "fixed::", "e8m23", "e2m1", "e02m1", "٣", "lmul,lmul,"]),
)
FILES = st.sampled_from(["design.toml", "file", "directory", "missing"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fuzz")
    (directory / "file").write_text("text")
    (directory / "directory").mkdir()
    (directory / "design.toml").write_text('format = "e2m1"')
    return directory


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = [a for a in cli._parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(found.choices)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Draw a command with some of its options, each with any value; no value leads out of the directory."""
    name = draw(st.sampled_from(sorted(commands())))
    words = [name]
    if name != "list":
        words += draw(
            st.one_of(
                st.just([]), st.sampled_from([["mul"], ["dot"], ["array"]]), st.lists(ANY_WORD, max_size=1)
            )
        )
    actions = [action for action in commands()[name]._actions if action.option_strings]
    for action in draw(st.lists(st.sampled_from(actions), max_size=3)):
        option = draw(st.sampled_from(list(action.option_strings)))
        value = draw(st.one_of(FILES, ANY_WORD)).replace("/", "|")
        words += draw(st.sampled_from([[option, value], [f"{option}={value}"], [option]]))
    return words + draw(st.lists(ANY_WORD.map(lambda word: word.replace("/", "|")), max_size=1))


def check_command_line(place: Path, words: list[str]) -> None:
    """Check everything up to the long work of a command, in whose place stands nothing."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        leave_out_work(monkeypatch)
        run_here(place, words)


def leave_out_work(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, work in [
        ("sim", "run_sim"),
        ("cost", "run_cost"),
        ("error", "run_error"),
        ("explore", "run_explore"),
        ("llm", "run_llm"),
        ("llm", "run_energy"),
        ("continuation", "run_continue"),
        ("evaluate", "run_eval"),
    ]:
        monkeypatch.setattr(f"lmul.commands.{module}.{work}", lambda *_: 0)
    monkeypatch.setattr("lmul.commands.cost.run_claims", lambda *_: 0)
    monkeypatch.setattr("lmul.commands.cost.run_calibration", lambda *_: 0)
    monkeypatch.setattr("lmul.commands.report.measure_designs", _left_out)
    monkeypatch.setattr(cli, "write_files", lambda directory, files: [directory / name for name in files])
    monkeypatch.setattr(
        "lmul.hdl.export",
        lambda design, name: design.arguments() and argparse.Namespace(name=name, verilog="", files={}),
    )


def _left_out(*_: object) -> None:
    raise UserError("this test leaves out the work")


test_any_command_line_is_taken_or_refused_in_one_line = few(command_lines())(check_command_line)
test_very_many_command_lines = many(command_lines())(check_command_line)


PLAIN = st.one_of(
    st.sampled_from(["e2m1", "bf16", "lmul", "exact", "fp32", "os", "flush", "fixed:20:-9", "raw", "save"]),
    st.integers(0, 40),
)
VALUES = st.recursive(
    st.one_of(PLAIN, PLAIN, st.text(max_size=20), st.integers(), st.booleans(), st.floats()),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
KEYS = st.one_of(st.sampled_from([*cli.DESIGN_OPTIONS, "format_a", "kind"]), st.text(max_size=5))
TABLES = st.dictionaries(KEYS, VALUES, max_size=4).map(
    lambda table: "\n".join(
        f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()
    ).encode()
)


def spoilt(valid: st.SearchStrategy[bytes], whole: int = 3) -> st.SearchStrategy[bytes]:
    """Draw bytes: most as they are, some cut, with other bytes in them, or with bits flipped."""

    @st.composite
    def spoil(draw: st.DrawFn) -> bytes:
        data = bytearray(draw(valid))
        for _ in range(draw(st.integers(1, 4))):
            start, length = draw(st.integers(0, len(data))), draw(st.integers(0, 8))
            kind = draw(st.sampled_from(["cut", "end", "insert", "flip"]))
            if kind == "cut":
                del data[start : start + length]
            elif kind == "end":
                del data[start:]
            elif kind == "insert":
                data[start:start] = draw(st.binary(max_size=8))
            elif data:
                data[start % len(data)] ^= 1 << length % 8
        return bytes(data)

    return st.one_of(*[valid] * whole, spoil(), st.binary(max_size=200))


def check_config(place: Path, config: tuple[str, bytes]) -> None:
    kind, data = config
    (place / "any.toml").write_bytes(data)
    run_here(place, ["cost", kind, "--estimate", "paper", "--config", "any.toml"])


CONFIGS = st.tuples(st.sampled_from(["mul", "dot", "array"]), spoilt(TABLES))
test_any_configuration_is_read_or_refused_in_one_line = few(CONFIGS)(check_config)
test_very_many_configurations = many(CONFIGS)(check_config)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lanes = " + "[" * 5000, "nested too deeply"),
        ("lanes = " + "9" * 5000, "4300 digits"),
        ("lanes = '" + "x" * 100_000 + "'", "must be a number"),
        ("#" * (LARGEST_CONFIG + 1), "more than 1,048,576 bytes"),
    ],
)
def test_configurations_that_would_be_too_much(text: str, words: str, place: Path) -> None:
    (place / "any.toml").write_text(text)
    assert words in run_here(place, ["verilog", "mul", "--config", "any.toml"]).refusal()


AXES = st.one_of(VALUES, st.lists(PLAIN, max_size=3))
SOME_AXES = st.fixed_dictionaries(
    {"design": st.sampled_from(["mul", "dot", ["dot", "mul"], "array"])},
    optional={
        "format": st.lists(st.sampled_from(["e2m1", "e4m3", "bf16"]), min_size=1),
        "mul": st.lists(st.sampled_from(["lmul", "exact", "addc"]), min_size=1),
        "pipeline": st.lists(st.integers(0, 5), min_size=1, max_size=3),
        "clock": st.lists(st.sampled_from(["none", 1, 0.5, -1]), min_size=1),
    },
)
SPACES = st.fixed_dictionaries(
    {
        "space": st.one_of(
            VALUES,
            *[SOME_AXES] * 3,
            st.dictionaries(KEYS, AXES, max_size=3).map(lambda axes: {"design": ["mul", "dot"]} | axes),
            st.dictionaries(st.one_of(KEYS, st.sampled_from(["design", "clock"])), AXES, max_size=4),
        ),
    },
    optional={
        "objectives": st.one_of(VALUES, *[st.lists(st.sampled_from(["energy", "error"]), max_size=2)] * 3),
        "search": st.one_of(
            VALUES,
            *[st.just({"method": "random", "trials": 2})] * 3,
            st.dictionaries(
                st.sampled_from(["method", "trials", "seed", "ahead", "x"]),
                st.one_of(VALUES, st.sampled_from(["grid", "random", "optuna"])),
                max_size=3,
            ),
        ),
    },
).map(lambda tables: "\n".join(f"{name} = {_inline(value)}" for name, value in tables.items()).encode())


def _inline(value: Any) -> str:
    """Write a value as TOML does, tables in one line."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(name)} = {_inline(entry)}" for name, entry in value.items()) + "}"
        )
    return json.dumps(value)


def check_space(place: Path, data: bytes) -> None:
    """Check everything of a sweep but its evaluations."""
    (place / "space.toml").write_bytes(data)
    (place / "small.lib").write_text(LIBRARY)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("lmul.commands.explore._swept", lambda *_: Sweep())
        run_here(place, ["explore", "space.toml", "--liberty", "small.lib"])


test_any_space_is_swept_or_refused_in_one_line = few(spoilt(SPACES))(check_space)
test_very_many_spaces = many(spoilt(SPACES))(check_space)

REPORT = {
    "report": "explore",
    "library": "small",
    "points": [{"design": {"kind": "mul"}, "clock_ns": None, "area_um2": 2.0, "pareto": True}],
}
COST = [{"design": {"kind": "mul"}, "clock_period_ps": 5e2, "area_um2": 2, "luts": 7}]
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@st.composite
def reports(draw: st.DrawFn) -> bytes:
    """Draw a report, with another value in some place of it."""
    report: Any = json.loads(json.dumps(draw(st.sampled_from([REPORT, COST]))))
    place = report
    while draw(st.integers(0, 3)) and isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        if not draw(st.integers(0, 3)):
            place[key] = draw(JSON)
        place = place[key]
    return json.dumps(report).encode()


def check_reports(place: Path, data: tuple[bytes, bytes]) -> None:
    for name, content in zip("ab", data, strict=True):
        (place / f"{name}.json").write_bytes(content)
    run_here(place, ["compare", "a.json", "b.json"])


REPORTS = st.tuples(spoilt(reports(), 9), spoilt(reports(), 9))
test_any_reports_are_compared_or_refused_in_one_line = few(REPORTS)(check_reports)
test_very_many_reports = many(REPORTS)(check_reports)


SHAPES = st.one_of(
    st.lists(st.integers(0, 4), min_size=2, max_size=2).map(tuple),
    st.lists(st.integers(0, 3), max_size=4).map(tuple),
)
DTYPES = st.sampled_from(
    ["<f4", "<f4", "<f2", ">f8", "i1", "u2", ">i8", "?", "<c8", "S3", "U2", "M8[s]", "V4", "i4,f4", "g"]
)


@st.composite
def arrays(draw: st.DrawFn) -> bytes:
    """Draw a .npy file."""
    shape, dtype = draw(SHAPES), np.dtype(draw(DTYPES))
    size = int(np.prod(shape)) * dtype.itemsize
    array = (
        np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype).reshape(shape)
        if size
        else np.zeros(shape, dtype)
    )
    file = io.BytesIO()
    with np.errstate(all="ignore"):
        np.save(file, array)
    return file.getvalue()


@st.composite
def numbers(draw: st.DrawFn) -> bytes:
    """Draw a .npy file of a small matrix of numbers, not all finite."""
    value = st.floats(-9, 9, width=16) if draw(st.booleans()) else st.floats(width=32)
    shape = draw(st.sampled_from([(2, 3), (3, 2), (1, 1), (3, 3)]))
    values = draw(st.lists(value, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    file = io.BytesIO()
    np.save(file, np.array(values, dtype=np.float32).reshape(shape))
    return file.getvalue()


@st.composite
def declared(draw: st.DrawFn) -> bytes:
    """Draw a .npy file whose header says whatever it likes."""
    shape = draw(st.one_of(SHAPES, st.lists(st.integers(-1, 1 << 70), max_size=3).map(tuple)))
    described = draw(st.one_of(DTYPES, st.sampled_from(["|O", "<f99", "", "<f4" * 9]), st.text(max_size=5)))
    header = draw(
        st.one_of(
            st.just(repr({"descr": described, "fortran_order": draw(st.booleans()), "shape": shape})),
            st.sampled_from(
                ["{", "{'descr': [" * 900, "(" * 9000, "__import__('os')", "{'shape': 1L}", "9" * 5000]
            ),
            st.text(max_size=40),
        )
    ).encode("utf-8", "replace")
    version = draw(st.sampled_from([b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\x09\0"]))
    length = len(header).to_bytes(2 if version == b"\1\0" else 4, "little")
    return b"\x93NUMPY" + version + length + header + draw(st.binary(max_size=64))


METHODS = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])


@st.composite
def archives(draw: st.DrawFn, member: st.SearchStrategy[bytes]) -> bytes:
    """Draw a zip file with members a, b and perhaps others."""
    names = [
        *draw(st.permutations(["a.npy", "b.npy"])),
        *draw(st.lists(st.sampled_from(["a", "c.npy", "../x", "\x1b[31m"]), max_size=1)),
    ]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", draw(METHODS)) as archive:
        for name in names[draw(st.sampled_from([0, 0, 0, 1])) :]:
            archive.writestr(name, draw(member))
    data = file.getvalue()
    if draw(st.integers(0, 9)) == 0:  # Encrypted, or so the flags say.
        data = data.replace(b"PK\3\4\x14\0\0", b"PK\3\4\x14\0\1").replace(
            b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"
        )
    return data


OPERANDS = spoilt(
    archives(st.one_of(numbers(), numbers(), numbers(), arrays(), declared(), st.binary(max_size=30)))
)


def check_operands(place: Path, data: bytes) -> None:
    (place / "any.npz").write_bytes(data)
    run_here(place, ["error", "--format", "e2m1", "--operands", "any.npz"])


test_any_operands_are_read_or_refused_in_one_line = few(OPERANDS)(check_operands)
test_very_many_operands = many(OPERANDS)(check_operands)


def check_library(place: Path, edits: Any) -> None:
    check_text(place, edited(LIBRARY, edits))


def check_text(place: Path, text: str) -> int:
    """Check the command with cheap scripts; give its status."""
    (place / "any.lib").write_bytes(text.encode("latin-1"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        cheap.use(monkeypatch.setattr)
        words = ["--liberty", "any.lib", "--seeds", "1", "--precision", "20", "--build", "../build"]
        return run_here(place, ["cost", "mul", "--format", "e2m1", *words]).status


def test_the_library_to_be_edited_is_valid(place: Path) -> None:
    assert check_text(place, LIBRARY) == 0


# A number in place of another, which leaves a library that can be mapped to and may not make sense.
NUMBERS = [match.span() for match in re.finditer(r"\b\d[\d.]*\b", LIBRARY)]
STRANGE = st.sampled_from(["0", "-1", "1e-30", "1e30", "1e300", "-0.0", "1e-320", "1", "99"])


def check_numbers(place: Path, changes: dict[int, str]) -> None:
    text = LIBRARY
    for number in sorted(changes, reverse=True):
        start, end = NUMBERS[number]
        text = text[:start] + changes[number] + text[end:]
    check_text(place, text)


STRANGE_NUMBERS = st.dictionaries(st.integers(0, len(NUMBERS) - 1), STRANGE, min_size=1, max_size=3)
test_any_numbers_are_used_or_refused_in_one_line = few(STRANGE_NUMBERS, 12)(check_numbers)
test_very_many_numbers = many(STRANGE_NUMBERS, 200)(check_numbers)


def test_a_library_in_any_encoding_is_refused_in_one_line(place: Path) -> None:
    """Yosys repeats in its own error what stands in the file."""
    assert check_text(place, LIBRARY.replace("lu_table_template(t)", "\xe9 lu_table_template(t)")) == 2
    assert check_text(place, LIBRARY.replace('"A ^ B"', '"A ^ B\xe9"')) in {0, 2}


test_any_library_is_used_or_refused_in_one_line = few(EDITS, 20)(check_library)
test_very_many_libraries = many(EDITS, 400)(check_library)
