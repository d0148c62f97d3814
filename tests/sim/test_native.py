"""The native benches agree with the golden model, and notice when the Verilog does not."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.design import Design, make_design
from lmul.evidence.exhaustive import __main__ as exhaustive
from lmul.evidence.exhaustive.__main__ import Part, part, small_formats
from lmul.golden import FP16, FP32, find_format, multiply
from lmul.hdl import Export
from lmul.sim.native.native import (
    Candidate,
    build_array,
    build_products,
    compare_products,
    run_array,
    run_bare,
    write_tiles,
)
from lmul.sim.simulate import BUILT, SimulationError
from lmul.sim.simulators.verilator import run_build
from lmul.sim.stimulus.pairs import draw_pairs, many_edge_codes
from lmul.sim.stimulus.quick import Matrices
from lmul.sim.stimulus.tiles import Tile, tiles
from lmul.terminal.parser import run_tool

ExportTo = Callable[[Design], tuple[Export, Path]]
Draw = Callable[..., Matrices]

CODES = np.arange(256, dtype=np.uint8)
ALL_PAIRS = [(np.repeat(CODES, 256), np.tile(CODES, 256))]


def test_multipliers_side_by_side_are_right_for_every_pair(tmp_path: Path, export_to: ExportTo) -> None:
    """All multipliers of e4m3 in one program, four lanes of each; of five pairs the last eval is not full."""
    designs = [make_design("mul", mul=mul) for mul in ("lmul", "mitchell", "addm", "addc", "exact")]
    sources = [export_to(design)[1] for design in designs]
    candidates = [Candidate(design, design.name) for design in designs]
    program = build_products(candidates, sources, 4, tmp_path / "right")
    assert compare_products(program, candidates, ALL_PAIRS).products == 5 << 16
    # The same program against other models: lane, design and both products are named.
    wrong = [Candidate(replace(design, overflow="ieee"), design.name) for design in designs]
    with pytest.raises(SimulationError, match=r"^lmul_e4m3_mul: 0x38 \* 0x7e gave 0x7e, the model 0x7f$"):
        compare_products(program, wrong, [(CODES[0x34:0x39], np.full(5, 0x7E))])


@pytest.mark.parametrize(
    ("options", "right", "wrong", "code", "message"),
    [
        ({"format": "bf16"}, " + 16'h88;", " + 16'h89;", 0x3F80, "0x3f80 gave 0x3f89, the model 0x3f88"),
        # Products have 12 bits.
        (
            {"format_a": "int4", "format_b": "int8"},
            "{1'h1, p",
            "{1'h0, p",
            8,
            "0x8 gave 0x7c0, the model 0xfc0",
        ),
    ],
)
def test_fault_in_a_multiplier_is_noticed(
    options: Any, right: str, wrong: str, code: int, message: str, tmp_path: Path, export_to: ExportTo
) -> None:
    """A wrong constant in the upper of two lanes' fields of 16 bits."""
    design = make_design("mul", **options)
    text, path = export_to(design)
    assert right in text.verilog
    path.write_text(text.verilog.replace(right, wrong))
    candidates = [Candidate(design, design.name)]
    program = build_products(candidates, [path], 2, tmp_path / "wrong")
    codes = np.full(2, code)
    with pytest.raises(SimulationError, match=rf" \* {message}$"):
        compare_products(program, candidates, [(codes, codes)])


def test_bench_is_built_when_what_it_is_made_of_changes_and_when_it_was_built_in_part(
    tmp_path: Path, export_to: ExportTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = make_design("mul", format="e2m1")
    text, path = export_to(design)
    candidates, directory = [Candidate(design, text.name)], tmp_path / "build"
    commands: list[str] = []

    def count(command: Sequence[str], *rest: Any) -> None:
        commands.append(command[0])
        run_build(command, *rest)

    monkeypatch.setattr("lmul.sim.native.native.run_build", count)
    program = build_products(candidates, [path], 1, directory)
    path.touch()
    assert build_products(candidates, [path], 1, directory) == program
    assert commands == ["verilator", "make"]
    path.write_text(text.verilog.replace("endmodule", "// other\nendmodule"))
    build_products(candidates, [path], 1, directory)
    assert commands == 2 * ["verilator", "make"]
    # What a killed compiler leaves: the program not linked, an object cut short.
    program.unlink()
    (directory / BUILT).unlink()
    cut = directory / "Vbench__ALL.o"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    assert build_products(candidates, [path], 1, directory).exists()


def test_array_is_right_with_and_without_pauses(
    tmp_path: Path, export_to: ExportTo, draw_codes: Draw
) -> None:
    design = make_design("array", rows=3, cols=2, lanes=2)
    text, path = export_to(design)
    matrices = draw_codes((5, 1, 7), (9, 30, 5)) + draw_codes((6, 12, 6), nan=0.02)
    jobs = [tile for a, b in matrices for tile in tiles(a, b, design)]
    write_tiles(jobs, design, tmp_path / "tiles")
    program = build_array([path], text.name, tmp_path / "array")
    rows = 3 * len(jobs)
    steady = run_array(program, tmp_path / "tiles", passes=2)
    assert steady.rows == 2 * rows
    seen = {run_array(program, tmp_path / "tiles", pause=0.3, seed=seed).cycles for seed in (1, 2, 1)}
    assert len(seen) == 2
    assert min(seen) > steady.cycles / 2
    assert run_bare(program, tmp_path / "tiles", 1000).cycles == 1000
    for wrong, message in _wrong_tiles(jobs[-1]):
        write_tiles([*jobs[:-1], wrong], design, tmp_path / "wrong")
        with pytest.raises(SimulationError, match=message):
            run_array(program, tmp_path / "wrong")


def _wrong_tiles(tile: Tile) -> list[tuple[Tile, str]]:
    """Spoil a tile: a bit of a row, a flag, a row too few, operands that end apart."""
    bits = replace(tile, rows=[row ^ 1 for row in tile.rows])
    flags = replace(tile, flags=[flag ^ 4 for flag in tile.flags])
    short = replace(tile, rows=tile.rows[:2], flags=tile.flags[:2])
    apart = replace(tile, a=[*tile.a, 0])
    return [
        (bits, "^row \\d+ gave 0x"),
        (flags, "with flags 0x[01] and last 0, the model 0x.* with 0x[45] and 0$"),
        (short, "and last 0, the model 0x.* and 1$"),
        (apart, "with flags 0x[89] and last 0, the model 0x.* with 0x[01] and 0$"),
    ]


def test_fault_in_an_array_is_noticed(tmp_path: Path, export_to: ExportTo, draw_codes: Draw) -> None:
    """The end of a tile is lost: its result never comes."""
    design = make_design("array", rows=3, cols=1, lanes=1)
    text, path = export_to(design)
    assert "take & last" in text.verilog
    path.write_text(text.verilog.replace("take & last", "take & ~take"))
    jobs = [tile for a, b in draw_codes((9, 2, 3)) for tile in tiles(a, b, design)]
    write_tiles(jobs, design, tmp_path / "tiles")
    program = build_array([path], text.name, tmp_path / "array")
    with pytest.raises(SimulationError, match="row 0 never came"):
        run_array(program, tmp_path / "tiles")


def test_every_format_multiplier_and_policy_is_listed() -> None:
    assert len(small_formats()) == 15
    assert {"e4m3", "e5m2", "e3m4", "e3m2", "e2m3", "e2m1"} < set(small_formats())
    assert len(part("e4m3", exhaustive.MULS).candidates) == 5 * 4 * 2
    assert len(part("e2m5", exhaustive.MULS).candidates) == 4 * 4 * 2


@pytest.mark.parametrize(("name", "bits"), [("e3m2", 12), ("e4m3", 16), ("int8", 16), ("int4xint8", 12)])
def test_shares_hold_every_pair_of_a_narrow_format_once(name: str, bits: int) -> None:
    pairs = np.concatenate([np.stack(block, -1) for block in part(name, exhaustive.MULS).pairs(0)])
    assert len(np.unique(pairs, axis=0)) == len(pairs) == 1 << bits


def test_shares_hold_every_pair_of_a_wide_format_once() -> None:
    """The shares' first operands are all codes, each once; each with all codes."""
    whole = Part(FP16, (), netlists=False)
    firsts = []
    for share in (0, 100, whole.chunks - 1):
        for a, b in whole.pairs(share):
            rows = b.reshape(-1, 1 << 16)
            assert np.array_equal(rows, np.broadcast_to(np.arange(1 << 16), rows.shape))
            assert np.array_equal(a.reshape(rows.shape), np.broadcast_to(a[:: 1 << 16, None], rows.shape))
            firsts.append(a[:: 1 << 16])
    expected = np.concatenate([np.arange(share * 256, (share + 1) * 256) for share in (0, 100, 255)])
    assert np.array_equal(np.concatenate(firsts), expected)


@pytest.mark.parametrize("name", ["bf16", "fp16", "fp32"])
def test_half_of_the_drawn_pairs_has_products_near_an_end_of_the_range(name: str) -> None:
    format_ = find_format(name)
    pairs = draw_pairs(format_, 20_000, np.random.default_rng(1))[10_000:]
    assert np.all((pairs >= 0) & (pairs < 1 << format_.width))
    field = ((pairs & format_.magnitude_mask) >> format_.mantissa_bits).sum(-1) - format_.bias
    last = (1 << format_.exponent_bits) - 1
    assert np.all((field <= 3) | (field >= last - 3))
    special = np.any((pairs & format_.magnitude_mask) > format_.largest_finite, axis=-1)
    assert np.mean(special) < 0.1


def test_edge_codes_of_fp32_are_thousands_and_hold_every_power_of_two() -> None:
    codes = many_edge_codes(FP32)
    assert len(codes) == len(np.unique(codes)) >= 4000
    powers = 2.0 ** np.arange(-149, 128)
    assert np.isin(powers.astype(np.float32).view(np.uint32), codes).all()


def test_command_compares_and_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest format, RTL and netlist: right, then beside a model that has one product wrong."""
    target = tmp_path / "figures.json"
    options = ["--format", "e2m1", "--mul", "lmul", "--build", str(tmp_path), "--json", str(target)]
    assert exhaustive.main(options) == 0
    assert "differs" not in capsys.readouterr().out
    assert '"products": 2048,' in target.read_text()

    def wrong(a: NDArray[Any], b: NDArray[Any], design: Design) -> NDArray[Any]:
        return np.where((a == 15) & (b == 15), 0, multiply(a, b, design)).astype(np.uint8)

    monkeypatch.setattr("lmul.sim.native.native.multiply", wrong)
    assert exhaustive.main(options) == 1
    printed = capsys.readouterr()
    assert "differs" in printed.out
    assert re.search(r"lmul: e2m1: lmul_e2m1_mul.*: 0xf \* 0xf gave 0x7, the model 0\n", printed.err)
    assert '"products": 0,' in target.read_text()


def test_choice_that_compares_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tool(exhaustive.main, ["--format", "bf16", "--mul", "addm"]) == 2
    assert "--mul addm is not compared in bf16" in capsys.readouterr().err
    assert run_tool(exhaustive.main, ["--format", "bf16", "--mul", "addm", "--mul", "lmul"]) == 2
    assert "--mul addm is not compared in bf16" in capsys.readouterr().err
