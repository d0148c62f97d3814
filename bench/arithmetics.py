"""Record what each arithmetic takes, and how a language model does with it.

`python bench/arithmetics.py` goes on where it was: what llm/recorded/arithmetics.json has is kept, unless
`--anew` asks for all of it. An arithmetic is one of `lmul llm --suite arithmetics`. Its energy is that of a
product in a unit of 16 lanes at one clock, its accuracy that of every product but the output layer's.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hardware import measured
from record import BUILD, FIXED, FUSED, UNIT_CLOCK

from lmul.cost.cells.measure import Conditions
from lmul.design import Design, command_line, dot_of
from lmul.errors import UserError
from lmul.golden.accumulators import Fused
from lmul.golden.scaled import usual_scaling
from lmul.host.files import write_json
from lmul.llm.accuracy import measure_arithmetics
from lmul.llm.suites import UNIT_LANES, arithmetics_suite
from lmul.options import option
from lmul.scheme import Scheme, parse_scheme
from lmul.terminal.progress import working
from lmul.workloads.texts import passage

TARGET = Path(__file__).parent.parent / "llm" / "recorded" / "arithmetics.json"

TOKENS = 1024

PRECISION = 0.02
"""Of energies: a third of the noise of synthesis."""

COST = ("area_um2", "critical_delay_ps", "energy_per_product_fj", "energy_interval_95_fj")

LLM = ("perplexity", "ratio", "agreement")


def unit_of(scheme: Scheme) -> Design:
    """Give the unit of an arithmetic: 16 lanes with its sums, registered for the clock."""
    stages: dict[str, Any] = FUSED if isinstance(scheme.arithmetic.accumulator, Fused) else FIXED
    return dot_of(scheme.arithmetic, lanes=UNIT_LANES, **stages)


def measured_unit(scheme: Scheme) -> dict[str, Any]:
    """Measure the unit of an arithmetic, each script once, on operands that are scaled as it scales them."""
    design, scaling = unit_of(scheme), scheme.scaling
    conditions = Conditions(period_ps=1e3 * UNIT_CLOCK, seeds=1, precision=PRECISION)
    found = measured(design, conditions, scaling=scaling).as_dict()
    command = (
        f"{command_line('cost', design)} --clock {UNIT_CLOCK:g} --seeds 1 --precision {100 * PRECISION:g}"
    )
    if scaling != usual_scaling(scheme.arithmetic):
        command = f"{command} --scaling {scaling}"
    return {"design": found["design"], **{name: found[name] for name in COST}, "measured_by": command}


def measured_reading(words: str, tokens: int) -> dict[str, Any]:
    """Let the language model read with an arithmetic."""
    with working(f"Reading {tokens:,} tokens with {words}") as progress:
        (found,) = measure_arithmetics([parse_scheme(words)], passage(), tokens, (), BUILD / "llm", progress)
    plain = found.as_plain()
    command = f"lmul llm --arithmetic {words} --tokens {tokens}"
    return {**{name: plain[name] for name in LLM}, "tokens": tokens, "measured_by": command}


def record(suite: Sequence[str], tokens: int, *, anew: bool) -> None:
    """Measure what is missing of a suite, and write the record after each arithmetic."""
    known = {} if anew or not TARGET.exists() else {row["arithmetic"]: row for row in _read()}
    for number, words in enumerate(suite, start=1):
        if words not in known:
            scheme = parse_scheme(words)
            if scheme is None:
                raise UserError(f"{words} has no unit")
            print(f"{number} of {len(suite)}: {words}", file=sys.stderr, flush=True)
            unit = measured_unit(scheme)
            known[words] = {"arithmetic": words, "unit": unit, "model": measured_reading(words, tokens)}
            write_json(TARGET, [known[name] for name in suite if name in known])


def _read() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(TARGET.read_text(encoding="utf-8"))
    return found


def main() -> int:
    """Record what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=TOKENS, help="that are read; default: %(default)s")
    parser.add_argument("--anew", action="store_true", help="measure what is recorded, too")
    options = parser.parse_args()
    try:
        record(arithmetics_suite(), options.tokens, anew=options.anew)
    except UserError as error:
        print(f"lmul: {error.told(option)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
