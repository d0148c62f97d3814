"""`lmul explore`: a sweep of designs to a Pareto front, which may be stopped and goes on where it was."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from lmul.commands.cost import conditions_of
from lmul.commands.shared.layout import lef_files
from lmul.commands.shared.library import library_files
from lmul.cost.layout.estimate import check_size
from lmul.cost.mapping.mapper import CELLS
from lmul.errors import Parameter, UserError, printable
from lmul.explore.evaluate import FULL, Evaluation, Setup, Task, evaluate
from lmul.explore.perplexity import (
    Perplexity,
    measured_perplexities,
    recorded_perplexities,
    ways_to_read,
)
from lmul.explore.plot import plot_front
from lmul.explore.report import ExploreReport
from lmul.explore.search.search import make_search
from lmul.explore.search.trial import Searcher
from lmul.explore.space import Point, Space, read_space
from lmul.explore.store import Store
from lmul.explore.sweep import Engine, Sweep, run_sweep
from lmul.explore.table import front_commands, front_table
from lmul.host.files import check_output, locked
from lmul.host.parameters import ParameterError
from lmul.host.processes import LocalProcesses, check_jobs
from lmul.llm.arithmetics import recorded_tokens
from lmul.metrics import PERPLEXITY
from lmul.programs.extras import require, require_placer
from lmul.terminal.console import console, say, write_figures
from lmul.terminal.pictures import check_plot_path
from lmul.terminal.progress import working
from lmul.workloads import Operands

RESULTS = Path("explore") / "results.sqlite"
"""The file of results in the build directory."""


def run_explore(options: argparse.Namespace) -> int:
    """Evaluate what a space describes, and show its Pareto front.

    Parameters
    ----------
    options : argparse.Namespace
        `space`, `build`, `results`, `operands`, `liberty`, `dont_use`, `seeds`, `precision`, `wires`, `jobs`,
        `scheduler`, `measure_perplexity`, `json`, `plot`, `quiet` and `verbose`.

    Raises
    ------
    UserError
        The space or an option cannot be used, or an evaluation failed; what was finished is kept.
    """
    results = options.results or options.build / RESULTS
    _check(options, results)
    space = read_space(options.space)
    _require(space, options)
    search = make_search(space)
    options.dont_use = options.dont_use or space.dont_use
    setup = _setup(space, options)
    operands = setup.matrices()
    for point in space.distinct:
        for pair in operands:
            point.design.check_length(pair.longest_sum, pair.name)
    perplexities = _perplexities(space, search.points, options)
    sweep = _swept(search, setup, perplexities, results, options)
    report = ExploreReport(
        space, sweep.figures, setup.library.read(), setup.conditions, _describe(operands), perplexities
    )
    _show(report, options)
    return 0


def _require(space: Space, options: argparse.Namespace) -> None:
    """Refuse to begin without an extra that is needed later on."""
    require("explore" if space.search.method == "optuna" else "cost")
    if space.layout:
        require_placer()
    if options.scheduler is not None:
        require("dask")
    if options.plot:
        require("plot")


def _check(options: argparse.Namespace, results: Path) -> None:
    """Refuse options that cannot be used, before any work."""
    check_jobs(options.jobs)
    check_output(results)
    if options.plot:
        check_plot_path(options.plot)


def _setup(space: Space, options: argparse.Namespace) -> Setup:
    """Give what evaluations have in common; files by absolute paths, for other processes."""
    library = library_files(options).absolute()
    operands = options.operands and options.operands.absolute()
    # Workers elsewhere may not have the directory.
    cache = None if options.scheduler else (options.build / CELLS).absolute()
    if cache:
        check_output(cache, directory=True)
    conditions = conditions_of(options, library.read())
    if not space.layout:
        if options.lef:
            raise UserError(
                "--lef means nothing without layout = true in the space: add that, or leave it out"
            )
        return Setup(conditions, operands, library, cache)
    if conditions.wires:
        raise UserError("--wires guesses what layout = true measures: leave one out")
    for point in space.distinct:
        check_size(point.design)
    lef = tuple(path.absolute() for path in lef_files(options))
    return Setup(conditions, operands, library, cache, lef)


def _perplexities(space: Space, points: list[Point], options: argparse.Namespace) -> dict[Point, Perplexity]:
    """Give the perplexity of every point, recorded or measured, before anything is synthesised."""
    if "perplexity" not in space.objectives:
        if options.measure_perplexity:
            nothing = "means nothing without the objective perplexity: leave it out, or add that"
            raise ParameterError("measure_perplexity", nothing)
        return {}
    found = recorded_perplexities(points)
    missing = [point for point in points if point not in found]
    if not missing:
        return found
    number = len(ways_to_read(missing))
    ways = f"{number} way{'s' if number > 1 else ''}"
    if not options.measure_perplexity:
        raise UserError(
            f"{missing[0].name}: no perplexity of its arithmetic is recorded: leave it out, or have SmolLM2 "
            f"read in {ways} with ",
            Parameter("measure_perplexity"),
        )
    with working(f"Reading {recorded_tokens():,} tokens in {ways}", quiet=options.quiet) as progress:
        return found | measured_perplexities(missing, options.build / "llm", progress)


def _swept(
    search: Searcher,
    setup: Setup,
    perplexities: Mapping[Point, Perplexity],
    results: Path,
    options: argparse.Namespace,
) -> Sweep:
    """Do the work, alone with the file of results."""
    fingerprint = setup.fingerprint()
    with (
        _engine(setup, fingerprint, options) as engine,
        locked(results.parent),
        working("Evaluating designs", quiet=options.quiet) as progress,
    ):
        beside = {point: {PERPLEXITY: found.ratio.value} for point, found in perplexities.items()}
        start, sweep = time.monotonic(), Sweep(beside=beside)
        finished = partial(_tell_evaluation, options.verbose)
        try:
            run_sweep(
                search, Store(results), engine, fingerprint, sweep, progress=progress, finished=finished
            )
        except KeyboardInterrupt:
            print(f"Stopped: the same command goes on from {printable(results)} ...", file=sys.stderr)
            raise
        if options.verbose:
            _tell_sweep(sweep, engine.workers, time.monotonic() - start)
    return sweep


def _engine(
    setup: Setup, fingerprint: Mapping[str, Any], options: argparse.Namespace
) -> AbstractContextManager[Engine]:
    if options.scheduler is None:
        work = partial(evaluate, setup=setup, fingerprint=fingerprint)
        return LocalProcesses(work, lambda task: task.point.name, options.jobs)
    from lmul.explore.cluster import DaskCluster

    return DaskCluster(setup, fingerprint, options.scheduler)


def _tell_evaluation(verbose: bool, task: Task, found: Evaluation) -> None:
    if verbose:
        what = task.point.name if task.effort == FULL else f"a look at {task.point.name}"
        print(f"Evaluated {what} in {found.seconds:.1f} s", file=sys.stderr, flush=True)


def _tell_sweep(sweep: Sweep, workers: int, seconds: float) -> None:
    line = f"{len(sweep.evaluated)} evaluated in {seconds:.0f} s, {len(sweep.known)} known before"
    if sweep.evaluated and workers:
        share = 100 * sweep.seconds / (workers * seconds)
        line += f"; evaluations took {share:.1f} % of the time of {workers} workers"
    print(line, file=sys.stderr, flush=True)


def _describe(operands: Sequence[Operands]) -> str:
    return operands[0].name if len(operands) == 1 else f"{len(operands)} matrix products"


def _show(report: ExploreReport, options: argparse.Namespace) -> None:
    console().print(front_table(report))
    for line in front_commands(report):
        say(line)
    if options.plot:
        with working(f"Drawing {options.plot}", quiet=options.quiet):
            plot_front(report, options.plot)
        say(f"Picture: {options.plot}")
    write_figures(options.json, report.as_dict())
