"""Time of one pass of 512 tokens of SmolLM2 under each arithmetic, and the memory that it takes.

`python bench/llm.py`, with the extra `llm`; times are beside that of the same pass in double precision.
"""

import resource
import sys
import time

from results import Result, show

from lmul.errors import UserError
from lmul.llm.evaluation import WINDOW
from lmul.llm.products.devices import load_model, make_matmul
from lmul.llm.products.host import Weights
from lmul.llm.suites import with_fixed_accumulator
from lmul.options import option
from lmul.scheme import parse_scheme
from lmul.terminal.progress import working
from lmul.workloads import smollm2
from lmul.workloads.texts import passage

GIB = 1 << 20
"""Kibibytes, which the system counts in."""

GOALS = {
    "full": None,
    "lmul,e4m3,attention": 4.0,
    "lmul,e4m3,all": 12.0,
    "addm,e4m3,all": None,
    "lmul,bf16,all": None,
    with_fixed_accumulator("lmul,e4m3,all"): 360.0,
    "lmul,e4m3,all,acc=b200": 25.0,
}
"""Seconds that a pass may take on two cores."""


def measure() -> list[Result]:
    """Measure everything there is a goal for."""
    results = []
    with working(f"Reading {WINDOW} tokens in {len(GOALS)} ways") as progress:
        model = load_model()
        tokens = smollm2.encode(model, passage())[:WINDOW]
        full = 0.0
        for done, (words, goal) in enumerate(GOALS.items()):
            matmul = make_matmul(parse_scheme(words), Weights())
            # Quantises the weights, compiles the loops, and waits for a graphics processor.
            smollm2.on_host(smollm2.forward(model, tokens[:32], matmul))
            start = time.perf_counter()
            smollm2.on_host(smollm2.forward(model, tokens, matmul)[-1])
            seconds = time.perf_counter() - start
            full = full or seconds
            results.append(Result(words, "s", seconds, goal, at_most=True))
            results.append(Result(words, "times full", seconds / full, None, at_most=True))
            progress(done + 1, len(GOALS))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIB
    return [*results, Result("peak memory", "GiB", peak, 4.0, at_most=True)]


if __name__ == "__main__":
    try:
        show(__doc__, measure)
    except UserError as error:
        print(f"lmul: {error.told(option)}", file=sys.stderr)
        sys.exit(2)
