"""Time of SmolLM2-135M as a PyTorch model under each arithmetic, as ratios to the same model in float32.

`python bench/pytorch.py`, with the extras `torch` and `llm`: a pass of 512 tokens without gradients, and a
step of training, forward and backward, of 256 tokens. `--record` writes docs/recorded/pytorch.json, which the
documents show; there each processor has figures of its own. How fast a graphics processor is, where there is
one, `python bench/golden.py` says.
"""

import argparse
import copy
import json
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from results import Result, print_results

from lmul.errors import UserError
from lmul.host.files import write_json
from lmul.host.parallel import processors
from lmul.options import option
from lmul.terminal.progress import Report, working
from lmul.torch import Config, convert_, restore_
from lmul.torch.models import load, quiet
from lmul.workloads.texts import passage

RECORD = Path(__file__).parent.parent / "docs" / "recorded" / "pytorch.json"

TOKENS, TRAINED_TOKENS = 512, 256

ROUNDS = 3
"""Pairs of passes, with the arithmetic and without, after one that compiles loops and quantises weights."""

REASONS = {
    "e5m2": "All three products are in this arithmetic, and each operand is quantised for two of them.",
    "acc=": "A step takes its products twice, six vector operations for sixteen of them; float32 takes one.",
    "": "Eight products take two vector operations; float32 takes one for sixteen.",
}
"""Why a goal may be missed, by what the words of an arithmetic have in them: the first that fits."""

KINDS = {"family": "cpu family", "model": "model"}
"""Of processors, since some systems hide their names."""

CHANGE = 1.0001
"""What a step of training multiplies weights by, so that they are quantised anew."""

PASSES: dict[str, float | None] = {
    "exact,e4m3,row": None,
    "lmul,e4m3,row": 4.0,
    "mitchell,e4m3,row,log,gain=1.04": None,
    "addm,e4m3,row": None,
    "addc,e4m3,row": None,
    "lmul,e5m2,row": None,
    "lmul,bf16": None,
    "exact,int8,row": None,
    "lmul,e4m3,row,acc=fixed:28:-3": None,
    "lmul,e4m3,row,acc=b200": 8.0,
    "exact,e4m3,row,acc=b200": None,
    "exact,e4m3,acc=b200,scale=mx": None,
}
"""Arithmetics, and how many times as long as in float32 a pass may take."""

STEPS: dict[tuple[str, str | None], float | None] = {
    ("exact,e4m3,row", None): 6.0,
    ("lmul,e4m3,row", None): 6.0,
    ("lmul,e4m3,row", "lmul,e5m2xe4m3,row"): 6.0,
    ("addm,e4m3,row", "addm,e5m2xe4m3,row"): None,
}
"""Arithmetics of the product and of its gradients, and how many times as long a step may take."""


@dataclass(frozen=True)
class Slowdown:
    """How many times as long as in float32 something takes.

    Parameters
    ----------
    arithmetic, backward : str
        Words of the products and of those of gradients; `full` for gradients in full precision.
    what : {"pass", "step"}
    ratio, least, most : float
        The median of the rounds, and their ends.
    seconds : float
        The median with the arithmetic.
    goal : float or None
    """

    arithmetic: str
    backward: str
    what: str
    ratio: float
    least: float
    most: float
    seconds: float
    goal: float | None

    def as_result(self) -> Result:
        """Give it beside its goal."""
        gradients = f" / {self.backward}" if self.what == "step" else ""
        what = f"{self.what}: {self.arithmetic}{gradients}"
        reason = next(why for words, why in REASONS.items() if words in what)
        return Result(what, "times fp32", self.ratio, self.goal, at_most=True, reason=reason)


def measure(rounds: int, progress: Report) -> list[Slowdown]:
    """Measure every pass and every step."""
    with quiet():
        model, tokenizer = load("smollm2")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device)
    tokens = torch.tensor([tokenizer(passage()).input_ids[:TOKENS]], device=device)
    plain = copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})
    found: list[Slowdown] = []
    total = len(PASSES) + len(STEPS)
    for words, goal in PASSES.items():
        run = partial(_pass, tokens)
        found.append(_slowdown((model, plain), (words, None), "pass", run, rounds, goal))
        progress(len(found), total)
    for pair, goal in STEPS.items():
        run = partial(_step, tokens[:, :TRAINED_TOKENS])
        found.append(_slowdown((model, plain), pair, "step", run, rounds, goal))
        progress(len(found), total)
    return found


def _pass(tokens: Any, model: Any) -> None:
    with torch.no_grad():
        model(tokens, use_cache=False).logits.sum().item()  # Waits for a graphics processor.


def _step(tokens: Any, model: Any) -> None:
    """Go forward and backward with weights that have changed, as an optimiser's step leaves them."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(CHANGE)
    model.zero_grad()
    loss = model(tokens, labels=tokens, use_cache=False).loss
    loss.backward()
    loss.item()


def _slowdown(
    models: tuple[Any, Any],
    words: tuple[str, str | None],
    what: str,
    run: Callable[[Any], None],
    rounds: int,
    goal: float | None,
) -> Slowdown:
    """Run a model with an arithmetic and its twin without in turns, so that both meet the same machine."""
    model, plain = models
    convert_(model, Config(*words))
    for each in models:
        run(each)
    times = [(_seconds(run, model), _seconds(run, plain)) for _ in range(rounds)]
    restore_(model)
    ratios = [own / other for own, other in times]
    seconds = statistics.median(own for own, _ in times)
    middle = statistics.median(ratios)
    return Slowdown(words[0], words[1] or "full", what, middle, min(ratios), max(ratios), seconds, goal)


def _seconds(run: Callable[[Any], None], model: Any) -> float:
    start = time.perf_counter()
    run(model)
    return time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the ratios beside their goals, and write them where the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"pairs of runs, {ROUNDS} by default")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name} for the documents")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    name = processor()
    with working(f"Timing {len(PASSES)} passes and {len(STEPS)} steps") as progress:
        found = measure(options.rounds, progress)
    figures = {
        "processor": name,
        "tokens": {"pass": TOKENS, "step": TRAINED_TOKENS},
        "rounds": options.rounds,
        "slowdowns": [asdict(each) for each in found],
    }
    print_results([each.as_result() for each in found])
    if options.json:
        write_json(options.json, figures)
    if options.record:
        known = json.loads(RECORD.read_text())["machines"]
        others = [each for each in known if each["processor"] != name]
        write_json(RECORD, {"machines": [figures, *others]})
    return 0


def processor() -> str:
    """Name what computes: the graphics processor, or the processor and the cores that may be used."""
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    file, fields = Path("/proc/cpuinfo"), {}
    if file.exists():
        lines = file.read_text().split("\n\n", maxsplit=1)[0].splitlines()
        fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = re.sub(r"\(R\)|\(TM\)| Processor\b", "", fields.get("model name", platform.machine()))
    kind = [f"{key} {fields[field]}" for key, field in KINDS.items() if field in fields]
    return ", ".join([name, *kind, f"{processors()} cores"])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"lmul: {error.told(option)}", file=sys.stderr)
        sys.exit(2)
