"""Model checking of Verilog: Yosys writes an and-inverter graph, ABC proves or refutes it.

A property is an immediate `assert` in the Verilog, an assumption about the environment an `assume`;
both hold before a rising edge of the one clock. A register without initial value begins with any
value, and a net without driver has any value in any cycle.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lmul.host.files import scratch
from lmul.programs.extras import missing
from lmul.programs.yosys import run_yosys

COMMANDS = {
    "sec": "dprove -T {seconds}",
    "pdr": "pdr -T {seconds}",
    "bmc": "bmc3 -F {cycles} -T {seconds}",
    "step": "frames -F {cycles} -i; orpos; iprove",
    "bdd": "collapse -r -B 100000000; strash; iprove",
}
"""ABC's commands by method.

`sec` is sequential equivalence checking: nets that stay equal are found by induction, the rest by `pdr`.
`pdr` is property directed reachability: an inductive invariant, for any number of cycles. `bmc` is bounded
model checking: every run of a number of cycles. `step` checks the same cycles as one combinational function
by SAT sweeping, which manages two unlike descriptions of one step. `bdd` makes a decision diagram of one
function, its inputs in the order of the ports, which manages sums of many numbers.
"""


@dataclass(frozen=True)
class Verdict:
    """What a model checker found.

    Parameters
    ----------
    holds : bool or None
        None: not decided in time.
    cycles : int or None
        Of a counterexample, or those that were checked; None where a proof holds for any number.
    """

    holds: bool | None
    cycles: int | None


def check(sources: Mapping[str, str], top: str, *, method: str, seconds: float, cycles: int = 0) -> Verdict:
    """Prove the assertions in a design, or find inputs that break one.

    Parameters
    ----------
    sources : mapping of str to str
        Verilog by file name.
    top : str
        Name of the top module. Its clock, and that of all modules, is `clk`.
    method : str
        A name of `COMMANDS`.
    seconds : float
        Time for ABC.
    cycles : int
        How many `bmc` and `step` check.

    Raises
    ------
    UserError
        pyosys is not installed.
    YosysError
        The Verilog cannot be read.
    """
    with scratch() as directory:
        for file, text in sources.items():
            (directory / file).write_text(text)
        run_yosys(aiger_commands(list(sources), top), directory)
        return _run_abc(directory, method, seconds, cycles)


def aiger_commands(files: list[str], top: str) -> list[str]:
    """Give the Yosys commands that write a design with its assertions as `design.aig`."""
    return [
        *(f"read_verilog -formal {file}" for file in files),
        f"hierarchy -check -top {top}",
        "proc -norom",
        "flatten",
        # ABC would take outputs for bad states.
        "delete -output o:*",
        "chformal -lower",
        "async2sync",
        "setundef -undriven -anyseq",
        "opt_expr",
        "opt_clean",
        "techmap",
        "dffunmap",
        "simplemap",
        "opt_expr",
        "opt_clean",
        "aigmap",
        "write_aiger -zinit -I -B design.aig",
    ]


def _run_abc(directory: Path, method: str, seconds: float, cycles: int) -> Verdict:
    """Let ABC decide whether one of the graph's bad states can be reached."""
    command = COMMANDS[method].format(seconds=max(1, round(seconds)), cycles=cycles)
    try:
        result = subprocess.run(  # noqa: S603
            [abc_binary(), "-q", f"read_aiger design.aig; fold; strash; orpos; {command}; print_status"],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=seconds + 5,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict(None, None)
    verdict = _verdict(result.stdout, cycles)
    return Verdict(False, cycles) if method == "step" and verdict.holds is False else verdict


def _verdict(output: str, cycles: int) -> Verdict:
    """Read what ABC prints: a status of 1 is a proof, 0 a counterexample."""
    status = re.search(r"Status = *(-?\d+)(?:.*? Frame = *(\d+))?", output)
    if not status:
        raise RuntimeError(f"ABC gave no answer: {output[-300:]}")
    if status[1] == "0":
        return Verdict(False, int(status[2] or 0) + 1)
    if status[1] == "1":
        return Verdict(True, None)
    checked = re.search(r"No output asserted in (\d+) frames", output)
    return Verdict(True, cycles) if cycles and checked and int(checked[1]) >= cycles else Verdict(None, None)


def abc_binary() -> Path:
    """Find the ABC that pyosys carries.

    Raises
    ------
    UserError
        pyosys is not installed.
    """
    try:
        import pyosys  # type: ignore[import-untyped]
    except ImportError:
        raise missing("pyosys") from None
    return Path(pyosys.__file__).parent / "yosys-abc"
