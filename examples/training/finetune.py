"""Fine-tune SmolLM2-135M with another arithmetic in its forward pass, and see what of its loss comes back.

`python examples/training/finetune.py`, with the extras `torch` and `llm`; an interrupted run goes on from its
last checkpoint. The text is a chapter that ships with the package, and its end is held out.

A model that is tuned learns the chapter, whatever its arithmetic is. So every arithmetic is compared with
fp32 that was tuned the same way, and with that very model read in the arithmetic.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text
from runs import (
    Interval,
    add_common,
    computing,
    config_of,
    converted,
    difference,
    key_of,
    losses,
    mean_of,
    ratio,
    record,
    windows,
)
from torch import Tensor

from lmul.errors import UserError
from lmul.host.cache import cached, entry_name
from lmul.terminal.console import console, write_figures
from lmul.terminal.progress import SharedReport, working
from lmul.torch import models, restore_
from lmul.workloads.texts import passage

REFERENCE = "fp32"
"""What the others are compared with."""

ARITHMETICS = (REFERENCE, "lmul,e4m3,row", "exact,e4m3,row")

NOTE = (
    "Loss on the end of the chapter, in nats a token; the others: minus that of fp32, which was tuned as "
    "much in the last two columns. Tuned in fp32: those weights, read in the arithmetic. Tuned: {steps} "
    "steps with it in the forward pass, gradients straight through. Closed: how much smaller the difference "
    "is than untouched. ± is half of the 95 % interval over {windows} windows of the text, in pairs; one run "
    "each."
)


@dataclass(frozen=True)
class Setup:
    """All that a tuned model depends on.

    Parameters
    ----------
    arithmetic : str
        `fp32`, `bf16`, or words of a scheme, and after a slash those of gradients.
    seed, steps : int
        With no steps the model is as it was.
    context : int
        Tokens of a step.
    rate : float
        Of AdamW, after it has grown in the first tenth of the steps.
    held_out : float
        Share of the text, at its end, that the model is tested on.
    """

    arithmetic: str
    seed: int
    steps: int
    context: int
    rate: float
    held_out: float


@cache
def load() -> tuple[Any, Tensor]:
    """Give the model, which is tuned on the host, and the tokens of the text."""
    model, tokenizer = models.load(models.SMOLLM2)
    return model.cpu(), torch.tensor(tokenizer(passage())["input_ids"])


def texts(setup: Setup) -> tuple[Tensor, Tensor]:
    """Give the tokens to tune on, and those to test on."""
    _, tokens = load()
    cut = round(len(tokens) * (1 - setup.held_out))
    return tokens[:cut], tokens[cut:]


@dataclass
class Tuning:
    """A model while it is tuned, and the file that it goes on from."""

    setup: Setup
    file: Path

    def __post_init__(self) -> None:
        self.model, _ = load()
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=self.setup.rate, weight_decay=0.0)
        self.done = 0
        if self.file.exists():
            kept = torch.load(self.file, weights_only=True)
            self.done = kept["done"]
            self.model.load_state_dict(kept["model"])
            self.optimiser.load_state_dict(kept["optimiser"])

    def keep(self) -> None:
        """Write a checkpoint, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "done": self.done,
        }
        part = self.file.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.file)

    def step(self, batch: Tensor) -> None:
        """Make one step on tokens (context,)."""
        self.done += 1
        for group in self.optimiser.param_groups:
            group["lr"] = self.setup.rate * min(1.0, 10 * self.done / self.setup.steps)
        with computing(self.setup.arithmetic):
            loss = self.model(batch[None], labels=batch[None], use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()


def tune(setup: Setup, file: Path, every: int, progress: SharedReport) -> None:
    """Tune a model up to its last step, with checkpoints in a file."""
    tuning = Tuning(setup, file)
    text, _ = texts(setup)
    places = torch.Generator().manual_seed(setup.seed)
    starts = torch.randint(len(text) - setup.context, (setup.steps,), generator=places).tolist()
    converted(tuning.model, setup.arithmetic)
    for start in starts[tuning.done :]:
        tuning.step(text[start : start + setup.context])
        progress(tuning.done, setup.steps)
        if tuning.done % every == 0 or tuning.done == setup.steps:
            tuning.keep()
    restore_(tuning.model)


def read(setup: Setup, arithmetic: str, options: argparse.Namespace) -> list[float]:
    """Give the losses of a tuned model that is read in an arithmetic, window by window."""
    key = key_of(setup)
    return list(
        cached(options.build, {**key, "read": arithmetic}, partial(_read, setup, arithmetic, options))
    )


def _read(setup: Setup, arithmetic: str, options: argparse.Namespace) -> list[float]:
    model, _ = load()
    untouched = {name: value.clone() for name, value in model.state_dict().items()}
    file = options.build / Path(entry_name(key_of(setup))).with_suffix(".pt")
    try:
        if setup.steps:
            with working(f"Tuning in {setup.arithmetic}") as progress:
                tune(setup, file, options.every, progress)
        _, held_out = texts(setup)
        with working(f"Reading in {arithmetic}"):
            return losses(converted(model, arithmetic), windows(held_out, setup.context), arithmetic, batch=4)
    finally:
        restore_(model)
        model.load_state_dict(untouched)


def row_of(arithmetic: str, plain: Setup, options: argparse.Namespace) -> dict[str, Any]:
    """Give the figures of one arithmetic, beside those of the reference at the same places of the text."""
    untouched = replace(plain, steps=0)
    known = [read(setup, REFERENCE, options) for setup in (untouched, plain)]
    found = {
        "untouched": read(untouched, arithmetic, options),
        "tuned in fp32": read(plain, arithmetic, options),
        "tuned": read(replace(plain, arithmetic=arithmetic), arithmetic, options),
    }
    row: dict[str, Any] = {"arithmetic": arithmetic}
    for what, values in found.items():
        beside = known[what != "untouched"]
        row[what] = {"loss": asdict(mean_of(values)), "difference": asdict(difference(values, beside))}
    gaps = [
        [value - other for value, other in zip(found[what], beside, strict=True)]
        for what, beside in zip(("untouched", "tuned"), known, strict=True)
    ]
    if arithmetic != REFERENCE:
        left = ratio(gaps[1], gaps[0])
        row["closed"] = asdict(replace(left, value=1 - left.value))
    return {**row, "windows": found}


def table_of(rows: Sequence[dict[str, Any]], steps: int) -> Table:
    """Lay out the rows."""
    columns = [
        Column(what, justify="right", no_wrap=True) for what in ("untouched", "tuned in fp32", "tuned")
    ]
    count = len(rows[0]["windows"]["tuned"])
    caption = Text(NOTE.format(steps=steps, windows=count))
    table = Table(
        "products", *columns, Column("closed, %", justify="right"), box=SIMPLE_HEAD, caption=caption
    )
    table.caption_justify = "left"
    for row in rows:
        plain = row["arithmetic"] == REFERENCE
        kind = "loss" if plain else "difference"
        cells = [Interval(**row[what][kind]).told(signed=not plain) for what in row["windows"]]
        closed = "" if plain else Interval(*(100 * part for part in row["closed"].values())).told()
        table.add_row(row["arithmetic"], *cells, closed)
    return table


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--arithmetics",
        nargs="+",
        default=ARITHMETICS,
        help="fp32, bf16, or words of a scheme, and after a slash those of gradients",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order of the text")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--context", type=int, default=128, help="tokens of a step")
    parser.add_argument("--rate", type=float, default=1e-5)
    parser.add_argument("--held-out", type=float, default=0.2, help="share of the text to test on")
    parser.add_argument("--every", type=int, default=25, help="steps between checkpoints")
    add_common(parser)
    return parser.parse_args()


def main() -> None:
    """Tune and read what is not kept yet, and show all of it."""
    options = parse()
    plain = Setup(REFERENCE, options.seed, options.steps, options.context, options.rate, options.held_out)
    arithmetics = list(dict.fromkeys((REFERENCE, *options.arithmetics)))
    for arithmetic in arithmetics:
        config_of(arithmetic)  # A word that is unknown is told before any work.
    rows = [row_of(arithmetic, plain, options) for arithmetic in arithmetics]
    console().print(table_of(rows, options.steps))
    write_figures(options.json, record(asdict(plain), rows))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"lmul: {error}")
