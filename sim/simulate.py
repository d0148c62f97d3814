"""Simulating a design's Verilog under Verilator against the golden model."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from lmul.design import Design
from lmul.golden import Codes
from lmul.golden.sums.blocks.scales import Scales
from lmul.host.files import check_room
from lmul.sim.coverage.products import Group
from lmul.sim.simulators.four_state import FourStateRunner, icarus_runner
from lmul.sim.simulators.verilator import PortRunner
from lmul.sim.simulators.waves import vcd_to_fst

Progress = Callable[[int, int], None]
Runner = PortRunner | FourStateRunner

TESTCASES = {
    "mul": ("codes", "stress"),
    "dot": ("operands", "pauses", "stress"),
    "array": ("operands", "pauses", "mismatch", "stress"),
}
"""The tests in the benches of each kind of design, the quickest first; `dot_stream` has no stress."""

BUILT = "built"
"""File in the directory of a simulator that was built whole: a checksum of all that it was built from."""


class SimulationError(RuntimeError):
    """The simulation ended early, or the hardware differs from the golden model."""


@dataclass(frozen=True)
class SimulationRun:
    """One test case of a design's bench, on a design's Verilog.

    Parameters
    ----------
    design : Design
    sources : sequence of Path
        Verilog files, of the design itself or of its netlist and cells.
    top : str
        Name of the top module.
    ports : sequence of str
        Its ports.
    matrices : sequence of (ndarray, ndarray)
        Matrix products as codes, (M, K) and (K, N).
    directory : Path
        Where the simulator is built; a second run with the same Verilog compiles nothing.
    testcase : str
        Name of a test in the bench of this kind of design, `lmul.sim.benches`; `stress` has benches of
        its own, which draw the operands too, and `vectors` one for `results`.
    waves : bool
        Write `waves.fst` in `directory`.
    seed : int
        Of whatever the test case draws, and of what registers begin with.
    four_state : bool
        Simulate under Icarus Verilog, where registers begin unknown, and let no output be unknown after
        the reset.
    starts : ndarray of codes of fp32, shape (S,)
        Of the test case `vectors`: what each dot product begins with.
    scales : sequence of Scales
        Those of every step of the matrix products, for a design with block scales; drawn if none are given.
    """

    design: Design
    sources: Sequence[Path]
    top: str
    ports: Sequence[str]
    matrices: Sequence[tuple[Codes, Codes]]
    directory: Path
    testcase: str = "operands"
    waves: bool = False
    seed: int = 0
    four_state: bool = False
    starts: Codes | None = None
    scales: Sequence[Scales] = ()

    @property
    def test_module(self) -> str:
        """The bench that has the test case."""
        own = f"{self.testcase}_" if self.testcase in {"stress", "vectors"} else ""
        return f"lmul.sim.benches.{own}{self.design.bench}"

    @property
    def result(self) -> Path:
        """The file in which the bench tells what it counted."""
        return self.directory / f"{self.testcase}.json"

    @property
    def progress(self) -> Path:
        """The file in which the bench tells how far it is."""
        return self.directory / "progress"

    @property
    def stimulus(self) -> Path:
        """The file that the bench reads the matrices from."""
        return self.directory / "stimulus.npz"

    def environment(self) -> dict[str, str]:
        """Give the variables that tell the bench all this."""
        return {
            "LMUL_DESIGN": json.dumps(self.design.parameters()),
            "LMUL_STIMULUS": str(self.stimulus),
            "LMUL_RESULT": str(self.result),
            "LMUL_PROGRESS": str(self.progress),
            "LMUL_FOUR_STATE": "1" if self.four_state else "",
            # The benches say themselves what is wrong: rewriting their imports takes longer than many a run.
            "COCOTB_REWRITE_ASSERTION_FILES": "",
            "COCOTB_LOG_LEVEL": "WARNING",
            "GPI_LOG_LEVEL": "WARNING",
        }


@dataclass(frozen=True)
class Simulation:
    """What a bench counted.

    Parameters
    ----------
    compared : int
        Output elements that were compared, all of them equal.
    products : int
        Products that went into them, padding left out.
    cycles : int
        Clock cycles from the first operands to the last output; 0 for a combinational design.
    busy : int
        Cycles among those from the first to the last step in which a step was taken.
    window : int
        Cycles from the first to the last step. This and `busy` are 0 of `stress`.
    stimulus : str
        Fingerprint of what a test case drew, where it draws all of it before it starts.
    coverage : list of Group
        What was compared, and in what circumstances, where a test case counts that.
    waves : Path or None
    """

    compared: int
    products: int
    cycles: int
    busy: int
    window: int
    stimulus: str
    coverage: list[Group]
    waves: Path | None


def simulate(run: SimulationRun, progress: Progress | None = None) -> Simulation:
    """Build a design's Verilog and run one test case of its bench on it.

    Parameters
    ----------
    run : SimulationRun
    progress : callable, optional
        Called with the number of work units that are done, and of all.

    Raises
    ------
    UserError
        There is no usable simulator or C++ compiler.
    SimulationError
        The build failed, or an output differs from the golden model.
    """
    run = _simulated(run, progress)
    counted = json.loads(run.result.read_text())
    counted["coverage"] = [Group(**group) for group in counted["coverage"]]
    return Simulation(**counted, waves=_convert_waves(run.directory) if run.waves else None)


def results(
    run: SimulationRun,
    a: Codes,
    b: Codes,
    starts: Codes,
    progress: Progress | None = None,
    scales: Scales | None = None,
) -> NDArray[np.uint32]:
    """Give what a dot product with an addend makes of rows, in place of what it is compared with.

    Parameters
    ----------
    run : SimulationRun
        Its matrices, starts and test case are those of this function.
    a, b : ndarray of codes, shape (S, K)
        The operands of dot product s are row s of both.
    starts : ndarray of codes of fp32, shape (S,)
        What each begins with.
    progress : callable, optional
        As `simulate` has it.
    scales : Scales, optional
        Those of every step of both operands, of the rows of both.

    Returns
    -------
    ndarray of uint32, shape (S,)

    Raises
    ------
    UserError, SimulationError
        As `simulate`, but for a difference from the model.
    """
    own = [Scales(scales.a, scales.b.T)] if scales else []
    given = replace(run, testcase="vectors", matrices=[(a, b.T)], starts=starts, scales=own)
    run = _simulated(given, progress)
    found: NDArray[np.uint32] = np.load(run.result.with_suffix(".npy"))
    return found


def _simulated(run: SimulationRun, progress: Progress | None) -> SimulationRun:
    """Build a simulator and run a test case; give the run with its absolute directory."""
    run = replace(run, directory=prepare_directory(run.directory))
    runner = _runner(run)
    _write_stimulus(run)
    _build(runner, run)
    with _Watch(run.progress, progress):
        _run(runner, run, run.environment())
    return run


def prepare_directory(directory: Path) -> Path:
    """Make a simulator's directory, empty if what it holds was not built whole; give its absolute path."""
    directory = directory.resolve()
    if not (directory / BUILT).exists():
        # Killed compilers leave halves of files that make takes for whole ones.
        shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextmanager
def built(directory: Path, sources: Sequence[Path], made_from: Sequence[object]) -> Iterator[bool]:
    """Tell whether a simulator has to be built, and note that it was if nothing goes wrong.

    Parameters
    ----------
    directory : Path
        Of the simulator.
    sources : sequence of Path
        Files whose content it is built from.
    made_from : sequence of object
        All else that it depends on.
    """
    content = b"\0".join([repr(made_from).encode(), *(path.read_bytes() for path in sources)])
    note, checksum = directory / BUILT, sha256(content).hexdigest()
    missing = not note.exists() or note.read_text() != checksum
    if missing:
        note.unlink(missing_ok=True)
    yield missing
    note.write_text(checksum)


def build_simulator(run: SimulationRun) -> None:
    """Build what `run_mutants` runs; errors as `simulate` has them."""
    run = replace(run, directory=prepare_directory(run.directory))
    _build(_runner(run), run)


def run_mutants(
    run: SimulationRun, mutants: Sequence[int], progress: Progress | None = None
) -> dict[int, str | None]:
    """Run a test case on a netlist with faults: first on each of them, then without any.

    Parameters
    ----------
    run : SimulationRun
        As `build_simulator` built it.
    mutants : sequence of int
        Values of the netlist's input `mutant`, which is 0 for no fault.
    progress : callable, optional
        As `simulate` has it.

    Returns
    -------
    dict of int to str or None
        What the bench said to each fault, None if it did not notice.

    Raises
    ------
    SimulationError
        The netlist without a fault does not pass.
    """
    run = replace(run, directory=run.directory.resolve())
    for stale in run.directory.glob("mutant*.xml"):
        stale.unlink()
    _write_stimulus(run)
    with _Watch(run.progress, progress):
        _run(_runner(run), run, run.environment() | {"LMUL_MUTANTS": json.dumps(list(mutants))})
    return {number: _failure(run.directory / f"mutant{number}.xml") for number in mutants}


def _runner(run: SimulationRun) -> Runner:
    return icarus_runner() if run.four_state else PortRunner(run.ports)


def _convert_waves(directory: Path) -> Path:
    vcd, part, fst = directory / "dump.vcd", directory / "waves.fst.part", directory / "waves.fst"
    vcd_to_fst(vcd, part)
    vcd.unlink()
    return part.replace(fst)


def _write_stimulus(run: SimulationRun) -> None:
    """Write what the bench reads, and leave no result of an earlier run."""
    arrays: dict[str, Any] = {}
    for index, (a, b) in enumerate(run.matrices):
        arrays |= {f"a{index}": a, f"b{index}": b}
    for index, scales in enumerate(run.scales):
        arrays |= {f"scales_a{index}": scales.a, f"scales_b{index}": scales.b}
    if run.starts is not None:
        arrays["starts"] = run.starts
    np.savez(run.stimulus, **arrays)
    run.result.unlink(missing_ok=True)


def _build(runner: Runner, run: SimulationRun) -> None:
    log = run.directory / "build.log"
    try:
        with built(run.directory, run.sources, [*runner.made_from, run.top, run.waves]) as missing:
            if missing:
                runner.compile(run.sources, run.top, run.directory, waves=run.waves, log=log)
    except (SystemExit, RuntimeError) as error:
        check_room(run.directory)
        raise SimulationError(f"{runner.simulator} could not build {run.top}: see {log}") from error


def _run(runner: Runner, run: SimulationRun, environment: Mapping[str, str]) -> None:
    log = run.directory / f"{run.testcase}.log"
    try:
        results = runner.test(
            test_module=run.test_module,
            hdl_toplevel=run.top,
            hdl_toplevel_lang="verilog",
            testcase=run.testcase,
            seed=run.seed,
            waves=run.waves,
            # Verilator's way to begin with random contents of registers; Icarus does not look at it.
            plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{run.seed % (1 << 31) or 1}"],
            extra_env=environment,
            build_dir=run.directory,
            test_dir=run.directory,
            results_xml=str(run.directory / "results.xml"),
            log_file=log,
        )
    except (SystemExit, RuntimeError) as error:
        check_room(run.directory)
        failure = _failure(run.directory / "results.xml")
        raise SimulationError(f"{failure}; seed {run.seed}, see {log}") from error
    if failure := _failure(results):
        raise SimulationError(f"{failure}; seed {run.seed}, see {log}")


def _failure(results: Path) -> str | None:
    """Give the message of the first test that failed."""
    if not results.exists():
        return "the simulation ended before its first test"
    root = ElementTree.parse(results).getroot()  # noqa: S314
    if root.find(".//testcase") is None:
        return "the bench has no such test"
    for failure in root.iter("failure"):
        return str(failure.get("error_msg") or failure.get("message"))
    return None


class _Watch:
    """Pass on what the bench writes into its progress file."""

    def __init__(self, path: Path, progress: Progress | None) -> None:
        self._path = path
        self._progress = progress
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._path.unlink(missing_ok=True)
        if self._progress:
            self._thread.start()

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        if self._progress:
            self._thread.join()
            self._report()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self._report()

    def _report(self) -> None:
        if self._progress and self._path.exists() and (text := self._path.read_text()).count(" ") == 1:
            done, total = text.split()
            self._progress(int(done), int(total))
