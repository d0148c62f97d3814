"""What the scripts of this directory share: arithmetics by name, and values with their intervals."""

import argparse
import math
import platform
import shlex
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from lmul.host.cache import program_digest
from lmul.intervals import student
from lmul.torch import Config, convert_

PLAIN = {"fp32": nullcontext, "bf16": lambda: torch.autocast("cpu", torch.bfloat16)}
"""What PyTorch computes itself. With bf16 its products and their gradients are, parameters stay in fp32."""

SOURCES = ("golden", "multipliers", "scheme.py", "torch")
"""Of this package, what losses depend on."""


@dataclass(frozen=True)
class Interval:
    """A value and half of its 95 % interval, infinite where that is not known."""

    value: float
    half_width: float

    def told(self, *, signed: bool = False) -> str:
        """Give it in words, with no more digits than are known: one of the interval, rounded up."""
        sign = "+" if signed else ""
        if not self.half_width:
            return f"{self.value:{sign}.3g}"
        if math.isinf(self.half_width):
            return f"{self.value:{sign}.3g} ± ?"
        digits = max(0, -math.floor(math.log10(self.half_width)))
        half_width = math.ceil(self.half_width * 10**digits) / 10**digits
        return f"{self.value:{sign}.{digits}f} ± {half_width:.{digits}f}"


def mean_of(values: Sequence[float]) -> Interval:
    """Give the mean of independent values, with Student's interval."""
    if len(values) < 2:
        return Interval(mean(values), math.inf)
    return Interval(mean(values), student(len(values) - 1) * stdev(values) / math.sqrt(len(values)))


def difference(values: Sequence[float], others: Sequence[float]) -> Interval:
    """Give the mean difference of values in pairs: of one seed each, or at one place of the text."""
    return mean_of([value - other for value, other in zip(values, others, strict=True)])


def ratio(values: Sequence[float], others: Sequence[float]) -> Interval:
    """Give the ratio of the means of values in pairs; its interval is that of the jackknife."""
    count, total, other = len(values), sum(values), sum(others)
    without = [(total - value) / (other - beside) for value, beside in zip(values, others, strict=True)]
    if count < 2:
        return Interval(total / other, math.inf)
    error = stdev(without) * (count - 1) / math.sqrt(count)
    return Interval(total / other, student(count - 1) * error)


def config_of(arithmetic: str) -> Config | None:
    """Read FORWARD or FORWARD/BACKWARD, each the words of a scheme; None for what PyTorch computes itself."""
    if arithmetic in PLAIN:
        return None
    forward, _, backward = arithmetic.partition("/")
    return Config(forward, backward or None)


def converted(model: nn.Module, arithmetic: str) -> nn.Module:
    """Convert a model, unless PyTorch computes the arithmetic itself."""
    config = config_of(arithmetic)
    return convert_(model, config) if config else model


def computing(arithmetic: str) -> AbstractContextManager[Any]:
    """Give the context in which a converted model is called."""
    return PLAIN.get(arithmetic, nullcontext)()


def windows(tokens: Tensor, length: int) -> Tensor:
    """Cut tokens (T,) into windows (T // length, length) that lie side by side."""
    return tokens[: len(tokens) // length * length].view(-1, length)


def losses(model: nn.Module, texts: Tensor, arithmetic: str, batch: int) -> list[float]:
    """Give the mean loss of each of some windows (N, length), in nats a token."""
    model.eval()
    found = []
    with torch.no_grad(), computing(arithmetic):
        for part in texts.split(batch):
            logits = model(part, use_cache=False).logits.float()
            surprise = nn.functional.cross_entropy(logits[:, :-1].mT, part[:, 1:], reduction="none")
            found += surprise.mean(dim=1).tolist()
    model.train()
    return found


def key_of(setup: Any) -> dict[str, Any]:
    """Give all that the result of a setup, a dataclass, depends on."""
    return {"setup": asdict(setup), "versions": versions(), "program": program_digest(*SOURCES)}


def record(setup: dict[str, Any], rows: Any) -> dict[str, Any]:
    """Give what is written as JSON: rows, by which command, of what setup and where they were made."""
    command = shlex.join(["python", *sys.argv])
    machine = {"processor": platform.machine(), "threads": torch.get_num_threads()}
    made = {"command": command, "setup": setup, "versions": versions(), "machine": machine}
    return {**made, "rows": rows}


def versions() -> dict[str, str]:
    """Give the versions of what computes beside this package."""
    return {"torch": torch.__version__, "transformers": transformers.__version__}


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options that all scripts have."""
    parser.add_argument("--build", type=Path, default=Path("build/training"), help="where runs are kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
