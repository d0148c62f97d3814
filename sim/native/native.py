"""Benches without Python in the loop: C++ that Verilator compiles together with the design.

Multipliers get pairs of codes and the golden model's products through a pipe, several designs side by side.
An array gets tiles from a file, see `lmul.sim.stimulus.tiles`.
"""

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmul.design import Design, make_design
from lmul.golden import Codes, multiply
from lmul.hdl.axi_stream import data_bits
from lmul.host.files import check_room, write_files
from lmul.sim.simulate import SimulationError, built, prepare_directory
from lmul.sim.simulators.verilator import (
    join_main,
    make_command,
    run_build,
    runtime,
    verilator_environment,
    verilator_version,
)
from lmul.sim.stimulus.tiles import Tile

FIELD_BITS = (8, 16, 32)
"""Of a field that holds an operand or a product, as C++ has unsigned integers."""

PRODUCTS, STREAMS = (Path(__file__).with_name(f"{name}.cpp") for name in ("products", "streams"))
"""The benches."""

OPTIMISE = "-O3"
"""What a design is compiled with: nothing else runs in every cycle."""

OF_256 = 256
"""Probabilities of pauses are multiples of one part in this many."""


@dataclass(frozen=True)
class Candidate:
    """A multiplier to be compared with the golden model.

    Parameters
    ----------
    design : Design
        A combinational `mul`.
    top : str
        Its module: of the RTL, or of a netlist.
    """

    design: Design
    top: str


@dataclass(frozen=True)
class Comparison:
    """What a bench of multipliers compared, all of it equal.

    Parameters
    ----------
    products : int
        Of all candidates.
    golden_seconds : float
        Time that the golden model took for them.
    """

    products: int
    golden_seconds: float


@dataclass(frozen=True)
class ArrayRun:
    """What a bench of an array counted.

    Parameters
    ----------
    rows : int
        Rows of results that were compared, all of them equal; 0 of a bare run.
    cycles : int
    seconds : float
        Processor time of the loop, start of the process left out.
    """

    rows: int
    cycles: int
    seconds: float


def build_products(
    candidates: Sequence[Candidate], sources: Sequence[Path], lanes: int, directory: Path
) -> Path:
    """Build the bench of multipliers of the same formats, each of them `lanes` times.

    Parameters
    ----------
    candidates : sequence of Candidate
    sources : sequence of Path
        Verilog files with all their modules.
    lanes : int
        Pairs that are multiplied at once, in fields of 8, 16 or 32 bits: together 8, 16, or a multiple of 32
        bits, as Verilator stores a port.
    directory : Path

    Returns
    -------
    Path
        The program.

    Raises
    ------
    UserError
        There is no usable Verilator or C++ compiler.
    SimulationError
        One of them refused the sources.
    """
    directory = prepare_directory(directory)
    (wrapper,) = write_files(directory, {"wrapper.v": products_wrapper(candidates, lanes)})
    flag = f"-DFIELD=uint{field_bits(candidates[0].design)}_t"
    return build_program([wrapper, *sources], "lmul_products", PRODUCTS, directory, [flag])


def field_bits(design: Design) -> int:
    """Give the bits of a field that holds an operand or a product of a multiplier."""
    widest = max(design.product_bits, *(format_.width for format_ in design.formats))
    return min(bits for bits in FIELD_BITS if bits >= widest)


def products_wrapper(candidates: Sequence[Candidate], lanes: int) -> str:
    """Write the module that places every candidate `lanes` times on the same operands."""
    design = candidates[0].design
    field, bits = field_bits(design), design.product_bits
    padding = f"{field - bits}'h0, " if field > bits else ""
    lines = [
        "module lmul_products (",
        f"  input  wire [{lanes * field - 1}:0] a,",
        f"  input  wire [{lanes * field - 1}:0] b,",
        f"  output wire [{lanes * field - 1}:0] p [0:{len(candidates) - 1}]",
        ");",
    ]
    for index, candidate in enumerate(candidates):
        for lane in range(lanes):
            low, product = lane * field, f"p_{index}_{lane}"
            pins = zip("ab", design.formats, strict=True)
            operands = ", ".join(f".{port}({port}[{low} +: {format_.width}])" for port, format_ in pins)
            lines.append(f"  wire [{bits - 1}:0] {product};")
            lines.append(f"  {candidate.top} m_{index}_{lane} ({operands}, .p({product}));")
        fields = ", ".join(f"{padding}p_{index}_{lane}" for lane in reversed(range(lanes)))
        lines.append(f"  assign p[{index}] = {{{fields}}};")
    return "\n".join([*lines, "endmodule", ""])


def compare_products(
    program: Path, candidates: Sequence[Candidate], pairs: Iterable[tuple[Codes, Codes]]
) -> Comparison:
    """Send pairs and the golden model's products to a bench that `build_products` built.

    Parameters
    ----------
    program : Path
    candidates : sequence of Candidate
        Those that it was built with.
    pairs : iterable of (ndarray, ndarray)
        Blocks of codes of the candidates' formats, one-dimensional.

    Raises
    ------
    SimulationError
        A product differs: the message names candidate, operands, and both products.
    """
    models = list(dict.fromkeys(candidate.design for candidate in candidates))
    arguments = [f"{models.index(candidate.design)}:{candidate.top}" for candidate in candidates]
    dtype = np.dtype(f"uint{field_bits(candidates[0].design)}")
    sent, golden_seconds = 0, 0.0
    process = subprocess.Popen(  # noqa: S603
        [str(program), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None  # noqa: S101
    try:
        for a, b in pairs:
            first, second = (np.ascontiguousarray(codes, dtype=dtype) for codes in (a, b))
            start = time.perf_counter()
            products = [multiply(first, second, model).astype(dtype, copy=False) for model in models]
            golden_seconds += time.perf_counter() - start
            process.stdin.write(np.uint32(a.size).tobytes())
            for column in (first, second, *products):
                process.stdin.write(column.data)
            sent += a.size * len(candidates)
    except BrokenPipeError:
        pass  # It has found a disagreement, and says so.
    output = process.communicate()[0].decode()
    _check_exit(process.returncode, output)
    if int(output) != sent:
        raise SimulationError(f"the bench compared {int(output)} products of {sent}")
    return Comparison(sent, golden_seconds)


def _check_exit(status: int, output: str) -> None:
    if status:
        raise SimulationError(output.strip() or f"the bench ended with exit status {status}")


def build_array(sources: Sequence[Path], top: str, directory: Path, design: Design | None = None) -> Path:
    """Build the bench of an array.

    Parameters
    ----------
    sources : sequence of Path
        Verilog files.
    top : str
        Name of the array's module.
    directory : Path
    design : Design, optional
        The array; needed where its clock or reset are not as usual.

    Returns
    -------
    Path
        The program.

    Raises
    ------
    UserError
        There is no usable Verilator or C++ compiler.
    SimulationError
        One of them refused the sources.
    """
    array = design or make_design("array")
    ports = {"CLOCK": array.clock_name, "RESET": array.reset_name, "RESET_ON": array.reset_level}
    flags = [f"-D{name}={value}" for name, value in ports.items()]
    return build_program(sources, top, STREAMS, prepare_directory(directory), flags)


def build_program(
    sources: Sequence[Path],
    top: str,
    main_file: Path,
    directory: Path,
    flags: Sequence[str],
    more: Sequence[str] = (),
) -> Path:
    """Compile a design, as class Vbench, with a C++ program.

    Parameters
    ----------
    sources : sequence of Path
        Verilog files.
    top : str
        Name of the top module.
    main_file : Path
        The program's C++.
    directory : Path
        Of `prepare_directory`.
    flags : sequence of str
        Of the compiler.
    more : sequence of str
        Options of Verilator.

    Returns
    -------
    Path
        The program.

    Raises
    ------
    UserError
        There is no usable Verilator or C++ compiler.
    SimulationError
        One of them refused the sources; what it said is in `build.log`.
    """
    environment = verilator_environment()
    log = directory / "build.log"
    command = ["verilator", "--cc", "--exe", "-O3", "--x-initial", "fast", "-Wno-fatal"]
    command += ["--prefix", "Vbench", "--top-module", top, "--Mdir", "."]
    command += ["-CFLAGS", " ".join(["-march=native", *flags])]
    command += ["--no-MMD", *more, *(os.path.relpath(path, directory) for path in sources)]
    try:
        with built(directory, [*sources, main_file], [verilator_version(), *command]) as missing:
            if missing:
                _compile(command, main_file, directory, environment, log)
    except RuntimeError as error:
        check_room(directory)
        raise SimulationError(f"Verilator could not build {top}: see {log}") from error
    return directory / "Vbench"


def _compile(
    command: Sequence[str], main_file: Path, directory: Path, environment: Mapping[str, str], log: Path
) -> None:
    with log.open("w") as output:
        run_build(command, directory, environment, output)
        join_main(directory / "Vbench.cpp", main_file)
        runtime(environment).bring(directory)
        run_build(make_command(directory, "Vbench.mk", OPTIMISE), directory, environment, output)


def write_tiles(jobs: Sequence[Tile], design: Design, path: Path) -> None:
    """Write tiles for the bench of an array, as streams.cpp describes."""
    a, b, c = (bits // 8 for bits in data_bits(design).values())
    parts = [np.array([a, b, c, len(jobs)], dtype="<u4").tobytes()]
    for tile in jobs:
        for beats, size in ((tile.a, a), (tile.b, b), (tile.rows, c)):
            parts.append(np.uint32(len(beats)).tobytes())
            parts += [beat.to_bytes(size, "little") for beat in beats]
        parts += [np.uint32(len(tile.flags)).tobytes(), bytes(tile.flags)]
    write_files(path.parent, {path.name: b"".join(parts)})


def run_array(
    program: Path,
    tiles: Path,
    *,
    passes: int = 1,
    pause: float = 0.0,
    seed: int = 0,
    rows: Path | None = None,
) -> ArrayRun:
    """Send all tiles, one after the other, and compare every row and its flags.

    Parameters
    ----------
    program : Path
        Of `build_array`.
    tiles : Path
        Of `write_tiles`.
    passes : int
        How often all tiles are sent.
    pause : float
        Probability with which each of the three streams pauses in a cycle.
    seed : int
        Of the pauses.
    rows : Path, optional
        Where the bytes of tdata of all rows are written as they come.

    Raises
    ------
    SimulationError
        A row differs, never comes, is withdrawn, or comes unasked.
    """
    recorded = [str(rows)] if rows else []
    return _run(program, tiles, "check", passes, round(pause * OF_256), seed, *recorded)


def run_bare(program: Path, tiles: Path, cycles: int) -> ArrayRun:
    """Clock the beats of all tiles in without looking at what comes out: what Verilator alone takes."""
    return _run(program, tiles, "bare", cycles)


def _run(program: Path, tiles: Path, *arguments: str | int) -> ArrayRun:
    command = [str(program), str(tiles), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    _check_exit(result.returncode, result.stdout)
    rows, cycles, seconds = result.stdout.split()
    return ArrayRun(int(rows), int(cycles), float(seconds))
