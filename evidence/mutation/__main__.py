"""`python -m lmul.evidence.mutation`: do benches notice faults? Exit status 1 if too many stay unnoticed."""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from lmul.errors import UserError, one_line
from lmul.evidence.mutation.campaign import CAMPAIGNS, Campaign, Outcome, run_campaign
from lmul.host.files import check_output, folder, locked, write_json
from lmul.sim.simulate import TESTCASES, SimulationError
from lmul.terminal.console import console
from lmul.terminal.parser import Parser, run_tool
from lmul.terminal.progress import working

REQUIRED = 0.995
"""Share of the mutants not proven equivalent that must be killed."""


def main(arguments: Sequence[str] | None = None, campaigns: Sequence[Campaign] = CAMPAIGNS) -> int:
    """Run all campaigns, print what came of them; the exit status.

    Raises
    ------
    UserError
        An argument cannot be used.
    """
    options = _parser().parse_args(arguments)
    check_output(options.build, directory=True)
    if options.json:
        check_output(options.json)
    if not 0 < options.seconds < math.inf:
        raise UserError(f"--seconds must be a number above 0, not {options.seconds:g}")
    chosen = _chosen(campaigns, options)
    try:
        outcomes = [_run(campaign, options) for campaign in chosen]
    except SimulationError as error:
        print(f"lmul: {one_line(error)}", file=sys.stderr)
        return 1
    if options.json:
        write_json(options.json, _plain(outcomes))
    _print(outcomes)
    return int(_share(outcomes) < REQUIRED)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m lmul.evidence.mutation",
        description="Put faults into netlists one at a time; the benches of `make test` should notice each.",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the random faults (default: 1)")
    parser.add_argument("--seconds", type=float, default=60, help="to prove one equivalent (default: 60)")
    parser.add_argument("--only", default="", help="campaigns whose part or name has this text")
    parser.add_argument("--most", type=int, help="mutants of a campaign at most; default: all that it draws")
    parser.add_argument("--build", type=folder, default="build", help="directory of what is built")
    parser.add_argument("--json", type=Path, help="write every mutant and what became of it into this file")
    return parser


def _chosen(campaigns: Sequence[Campaign], options: argparse.Namespace) -> list[Campaign]:
    """Give the campaigns that were asked for, with no more mutants than that."""
    if options.most is not None and options.most < 1:
        raise UserError(f"--most must be 1 or more, not {options.most}")
    chosen = [one for one in campaigns if options.only in f"{one.part}: {one.name}"]
    if not chosen:
        names = "; ".join(f"{one.part}: {one.name}" for one in campaigns)
        raise UserError(f"--only {options.only!r} is in no name of a campaign: {names}")
    return [replace(one, count=min(one.count, options.most or one.count)) for one in chosen]


def _run(campaign: Campaign, options: argparse.Namespace) -> Outcome:
    directory = options.build / "mutants" / f"{campaign.design.name}-{campaign.scope}"
    with locked(directory), working(f"Mutants of {campaign.design.name}, {campaign.scope}") as progress:
        return run_campaign(
            campaign,
            directory,
            seed=options.seed,
            seconds=options.seconds,
            progress=progress,
        )


def _share(outcomes: Iterable[Outcome]) -> float:
    """Give the share of the mutants that were killed, those proven equivalent left out."""
    killed = sum(outcome.killed for outcome in outcomes)
    survivors = sum(len(outcome.survivors) for outcome in outcomes)
    return killed / max(killed + survivors, 1)


def _print(outcomes: Sequence[Outcome]) -> None:
    console().print(_table(outcomes), _killers(outcomes))
    for outcome in outcomes:
        for mutant in outcome.survivors:
            verdict = "a fault by proof" if mutant.equivalent is False else "not decided"
            print(f"Survivor of {outcome.campaign.design.name} ({verdict}): {mutant.where}")
            print(f"  {mutant.command}")
    total = sum(len(outcome.mutants) for outcome in outcomes)
    share = _share(outcomes)
    print(
        f"{total:,} mutants; of those not proven equivalent {share:.2%} were killed, {REQUIRED:.1%} must be."
    )


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("Netlist", no_wrap=True)
    for heading in ("Mutants", "Killed", "Equivalent", "Survivors", "Killed, %"):
        table.add_column(heading, justify="right", no_wrap=True)
    for outcome in outcomes:
        table.add_row(outcome.campaign.name, *_figures([outcome]))
    table.add_section()
    for part in dict.fromkeys(outcome.campaign.part for outcome in outcomes):
        table.add_row(part, *_figures([outcome for outcome in outcomes if outcome.campaign.part == part]))
    table.add_row("all", *_figures(outcomes))
    return table


def _figures(outcomes: Sequence[Outcome]) -> list[str]:
    figures = [
        sum(len(outcome.mutants) for outcome in outcomes),
        sum(outcome.killed for outcome in outcomes),
        sum(outcome.equivalent for outcome in outcomes),
        sum(len(outcome.survivors) for outcome in outcomes),
    ]
    return [*map(str, figures), f"{100 * _share(outcomes):.2f}"]


def _killers(outcomes: Sequence[Outcome]) -> Table:
    """Lay out which test noticed how many mutants first; tests come in the order of the columns."""
    tests = list(dict.fromkeys(test for tests in TESTCASES.values() for test in tests if test != "stress"))
    table = Table(box=SIMPLE_HEAD)
    table.add_column("Killed first by", no_wrap=True)
    for test in (*tests, "stress"):
        table.add_column(test, justify="right")
    for outcome in outcomes:
        killers = Counter(mutant.killed_by for mutant in outcome.mutants)
        table.add_row(outcome.campaign.name, *(str(killers[test] or "") for test in (*tests, "stress")))
    return table


def _plain(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [
        {
            "part": outcome.campaign.part,
            "design": outcome.campaign.design.parameters(),
            "scope": outcome.campaign.scope,
            "mutants": [asdict(mutant) for mutant in outcome.mutants],
        }
        for outcome in outcomes
    ]


if __name__ == "__main__":
    sys.exit(run_tool(main))
