"""Train a small language model from scratch in several arithmetics, and compare what they lose.

`python examples/training/train.py`, with the extra `torch`; an interrupted run goes on where it was, seed by
seed. The model reads bytes of a chapter that ships with the package and is tested on the chapter's end.
"""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text
from runs import (
    PLAIN,
    Interval,
    add_common,
    computing,
    config_of,
    converted,
    difference,
    key_of,
    losses,
    mean_of,
    record,
    windows,
)
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from lmul.errors import UserError
from lmul.host.cache import cached
from lmul.terminal.console import console, write_figures
from lmul.terminal.progress import working
from lmul.workloads.texts import passage

REFERENCE = "bf16"
"""What the others are compared with."""

MULTIPLIERS = ("exact", "lmul", "addm")

ARITHMETICS = (
    "fp32",
    REFERENCE,
    *(f"{mul},e4m3,row" for mul in MULTIPLIERS),
    *(f"{mul},e4m3,row/{mul},e5m2xe4m3,row" for mul in MULTIPLIERS),
)
"""Of products, and after a slash of those of gradients."""

NOTE = (
    "Loss on the end of the chapter, in nats a byte, after the last step; ± is half of the 95 % interval "
    "over seeds ({seeds}). Each seed has its own weights to begin with and its own order of the text, the "
    "same in every arithmetic: the difference is that of pairs. Best: the step at which that loss was "
    "lowest, of those looked at. s/step: processor time. All products of layers and of attention are "
    "computed so; gradients in fp32 are straight through."
)


@dataclass(frozen=True)
class Setup:
    """All that a run depends on.

    Parameters
    ----------
    arithmetic : str
        `fp32`, `bf16`, or words of a scheme, and after a slash those of gradients.
    seed, steps : int
    layers, hidden : int
        Of the model, whose other sizes have SmolLM2's proportions.
    batch, context : int
        Windows of a step, and bytes of each.
    rate : float
        The largest of AdamW.
    every : int
        Steps between two looks at the held-out text.
    held_out : float
        Share of the text, at its end, that the model is tested on.
    warm : float
        Share of the steps in which the rate grows; then it falls to zero by half a cosine.
    decay, clip : float
        Weight decay, and the largest norm of a step's gradients.
    """

    arithmetic: str
    seed: int
    steps: int
    layers: int
    hidden: int
    batch: int
    context: int
    rate: float
    every: int
    held_out: float = 0.1
    warm: float = 0.1
    decay: float = 0.1
    clip: float = 1.0


def make_model(setup: Setup) -> Any:
    """Give the model with its first weights."""
    torch.manual_seed(setup.seed)
    config = LlamaConfig(
        vocab_size=256,
        hidden_size=setup.hidden,
        intermediate_size=setup.hidden * 8 // 3,
        num_hidden_layers=setup.layers,
        num_attention_heads=3,
        num_key_value_heads=1,
        head_dim=setup.hidden // 3,
        max_position_embeddings=setup.context,
    )
    return converted(LlamaForCausalLM(config), setup.arithmetic)


def texts(setup: Setup) -> tuple[Tensor, Tensor]:
    """Give the bytes to train on, and those to test on."""
    read = torch.tensor(list(passage().encode()))
    cut = round(len(read) * (1 - setup.held_out))
    return read[:cut], read[cut:]


def share_of_rate(setup: Setup, step: int) -> float:
    """Give the rate of a step, from 0, as a share of the largest."""
    warm = min(1.0, (step + 1) / (setup.warm * setup.steps))
    return warm * (1 + math.cos(math.pi * step / setup.steps)) / 2


def train(setup: Setup) -> dict[str, Any]:
    """Train a model; give the held-out losses by steps, and the median processor seconds of a step."""
    text, held_out = texts(setup)
    tests = windows(held_out, setup.context)
    model = make_model(setup)
    optimiser = torch.optim.AdamW(model.parameters(), lr=setup.rate, weight_decay=setup.decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(share_of_rate, setup))
    places = torch.Generator().manual_seed(setup.seed)
    curve, seconds = {}, []
    for step in range(1, setup.steps + 1):
        begun = time.process_time()
        starts = torch.randint(len(text) - setup.context, (setup.batch,), generator=places)
        batch = torch.stack([text[start : start + setup.context] for start in starts])
        train_step(model, batch, optimiser, setup)
        schedule.step()
        seconds.append(time.process_time() - begun)
        if step % setup.every == 0 or step == setup.steps:
            found = losses(model, tests, setup.arithmetic, setup.batch)
            curve[str(step)] = sum(found) / len(found)
    return {"curve": curve, "seconds": median(seconds)}


def train_step(model: Any, batch: Tensor, optimiser: torch.optim.Optimizer, setup: Setup) -> None:
    """Make one step."""
    with computing(setup.arithmetic):
        loss = model(batch, labels=batch, use_cache=False).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), setup.clip)
    optimiser.step()
    optimiser.zero_grad()


def row_of(
    arithmetic: str, seeds: Sequence[int], runs: Sequence[Any], reference: Sequence[Any]
) -> dict[str, Any]:
    """Give the figures of the runs of one arithmetic, a run for each seed."""
    final, wanted = ([last(run) for run in each] for each in (runs, reference))
    return {
        "arithmetic": arithmetic,
        "loss": asdict(mean_of(final)),
        "difference": asdict(difference(final, wanted)),
        "lowest": [int(min(run["curve"], key=run["curve"].get)) for run in runs],
        "seconds": median(run["seconds"] for run in runs),
        "runs": [{"seed": seed, **run} for seed, run in zip(seeds, runs, strict=True)],
    }


def last(run: Any) -> float:
    """Give the loss after the last step of a run."""
    return float(list(run["curve"].values())[-1])


def table_of(rows: Sequence[dict[str, Any]], seeds: int) -> Table:
    """Lay out the rows."""
    right = ("loss", f"minus {REFERENCE}", "best", "s/step")
    columns = [Column(heading, justify="right", no_wrap=True) for heading in right]
    names = [Column(heading, overflow="fold") for heading in ("products", "gradients")]
    table = Table(*names, *columns, box=SIMPLE_HEAD, caption=Text(NOTE.format(seeds=seeds)))
    table.caption_justify, table.show_edge, table.padding = "left", False, (0, 1, 0, 0)
    for row in rows:
        forward, _, backward = row["arithmetic"].partition("/")
        compared = Interval(**row["difference"]).told(signed=True)
        table.add_row(
            forward,
            backward or (forward if forward in PLAIN else "fp32"),
            Interval(**row["loss"]).told(),
            "" if forward == REFERENCE else compared,
            "-".join(str(step) for step in sorted({min(row["lowest"]), max(row["lowest"])})),
            f"{row['seconds']:.2g}",
        )
    return table


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--arithmetics",
        nargs="+",
        default=ARITHMETICS,
        help="fp32, bf16, or words of a scheme, and after a slash those of gradients; default: %(default)s",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=(1, 2, 3))
    for name, default in (("steps", 150), ("layers", 4), ("hidden", 192), ("batch", 4), ("context", 128)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--every", type=int, default=50, help="steps between looks at the held-out text")
    add_common(parser)
    return parser.parse_args()


def main() -> None:
    """Train what is not kept yet, and show all of it."""
    options = parse()
    sizes = {name: getattr(options, name) for name in Setup.__dataclass_fields__ if hasattr(options, name)}
    arithmetics = list(dict.fromkeys((REFERENCE, *options.arithmetics)))
    setups = [Setup(arithmetic, seed, **sizes) for seed in options.seeds for arithmetic in arithmetics]
    for arithmetic in arithmetics:
        config_of(arithmetic)  # A word that is unknown is told before any work.
    found: dict[str, list[Any]] = {arithmetic: [] for arithmetic in arithmetics}
    with working(f"Training {len(setups)} times") as progress:
        for done, setup in enumerate(setups):
            progress(done, len(setups))
            found[setup.arithmetic].append(
                cached(options.build, key_of(setup), partial(train, setup), origin=asdict(setup))
            )
    shared = {name: value for name, value in asdict(setups[0]).items() if name not in ("arithmetic", "seed")}
    rows = [row_of(name, options.seeds, runs, found[REFERENCE]) for name, runs in found.items()]
    console().print(table_of(rows, len(options.seeds)))
    write_figures(options.json, record(shared, rows))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"lmul: {error}")
