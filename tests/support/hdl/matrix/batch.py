"""One Verilog module with many dot products, and what goes in and must come out in every cycle."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from lmul.design import Design
from lmul.hdl import export
from lmul.hdl.multiplier.unrounded import operand_bits, scale_bits
from lmul.sim.benches.dot import ZERO, Vector, vectors_of
from lmul.sim.simulators.verilator import PortRunner, verilator_environment
from lmul.sim.stimulus.turns import FILLER, turns

TOP = "matrix"
PAUSE = 0.2

ADDEND_BITS = 32
ADDEND = (1 << ADDEND_BITS) - 1
"""A port for each design, whether it reads it or not."""


class Schedule:
    """What one design sees and must give, cycle by cycle.

    Parameters
    ----------
    design : Design
    products : sequence of (ndarray, ndarray), or with Scales behind

    Attributes
    ----------
    inputs : list of (int, int, int, int, int, int)
        a, b, valid, first, last, c_in; garbage where valid is low, c_in but in first steps too.
    results : dict of int to (int, int)
        c and its flags by the cycle after whose clock edge they are there.
    fillers : int
        Those of them that only fill turns.
    """

    def __init__(self, design: Design, products: Sequence[tuple[Any, ...]]) -> None:
        rng = np.random.default_rng(1)
        first, second = operand_bits(design)
        codes = [design.lanes * format_.width for format_ in design.formats]
        self.inputs: list[tuple[int, int, int, int, int, int]] = []
        self.results: dict[int, tuple[int, int]] = {}
        self.fillers = 0
        vectors = [vector for a, b, *own in products for vector in vectors_of(a, b, design, *own)]
        for place, step in turns([len(vector.a) for vector in vectors], design.interleave):
            vector = ZERO if place == FILLER else vectors[place]
            while rng.random() < PAUSE:
                garbage = int.from_bytes(rng.bytes(64), "little")
                self.inputs.append(
                    (garbage % (1 << first), garbage % (1 << second), 0, 1, 1, ~vector.start & ADDEND)
                )
            self.fillers += place == FILLER
            self._step(vector, step, design.latency, codes)

    def _step(self, vector: Vector, step: int, latency: int, codes: list[int]) -> None:
        a, b = (
            steps[step] | vector.scale(side, step) << bits
            for side, (steps, bits) in enumerate(zip((vector.a, vector.b), codes, strict=True))
        )
        last = step == len(vector.a) - 1
        start = ~vector.start & ADDEND if step else vector.start
        self.inputs.append((a, b, 1, step == 0, last, start))
        if last:
            self.results[len(self.inputs) + latency - 2] = vector.c, vector.flags


def simulate_batch(
    designs: Sequence[Design], products: Sequence[Sequence[tuple[Any, ...]]], directory: Path
) -> int:
    """Simulate designs side by side under Verilator, every output of every cycle compared.

    Parameters
    ----------
    designs : sequence of Design
        Of the kind `dot`.
    products : sequence of sequences of (ndarray, ndarray), or with Scales behind
        The matrix products of each.
    directory : Path

    Returns
    -------
    int
        Results that were compared.
    """
    directory.mkdir(parents=True, exist_ok=True)
    schedules = [Schedule(design, pair) for design, pair in zip(designs, products, strict=True)]
    (directory / "cycles.json").write_text(json.dumps(_cycles(designs, schedules)))
    sources = [directory / f"{TOP}.v"]
    sources[0].write_text(_top(designs))
    for index, design in enumerate(designs):
        sources.append(directory / f"dot{index}.v")
        sources[-1].write_text(export(design, f"dot{index}").verilog)
    environment = verilator_environment() | {
        "LMUL_CYCLES": str(directory / "cycles.json"),
        "COCOTB_REWRITE_ASSERTION_FILES": "",
    }
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        _run(sources, directory)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return sum(len(schedule.results) - schedule.fillers for schedule in schedules)


def _run(sources: list[Path], directory: Path) -> None:
    ports = ["clk", "rst", "a", "b", "valid", "first", "last", "c_in", "c", "c_valid", "c_flags"]
    runner = PortRunner(ports)
    runner.compile(sources, TOP, directory, waves=False, log=directory / "build.log")
    results = runner.test(
        test_module="tests.support.hdl.matrix.bench",
        hdl_toplevel=TOP,
        hdl_toplevel_lang="verilog",
        build_dir=directory,
        test_dir=directory,
        results_xml=str(directory / "results.xml"),
        log_file=directory / "test.log",
    )
    tree = ElementTree.parse(results)  # noqa: S314
    assert tree.find(".//testcase") is not None
    failures = [failure.get("error_msg") or failure.get("message") for failure in tree.iter("failure")]
    assert not failures, failures[0]


def _pack(values: Sequence[int], widths: Sequence[int]) -> int:
    packed, place = 0, 0
    for value, width in zip(values, widths, strict=True):
        packed |= int(value) << place
        place += width
    return packed


def _cycles(designs: Sequence[Design], schedules: Sequence[Schedule]) -> dict[str, Any]:
    """Pack the values of all designs, the first one lowest, as hexadecimal numbers."""
    count = max(len(s.inputs) + d.latency for s, d in zip(schedules, designs, strict=True))
    ones = [1] * len(designs)
    operands = [[operand_bits(design)[side] for design in designs] for side in (0, 1)]
    widths = [*operands, ones, ones, ones, [ADDEND_BITS] * len(designs)]
    out_widths = [design.output_bits for design in designs]
    cycles: dict[str, Any] = {"names": [design.name for design in designs], "out_widths": out_widths}
    cycles |= {"inputs": [], "outputs": []}
    idle = (0, 0, 0, 0, 0, 0)
    for cycle in range(count):
        rows = [s.inputs[cycle] if cycle < len(s.inputs) else idle for s in schedules]
        columns = zip(zip(*rows, strict=True), widths, strict=True)
        cycles["inputs"].append([hex(_pack(values, bits)) for values, bits in columns])
        found = [schedule.results.get(cycle) for schedule in schedules]
        values = [result or (0, 0) for result in found]
        masks = [(1 << width) - 1 if result else 0 for result, width in zip(found, out_widths, strict=True)]
        cycles["outputs"].append(
            [
                hex(_pack([result is not None for result in found], ones)),
                hex(_pack([value[0] for value in values], out_widths)),
                hex(_pack(masks, out_widths)),
                hex(_pack([value[1] for value in values], [3] * len(designs))),
                hex(_pack([7 if result else 0 for result in found], [3] * len(designs))),
            ]
        )
    return cycles


def _top(designs: Sequence[Design]) -> str:
    """Write the module that holds all designs, its ports those of all of them side by side."""
    instances, place = [], {"a": 0, "b": 0, "c": 0}
    for index, design in enumerate(designs):
        first, second = operand_bits(design)
        widths = {"a": first, "b": second, "c": design.output_bits}
        own = scale_bits(design)
        wide = [f".c(c[{place['c']} +: {widths['c']}])"]
        for port in "ab":
            wide.append(f".{port}({port}[{place[port]} +: {widths[port] - own}])")
            above = place[port] + widths[port] - own
            wide += [f".{port}_scale({port}[{above} +: {own}])"] if own else []
        single = [f".in_{port}({port}[{index}])" for port in ("valid", "first", "last")]
        single += [f".c_in(c_in[{ADDEND_BITS * index} +: {ADDEND_BITS}])"] if design.addend else []
        result = [f".c_valid(c_valid[{index}])", f".c_flags(c_flags[{3 * index} +: 3])"]
        connections = ", ".join([".clk(clk)", ".rst(rst)", *wide, *single, *result])
        instances.append(f"  dot{index} dot{index} ({connections});")
        place = {port: place[port] + width for port, width in widths.items()}
    last = len(designs) - 1
    ports = ["input wire clk", "input wire rst", f"input wire [{place['a'] - 1}:0] a"]
    ports += [f"input wire [{place['b'] - 1}:0] b"]
    ports += [f"input wire [{last}:0] {port}" for port in ("valid", "first", "last")]
    ports.append(f"input wire [{ADDEND_BITS * len(designs) - 1}:0] c_in")
    ports += [f"output wire [{place['c'] - 1}:0] c", f"output wire [{last}:0] c_valid"]
    ports += [f"output wire [{3 * last + 2}:0] c_flags"]
    head = ",\n".join(f"  {port}" for port in ports)
    return "\n".join([f"module {TOP} (", head, ");", *instances, "endmodule", ""])
