"""Run every proof and its mutant: `python -m lmul.evidence.formal`.

Exit status 1 where a claim is not proven or a mutant not refuted.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lmul.errors import UserError
from lmul.evidence.formal.accumulation import accumulation_claims
from lmul.evidence.formal.claims import Claim
from lmul.evidence.formal.fusion import fusion_claims
from lmul.evidence.formal.groups import group_claims
from lmul.evidence.formal.multiplication import integer_claims, multiplier_claims
from lmul.evidence.formal.outputs import output_claims
from lmul.evidence.formal.streams import stream_claims
from lmul.host.files import check_output, write_json
from lmul.terminal.console import console
from lmul.terminal.parser import Parser, run_tool
from lmul.terminal.progress import working


@dataclass(frozen=True)
class Outcome:
    """What became of a claim and its mutant."""

    claim: str
    design: str
    method: str
    cycles: int | None
    proven: bool | None
    seconds: float
    mutant: str
    mutant_refuted: bool
    mutant_cycles: int | None
    mutant_seconds: float

    @property
    def passed(self) -> bool:
        """The claim is proven and the mutant refuted."""
        return self.proven is True and self.mutant_refuted


def all_claims() -> list[Claim]:
    """Give every claim, about multipliers, sums and streams."""
    return [
        *stream_claims(),
        *accumulation_claims(),
        *output_claims(),
        *fusion_claims(),
        *group_claims(),
        *multiplier_claims(),
        *integer_claims(),
    ]


def run_claim(claim: Claim) -> Outcome:
    """Prove a claim and refute its mutant."""
    start = time.perf_counter()
    verdict = claim.prove()
    proven = time.perf_counter()
    mutant = claim.refute_mutant()
    return Outcome(
        claim.says,
        claim.design.name,
        claim.method,
        verdict.cycles,
        verdict.holds,
        round(proven - start, 1),
        claim.mutant,
        mutant.holds is False,
        mutant.cycles,
        round(time.perf_counter() - proven, 1),
    )


def outcome_table(outcomes: Sequence[Outcome]) -> Table:
    """Lay out what was proven: below each claim the designs, and below each of those its mutant."""
    table = Table("claim, design, mutant", box=SIMPLE_HEAD, title="Formal proofs")
    for name in ("cycles", "result", "time, s"):
        table.add_column(name, justify="left" if name == "result" else "right", no_wrap=True)
    for (claim, method), group in groupby(outcomes, key=lambda outcome: (outcome.claim, outcome.method)):
        table.add_section()
        table.add_row(Text(f"{claim} ({method})", style="bold"))
        for o in group:
            result = {True: "proven", False: "REFUTED", None: "UNDECIDED"}[o.proven]
            table.add_row(f" {o.design}", _cycles(o.cycles, o.proven), result, f"{o.seconds:.1f}")
            caught = "refuted" if o.mutant_refuted else "SURVIVES"
            table.add_row(f"   {o.mutant}", _cycles(o.mutant_cycles), caught, f"{o.mutant_seconds:.1f}")
    return table


def _cycles(cycles: int | None, proven: bool | None = None) -> str:
    """Write the length of a counterexample or of a bounded proof."""
    return str(cycles) if cycles is not None else "any" if proven else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all proofs, print a table, and say whether all went as they should.

    Raises
    ------
    UserError
        An argument cannot be used.
    """
    parser = Parser(prog="python -m lmul.evidence.formal", description=(__doc__ or "").split(":")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes to FILE")
    parser.add_argument("--only", default="", metavar="TEXT", help="claims whose text or design has TEXT")
    options = parser.parse_args(arguments)
    if options.json:
        check_output(options.json)
    claims = [claim for claim in all_claims() if options.only in f"{claim.says} {claim.design.name}"]
    if not claims:
        raise UserError(
            f"--only {options.only!r} matches no claim: it takes part of a claim or a design's name"
        )
    outcomes = []
    with working(f"Proving {len(claims)} claims") as report:
        for index, claim in enumerate(claims):
            outcomes.append(run_claim(claim))
            report(index + 1, len(claims))
    console().print(outcome_table(outcomes))
    if options.json:
        write_json(options.json, [asdict(outcome) for outcome in outcomes])
    failed = sum(not outcome.passed for outcome in outcomes)
    print(f"{len(outcomes) - failed} of {len(outcomes)} claims proven, with their mutants refuted.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run_tool(main))
