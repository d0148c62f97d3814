"""Every pair of codes, or a billion of fp32, through every multiplier: `python -m lmul.evidence.exhaustive`.

Formats of up to 8 bits: all multipliers and policies, RTL and mapped netlists; int8 and int4, alone and
beside each other. bf16 and fp16: all 2^32 pairs. fp32: random pairs, and all pairs of thousands of edge
codes. Everything is compared with the golden model, in the native bench, by as many processes as there are
processors.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from lmul.cost.library.reader import default_library
from lmul.cost.mapping.designs import map_to_cells
from lmul.cost.mapping.mapper import CELLS
from lmul.cost.mapping.scripts import RIPPLE_EMAP
from lmul.cost.netlist.netlist import cell_models
from lmul.design import Design, make_design
from lmul.errors import UserError, one_line
from lmul.golden import FORMATS, OVERFLOWS, SUBNORMALS, Codes, Format, find_format
from lmul.hdl import export
from lmul.host.files import check_output, folder, locked, write_files, write_json
from lmul.multipliers.addc import ADDC_MANTISSA_BITS
from lmul.sim.native.native import Candidate, build_products, compare_products
from lmul.sim.simulate import SimulationError
from lmul.sim.stimulus.pairs import WIDEST_ALL, draw_pairs, many_edge_codes
from lmul.terminal.console import console
from lmul.terminal.parser import Parser, run_tool
from lmul.terminal.progress import working

MULS = ("lmul", "mitchell", "addm", "addc", "exact")
WIDE_MULS = ("lmul", "mitchell", "exact")
INTEGERS = {
    "int8": ("int8", "int8"),
    "int4": ("int4", "int4"),
    "int8xint4": ("int8", "int4"),
    "int4xint8": ("int4", "int8"),
}
WIDE_LANES = 16
WIDEST_EXHAUSTIVE = 16
"""Formats up to this width get all pairs of codes."""

DRAWN = 1_000_000_000
DRAWN_AT_ONCE = 1_000_000
PAIRS_AT_ONCE = 1 << 18
"""Pairs that are sent to the bench at once."""


@dataclass(frozen=True)
class Part:
    """The multipliers of the same formats, which are built side by side.

    Parameters
    ----------
    format : Format
        Of the first operand.
    designs : tuple of Design
    netlists : bool
        Compare the mapped netlists too.
    second : Format, optional
        Of the second operand; default: the same.
    """

    format: Format
    designs: tuple[Design, ...]
    netlists: bool
    second: Format | None = None

    @property
    def name(self) -> str:
        """Of both formats."""
        return self.designs[0].format_names

    @property
    def candidates(self) -> list[Candidate]:
        """The modules that are compared."""
        rtl = [Candidate(design, design.name) for design in self.designs]
        netlists = [Candidate(design, f"{design.name}_netlist") for design in self.designs]
        return rtl + (netlists if self.netlists else [])

    @property
    def chunks(self) -> int:
        """Shares of the work, each of them the task of one process."""
        if self.format.width <= WIDEST_ALL:
            return 1
        return 256 if self.format.width <= WIDEST_EXHAUSTIVE else 1 + DRAWN // DRAWN_AT_ONCE

    def pairs(self, chunk: int) -> Iterator[tuple[Codes, Codes]]:
        """Give the pairs of one share, block by block."""
        if self.format.width <= WIDEST_EXHAUSTIVE:
            formats = (self.format, self.second or self.format)
            first, second = (np.arange(1 << format_.width, dtype=format_.dtype) for format_ in formats)
            return _all_pairs(np.array_split(first, self.chunks)[chunk], second)
        if chunk == 0:
            edges = many_edge_codes(self.format).astype(self.format.dtype)
            return _all_pairs(edges, edges)
        drawn = draw_pairs(self.format, DRAWN_AT_ONCE, np.random.default_rng([1, chunk]))
        return iter([(drawn[:, 0], drawn[:, 1])])


@dataclass(frozen=True)
class Outcome:
    """What became of one part.

    Parameters
    ----------
    format : str
    multipliers : str
    modules : int
        RTL and netlists.
    pairs, products : int
        Pairs of codes, and products of all modules that were compared.
    build_seconds, seconds : float
        Until the bench was built, and until all was compared.
    golden_seconds : float
        Time of the golden model, of all processes together.
    disagreement : str
        The first one; empty if there is none.
    """

    format: str
    multipliers: str
    modules: int
    pairs: int = 0
    products: int = 0
    build_seconds: float = 0.0
    seconds: float = 0.0
    golden_seconds: float = 0.0
    disagreement: str = ""


def small_formats() -> list[str]:
    """Give the names of all formats of up to 8 bits."""
    fields = product(range(2, WIDEST_ALL - 1), range(1, WIDEST_ALL))
    return [f"e{e}m{m}" for e, m in fields if 1 + e + m <= WIDEST_ALL]


def part(format_: str, muls: Sequence[str]) -> Part:
    """Give the part of one format, or of two integers.

    Parameters
    ----------
    format_ : str
    muls : sequence of str
        Multipliers; those that are not defined for the format are left out.
    """
    if format_ in INTEGERS:
        names = INTEGERS[format_]
        design = make_design("mul", format_a=names[0], format_b=names[1])
        first, second = design.formats
        return Part(first, (design,) if "exact" in muls else (), netlists=True, second=second)
    shape = find_format(format_)
    if shape.width > WIDEST_ALL:
        designs = [make_design("mul", format=format_, mul=mul) for mul in muls if mul in WIDE_MULS]
        return Part(shape, tuple(designs), netlists=False)
    defined = [mul for mul in muls if mul != "addc" or shape.mantissa_bits <= ADDC_MANTISSA_BITS]
    designs = [
        make_design("mul", format=format_, mul=mul, subnormals=subnormals, overflow=overflow)
        for mul, subnormals, overflow in product(defined, SUBNORMALS, OVERFLOWS)
    ]
    return Part(shape, tuple(designs), netlists=True)


def _all_pairs(first: Codes, second: Codes) -> Iterator[tuple[Codes, Codes]]:
    rows = max(PAIRS_AT_ONCE // len(second), 1)
    for start in range(0, len(first), rows):
        some = first[start : start + rows]
        yield np.repeat(some, len(second)), np.tile(second, len(some))


def build(part: Part, directory: Path) -> tuple[Path, float]:
    """Build the bench of a part: give the program, and the seconds that it took."""
    start = time.perf_counter()
    exports = {design.name: export(design) for design in part.designs}
    files = {f"{name}.v": text.verilog for name, text in exports.items()}
    if part.netlists:
        files |= _netlists(part, directory / CELLS)
    target = directory / "exhaustive" / "-".join([part.name, *_muls(part)])
    lanes = 1 if part.format.width <= WIDEST_ALL else WIDE_LANES
    with locked(target):
        sources = write_files(target, files)
        program = build_products(part.candidates, sources, lanes, target / "build")
    return program, time.perf_counter() - start


def _netlists(part: Part, cache: Path) -> dict[str, str]:
    """Map all designs of a part: their netlists, and models of the cells in them."""
    files: dict[str, str] = {}
    cells: set[str] = set()
    for design in part.designs:
        text = export(design, f"{design.name}_netlist")
        (mapped,) = map_to_cells(text, design, default_library(), scripts=[RIPPLE_EMAP], cache=cache).values()
        files[f"{text.name}.v"] = mapped.verilog
        cells |= mapped.netlist.cell_counts.keys()
    return files | {"cells.v": cell_models(mapped.netlist.library, cells)}


def _muls(part: Part) -> list[str]:
    return list(dict.fromkeys(design.mul for design in part.designs))


def compare(part: Part, program: Path, chunk: int) -> tuple[int, float]:
    """Compare one share of a part: give the products, and the seconds of the golden model."""
    comparison = compare_products(program, part.candidates, part.pairs(chunk))
    return comparison.products, comparison.golden_seconds


def run(part: Part, program: Path, outcome: Outcome, pool: ProcessPoolExecutor) -> Outcome:
    """Compare all of a part, or up to the first disagreement."""
    start = time.perf_counter()
    products, golden, disagreement = 0, 0.0, ""
    with working(f"Comparing {len(part.candidates)} {part.name} modules") as progress:
        waiting = [pool.submit(compare, part, program, chunk) for chunk in range(part.chunks)]
        try:
            for done, future in enumerate(as_completed(waiting), 1):
                some, seconds = future.result()
                products, golden = products + some, golden + seconds
                progress(done, len(waiting))
        except SimulationError as error:
            disagreement = str(error)
        finally:
            _cancel(waiting)
    return replace(
        outcome,
        pairs=products // len(part.candidates),
        products=products,
        seconds=time.perf_counter() - start,
        golden_seconds=golden,
        disagreement=disagreement,
    )


def _cancel(futures: Sequence[Future[Any]]) -> None:
    for future in futures:
        future.cancel()


def run_all(parts: Sequence[Part], directory: Path) -> list[Outcome]:
    """Build all benches, then run one after the other with all processors."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        with working(f"Building {len(parts)} benches") as progress:
            builds = [pool.submit(build, part, directory) for part in parts]
            for done, _ in enumerate(as_completed(builds), 1):
                progress(done, len(parts))
        outcomes = []
        for part, built in zip(parts, builds, strict=True):
            program, seconds = built.result()
            outcome = Outcome(part.name, " ".join(_muls(part)), len(part.candidates), build_seconds=seconds)
            outcomes.append(run(part, program, outcome, pool))
            if outcomes[-1].disagreement:
                print(f"lmul: {part.name}: {outcomes[-1].disagreement}", file=sys.stderr)
        return outcomes


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print a table."""
    right = [Column(name, justify="right") for name in ("modules", "pairs", "run, s")]
    table = Table("format", "multipliers", *right, "", box=SIMPLE_HEAD)
    for outcome in outcomes:
        counts = f"{outcome.modules:,}", f"{outcome.pairs:,}", f"{outcome.seconds:.1f}"
        verdict = "differs" if outcome.disagreement else ""
        table.add_row(outcome.format, outcome.multipliers, *counts, verdict)
    console().print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0; 1 where hardware and model differ.

    Raises
    ------
    UserError
        An argument cannot be used.
    """
    named = [name for name in FORMATS if find_format(name).width > WIDEST_ALL]
    known = [*small_formats(), *INTEGERS, *named]
    parser = Parser(prog="python -m lmul.evidence.exhaustive", description=__doc__)
    parser.add_argument("--format", action="append", choices=known, help="this one only; repeatable")
    parser.add_argument("--mul", action="append", choices=MULS, help="this one only; repeatable")
    parser.add_argument("--build", type=folder, default="build", metavar="DIR", help="where files go")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    if options.json:
        check_output(options.json)
    names, muls = (list(dict.fromkeys(chosen)) for chosen in (options.format or known, options.mul or MULS))
    parts = [one for one in (part(name, muls) for name in names) if one.designs]
    compared = {mul for one in parts for mul in _muls(one)}
    idle = [mul for mul in options.mul or muls if mul not in compared]
    if not parts or (options.mul and idle):
        raise UserError(
            f"--mul {', '.join(idle)} is not compared in {', '.join(names)}: above 8 bits name "
            f"{', '.join(WIDE_MULS)}; addc has formats of up to {ADDC_MANTISSA_BITS} mantissa bits"
        )
    try:
        outcomes = run_all(parts, options.build)
        if options.json:
            write_json(options.json, [asdict(outcome) for outcome in outcomes])
    except SimulationError as error:
        print(f"lmul: {one_line(error)}", file=sys.stderr)
        return 1
    print_outcomes(outcomes)
    return 1 if any(outcome.disagreement for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(run_tool(main))
