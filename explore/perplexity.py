"""The perplexity of a language model with the arithmetic of a design: as it is recorded, or as it is read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lmul.errors import UserError
from lmul.explore.space import Point
from lmul.llm.accuracy import measure_arithmetics
from lmul.llm.arithmetics import recorded_rows, recorded_tokens, ways_to_feed
from lmul.llm.evaluation import Interval
from lmul.scheme import Scheme
from lmul.terminal.progress import Report
from lmul.workloads.texts import passage


@dataclass(frozen=True)
class Perplexity:
    """How a language model does with an arithmetic.

    Parameters
    ----------
    arithmetic : str
        As `lmul llm --arithmetic` takes it. Of the ways to feed operands to a unit it is the best one.
    ratio : Interval
        Perplexity over that of full precision.
    tokens : int
        That were read.
    source : {"recorded", "measured"}
    """

    arithmetic: str
    ratio: Interval
    tokens: int
    source: str

    @property
    def command(self) -> str:
        """What reads so."""
        return f"lmul llm --arithmetic {self.arithmetic} --tokens {self.tokens}"

    def as_plain(self) -> dict[str, Any]:
        """Give plain values, for JSON."""
        return asdict(self) | {"measured_by": self.command}


def recorded_perplexities(points: Iterable[Point]) -> dict[Point, Perplexity]:
    """Give the recorded perplexity of those points whose arithmetic has one.

    Raises
    ------
    UserError
        A design does not add up whole dot products.
    """
    found = {}
    for point in points:
        if not point.design.adds_all:
            raise UserError(
                f"{point.name} adds up no whole dot products, which the objective 'perplexity' is of: "
                "take design = 'dot', or an array with dataflow = 'os'"
            )
        ways = [_of_row(row) for row in recorded_rows(point.design)]
        if ways:
            found[point] = _best(ways)
    return found


def ways_to_read(points: Iterable[Point]) -> list[Scheme]:
    """Give all ways to feed operands to the units of points, each once."""
    return list(dict.fromkeys(scheme for point in points for scheme in ways_to_feed(point.design)))


def measured_perplexities(points: Sequence[Point], kept: Path, progress: Report) -> dict[Point, Perplexity]:
    """Let SmolLM2 read with the arithmetic of each point, each once in all its ways, as much as was recorded.

    Parameters
    ----------
    points : sequence of Point
    kept : Path
        Directory of readings; those that are there are not made again.
    progress : callable
        Takes the numbers of finished and of all passes of the model.
    """
    schemes, tokens = ways_to_read(points), recorded_tokens()
    read = measure_arithmetics(schemes, passage(), tokens, (), kept, progress)
    found = {
        scheme: Perplexity(accuracy.arithmetic, accuracy.ratio, tokens, "measured")
        for scheme, accuracy in zip(schemes, read, strict=True)
    }
    return {point: _best([found[scheme] for scheme in ways_to_feed(point.design)]) for point in points}


def _of_row(row: Mapping[str, Any]) -> Perplexity:
    model = row["model"]
    return Perplexity(row["arithmetic"], Interval(**model["ratio"]), model["tokens"], "recorded")


def _best(ways: list[Perplexity]) -> Perplexity:
    return min(ways, key=lambda way: way.ratio.value)
