"""`lmul sim`: a design's Verilog, or its netlist, against the golden model."""

import argparse
import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from lmul.commands.shared.simulation import check_simulator, design_sources, directory_of
from lmul.design import Design
from lmul.errors import UserError, one_line
from lmul.golden import Codes
from lmul.golden.sums.blocks.scales import Scales
from lmul.hdl import export
from lmul.host.files import locked, write_files
from lmul.sim.coverage.products import holes
from lmul.sim.coverage.table import coverage_table
from lmul.sim.stimulus.pairs import describe_pairs
from lmul.terminal.console import console, say, write_figures
from lmul.terminal.progress import working
from lmul.workloads import Operands

if TYPE_CHECKING:
    from lmul.sim.simulate import Simulation

SEEDS = 1 << 32


def run_sim(design: Design, operands: Sequence[Operands], options: argparse.Namespace) -> int:
    """Simulate a design and say what was compared."""
    from lmul.sim.simulate import SimulationError, SimulationRun, simulate

    testcase, seed = _testcase(design, options), _seed(options)
    check_simulator(options)
    text = export(design)
    directory = directory_of(text, options)
    sources, top = design_sources(design, text, options)
    matrices, scales = _products(design, operands)
    try:
        with locked(directory), working(f"Simulating {text.name}") as progress:
            paths = write_files(directory, sources)
            run = SimulationRun(
                design,
                paths,
                top,
                text.port_names,
                matrices,
                directory / ("waves" if options.waves else "build"),
                testcase=testcase,
                waves=options.waves,
                seed=seed,
                four_state=options.four_state,
                scales=scales,
            )
            result = simulate(run, progress)
    except SimulationError as error:
        print(f"lmul: {one_line(error)}", file=sys.stderr)
        return 1
    if options.json:
        _write_json(options.json, design, seed, testcase, result)
    if options.stress:
        _print_stress(text.name, result, paths[0])
    else:
        _print_simulation(design, operands, result, paths[0], testcase)
    if result.waves:
        say(f"Waveforms: {result.waves}")
    if options.four_state:
        print("No output was unknown after the reset, whatever registers and idle inputs held.")
    return _tell_holes(result, seed)


def _products(design: Design, operands: Sequence[Operands]) -> tuple[list[tuple[Codes, Codes]], list[Scales]]:
    """Give the matrix products of codes that a design computes, and their scales, where it has any."""
    if not design.block_scale:
        return [codes for pair in operands for codes in pair.products(*design.formats)], []
    scaled = [pair.scaled(design) for pair in operands]
    return [(a, b) for a, b, _ in scaled], [scales for _, _, scales in scaled]


def _testcase(design: Design, options: argparse.Namespace) -> str:
    if options.stress:
        return "stress"
    if design.kind == "mul":
        return "operands" if options.operands else "codes"
    return "pauses" if options.pauses else "operands"


def _seed(options: argparse.Namespace) -> int:
    """Give the seed; a random one is told before anything else, so that the run can be had again."""
    seed: int = options.seed
    if seed is None:
        seed = secrets.randbelow(SEEDS) if options.stress else 1
    if not 0 <= seed < SEEDS:
        raise UserError(f"--seed must be a whole number from 0 to {SEEDS - 1}, not {seed}")
    if options.stress:
        print(f"Seed {seed}: replay with --seed {seed}", flush=True)
    return seed


def _print_simulation(
    design: Design, operands: Sequence[Operands], result: "Simulation", source: Path, testcase: str
) -> None:
    counts = f"{result.compared:,} outputs of {result.products:,} products"
    say(f"{source}: {counts}, bit-exact, 0 mismatches.")
    names = operands[0].name if len(operands) == 1 else f"{len(operands)} matrix products"
    if design.kind == "mul":
        say(f"Pairs: {describe_pairs(design.format) if testcase == 'codes' else f'those of {names}'}.")
    else:
        share = 100 * result.busy / result.window
        say(
            f"Operands: {names}. {result.cycles:,} cycles, {share:.1f} % utilisation from first to last step."
        )


def _print_stress(name: str, result: "Simulation", source: Path) -> None:
    say(f"{source}: {result.compared:,} outputs, bit-exact, 0 mismatches.")
    cycles = f"{result.cycles:,} cycles, " if result.cycles else ""
    print(f"Stimulus: {cycles}fingerprint {result.stimulus[:16]}.", flush=True)
    console().print(coverage_table(name, result.coverage))


def _tell_holes(result: "Simulation", seed: int) -> int:
    """Give the exit status: 1 where coverage has a hole."""
    missed = holes(result.coverage)
    if missed:
        print(f"lmul: seed {seed} did not hit {'; '.join(missed)}", file=sys.stderr)
    return int(bool(missed))


def _write_json(path: Path, design: Design, seed: int, testcase: str, result: "Simulation") -> None:
    counted = {name: value for name, value in asdict(result).items() if name != "waves"}
    content = {"design": design.parameters(), "testcase": testcase, "seed": seed} | counted
    write_figures(path, content)
