"""Campaigns: designs whose netlists get faults, the benches that should notice, and what came of it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from lmul.design import Design, make_design
from lmul.evidence.formal.claims import Fault
from lmul.evidence.formal.equivalence import equivalent
from lmul.evidence.mutation.netlist import SELECT, Drawn, Mutation, Netlist, draw
from lmul.evidence.mutation.written import (
    POWERS,
    POWERS_OF_FIXED_GROUPS,
    POWERS_OF_GROUPS,
    SCALES_OF_GROUPS,
    SIGNED_PRODUCTS,
    SIGNED_SUMS,
    Written,
)
from lmul.golden import E4M3
from lmul.hdl import export
from lmul.sim.simulate import TESTCASES, SimulationRun, build_simulator, run_mutants
from lmul.sim.stimulus.quick import Matrices, quick_operands, shortest_tiles
from lmul.terminal.progress import Report

MASKS: dict[str, dict[str, str]] = {
    "mul": {},
    "dot": {"c": "c_valid", "c_flags": "c_valid"},
    "array": dict.fromkeys(("m_axis_c_tdata", "m_axis_c_tlast", "m_axis_c_tuser"), "m_axis_c_tvalid"),
}
"""Outputs that mean something only while another one is high."""

SUMS_BEGIN = """\
  reg [{last}:0] inside = 0;
  always @(posedge clk) if (rst) inside <= 0; else if (in_valid) inside <= {{1'b1, inside}} >> 1;
  always @* assume (rst || !in_valid || in_first || inside[0]);"""
"""A dot product begins with `in_first`, those in turn each with its own (docs/ports.md)."""

OPERANDS = ("s_axis_a_tdata", "s_axis_b_tdata")

SCOPES: dict[str, Callable[[Netlist], list[Mutation]]] = {
    "all": Netlist.mutations,
    "control": lambda netlist: netlist.control_mutations(OPERANDS, inside=True),
    "enables": lambda netlist: netlist.control_mutations(OPERANDS, inside=False),
}
"""Where faults are: anywhere; in gates that no operand bit reaches; at pins by which those act on data."""

WORKERS = 2


@dataclass(frozen=True)
class Campaign:
    """Faults of one design.

    Parameters
    ----------
    part : str
        What the design stands for in the totals.
    name : str
        What it is among those.
    design : Design
    count : int
        How many random faults.
    scope : str
        A name of `SCOPES`.
    testcases : sequence of str, optional
        Default: those of `TESTCASES`.
    faults : sequence of Fault, optional
        Those that are written down, in place of drawn ones.
    """

    part: str
    name: str
    design: Design
    count: int
    scope: str = "all"
    testcases: Sequence[str] = ()
    faults: Sequence[Fault] = ()


# Four rows: counters of rows go through all of their states.
_OS = make_design("array", rows=4, cols=2, lanes=1, share=1, acc="fixed:12:-4", out="raw")
_WS = make_design("array", rows=4, cols=2, lanes=1, share=1, dataflow="ws", acc="fixed:12:-4", out="raw")
_IN_TURN = make_design("dot", lanes=2, acc="fused:7", out="raw", pipeline=2, interleave=2)


def _written(part: str, name: str, design: Design, faults: Sequence[Fault]) -> Campaign:
    testcase = "codes" if design.kind == "mul" else "stress"
    return Campaign(part, name, design, len(faults), testcases=(testcase,), faults=faults)


# An addend may be any number: the least exponent of a sum matters.
_NVFP4 = make_design(
    "dot", format="e2m1", mul="exact", acc="fused:9", scale="nvfp4", lanes=32, pipeline=2, addend=True
)
_MXFP4 = make_design("dot", format="e2m1", acc="fused:7:5", scale="mxfp4", lanes=32, pipeline=2, out="raw")
_MX16 = make_design("dot", format="int4", acc="fixed:14:-4", scale="mx16", lanes=32, out="raw")
_MX = make_design("dot", format="e2m1", acc="fused:7:5", scale="mx", lanes=2, out="raw")
_PRODUCT = make_design("mul", format_a="int4", format_b="int8")
_SUM = make_design("dot", format_a="int4", format_b="int8", acc="fixed:13:0", lanes=2, out="raw")

WRITTEN = (
    _written("block scales", "nvfp4", _NVFP4, SCALES_OF_GROUPS),
    _written("block scales", "mxfp4", _MXFP4, POWERS_OF_GROUPS),
    _written("block scales", "mx16", _MX16, POWERS_OF_FIXED_GROUPS),
    _written("block scales", "mx", _MX, POWERS),
    _written("integers", "products", _PRODUCT, SIGNED_PRODUCTS),
    _written("integers", "sums", _SUM, SIGNED_SUMS),
)

CAMPAIGNS = (
    Campaign("multiplier", "lmul", make_design("mul"), 400),
    Campaign("multiplier", "exact", make_design("mul", mul="exact"), 400),
    Campaign("multiplier", "addc, ieee", make_design("mul", mul="addc", overflow="ieee"), 200),
    Campaign(
        "multiplier",
        "mitchell, pipeline",
        make_design("mul", mul="mitchell", subnormals="full", pipeline=1),
        200,
    ),
    Campaign("dot product", "exact sum", make_design("dot", lanes=2, depth=4), 400),
    Campaign("dot product", "saturating sum", make_design("dot", lanes=2, acc="fixed:14:-6", out="raw"), 300),
    Campaign("dot product", "fused sum", make_design("dot", lanes=2, acc="fused:7", out="raw"), 300),
    Campaign("dot product", "fused sums in turn", _IN_TURN, 300),
    Campaign("array control", "os, control", _OS, 400, "control"),
    Campaign("array control", "os, enables", _OS, 100, "enables"),
    Campaign("array control", "ws, control", _WS, 400, "control"),
    Campaign("array control", "ws, enables", _WS, 100, "enables"),
    *WRITTEN,
)


@dataclass(frozen=True)
class Mutant:
    """What became of a fault.

    Parameters
    ----------
    number : int
        From 1 on.
    where : str
        The gate, its pin, the kind of fault, and the signals that it reaches first.
    command : str
        That of Yosys which makes it.
    killed_by : str or None
        The first test that failed.
    message : str
        What that test said.
    equivalent : bool or None
        Of one that no test noticed: proven to be no fault, proven to be one, or not decided.
    """

    number: int
    where: str
    command: str
    killed_by: str | None = None
    message: str = ""
    equivalent: bool | None = None


@dataclass(frozen=True)
class Outcome:
    """A campaign and its mutants."""

    campaign: Campaign
    mutants: list[Mutant]

    @property
    def killed(self) -> int:
        """Mutants that a test noticed."""
        return sum(mutant.killed_by is not None for mutant in self.mutants)

    @property
    def equivalent(self) -> int:
        """Mutants that are proven to be no faults."""
        return sum(mutant.equivalent is True for mutant in self.mutants)

    @property
    def survivors(self) -> list[Mutant]:
        """Mutants that no test noticed, and that are not proven to be no faults."""
        return [mutant for mutant in self.mutants if not mutant.killed_by and mutant.equivalent is not True]


def run_campaign(
    campaign: Campaign, directory: Path, *, seed: int, seconds: float, progress: Report
) -> Outcome:
    """Put faults into a design one at a time, and see which tests notice.

    Parameters
    ----------
    campaign : Campaign
    directory : Path
        Where netlists and the simulator are built.
    seed : int
        Of the random faults.
    seconds : float
        Time to prove one mutant equivalent.
    progress : callable
        Called with the number of mutants that are done, and of all.

    Raises
    ------
    UserError
        A tool is missing.
    SimulationError
        The netlist without a fault does not pass.
    """
    text, source = export(campaign.design), _source(campaign, directory, seed)
    build = directory / "build"
    sources, operands = [source.all()], _operands(campaign.design)
    run = SimulationRun(
        campaign.design, sources, text.name, [*text.port_names, SELECT], operands, build, seed=1
    )
    build_simulator(run)
    mutants = [Mutant(number, *described) for number, described in enumerate(source.described, 1)]
    found = {mutant.number: mutant for mutant in mutants}
    for killed in _kill(campaign, run, mutants, progress):
        found[killed.number] = killed
    left = [number for number, mutant in found.items() if not mutant.killed_by]

    def decide(number: int) -> Mutant:
        # A reset that lasts until the pipelines hold what inputs can bring about.
        cycles, masks = campaign.design.latency + 1, MASKS[campaign.design.kind]
        is_dot = campaign.design.kind == "dot"
        proven = equivalent(
            source.verilog,
            source.one(number),
            text.name,
            seconds=seconds,
            reset_cycles=cycles,
            masks=masks,
            assumed=SUMS_BEGIN.format(last=campaign.design.interleave - 1) if is_dot else "",
        )
        return replace(found[number], equivalent=proven)

    with ThreadPoolExecutor(WORKERS) as pool:
        decided = {mutant.number: mutant for mutant in pool.map(decide, left)}
    return Outcome(campaign, list((found | decided).values()))


def _source(campaign: Campaign, directory: Path, seed: int) -> Drawn | Written:
    """Put the faults into the design: those that are written, or drawn ones."""
    if campaign.faults:
        return Written(campaign.design, campaign.faults[: campaign.count], directory)
    text = export(campaign.design)
    netlist = Netlist.of(text.verilog, text.name, directory)
    return Drawn(netlist, draw(SCOPES[campaign.scope](netlist), campaign.count, seed))


def _operands(design: Design) -> Matrices:
    """Give matrix products with which a test case reaches all of a design of e4m3; others draw their own."""
    if design.formats != (E4M3, E4M3):
        return []
    return quick_operands(design) + (shortest_tiles(design) if design.kind == "array" else [])


def _kill(
    campaign: Campaign, run: SimulationRun, mutants: Sequence[Mutant], progress: Report
) -> Iterator[Mutant]:
    """Run the tests one after another, each on the mutants that are left; give those that it notices."""
    design = campaign.design
    left = {mutant.number: mutant for mutant in mutants}
    for testcase in campaign.testcases or TESTCASES[design.kind]:
        if testcase == "stress" and design.kind == "mul" and not design.pipeline:
            continue  # All pairs again.
        numbers = list(left)
        if not numbers:
            return
        failures = run_mutants(replace(run, testcase=testcase), numbers, progress)
        for number, message in failures.items():
            if message is not None:
                yield replace(left.pop(number), killed_by=testcase, message=message)
