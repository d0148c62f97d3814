"""A multiplier that somebody wrote, as what can be mapped and measured."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from lmul.cost.cells.estimate import Cost, possible_scripts, tried_scripts, try_scripts, without_waiting
from lmul.cost.cells.measure import DEFAULT_CONDITIONS, Conditions, measure_all
from lmul.cost.library.cells import Library
from lmul.cost.mapping.mapper import map_design
from lmul.cost.power.stimulus import RESET_CYCLES, stimulus
from lmul.cost.power.zero_delay import Bits
from lmul.design import Design
from lmul.errors import UserError
from lmul.sim.rtl.check import Checked
from lmul.sim.rtl.elaborate import Elaborated
from lmul.sim.rtl.wrapper import RESET, TOP
from lmul.terminal.progress import Report
from lmul.workloads import Operands


@dataclass(frozen=True, eq=False)
class Foreign:
    """A multiplier that somebody wrote, and what it was found to compute.

    Parameters
    ----------
    checked : Checked

    Raises
    ------
    UserError
        Yosys does not read it: it can be simulated only.
    """

    checked: Checked

    def __post_init__(self) -> None:
        if self.checked.elaborated is None:
            raise UserError(f"{self.name} can be simulated only: {self.checked.unread}")

    @property
    def name(self) -> str:
        """The module that it is."""
        return self.checked.unit.top

    @property
    def _elaborated(self) -> Elaborated:
        assert self.checked.elaborated is not None  # noqa: S101
        return self.checked.elaborated

    @property
    def verilog(self) -> str:
        """The unit in a module with the usual ports, in plain Verilog."""
        return self._elaborated.verilog

    @property
    def top(self) -> str:
        """That module."""
        return TOP

    @property
    def model(self) -> Design:
        """The design of this package that it is closest to."""
        return self.checked.closest

    @property
    def products_per_cycle(self) -> float:
        """Products that it computes in a cycle."""
        return 1 / self.checked.unit.cycles_per_product

    @property
    def pairs(self) -> int:
        """Pairs of operands that it was given."""
        return self.checked.verdict.pairs

    @property
    def values(self) -> int:
        """Products among them that have another value than the model's."""
        return self.checked.verdict.values

    @property
    def warmup(self) -> int:
        """The first cycles of a stimulus that are not operation."""
        unit = self.checked.unit
        return RESET_CYCLES + unit.latency + unit.hold if unit.clock else 0

    def beside(self, design: Design, given: Collection[str]) -> Design:
        """Give a design the policies of the closest model, but those that were asked for."""
        closest = self.model
        return replace(
            design,
            subnormals=design.subnormals if "subnormals" in given else closest.subnormals,
            overflow=design.overflow if "overflow" in given else closest.overflow,
        )

    def check_operands(self, operands: Sequence[Operands]) -> None:
        """Refuse operands that leave no product to count after the warm-up."""
        least = 2 + self.warmup // self.checked.unit.cycles_per_product
        longest = max(pair.longest_sum for pair in operands)
        if longest < least:
            raise UserError(
                f"operands have K = {longest}, too few to measure {self.name}: take K = {least} or more"
            )

    def stimulus(self, operands: Sequence[Operands]) -> dict[str, Bits]:
        """Give its input ports in every cycle, as `lmul.cost.power.stimulus` does those of a design."""
        unit = self.checked.unit
        pairs = stimulus(replace(self.model, pipeline=0), operands)
        ports = {name: np.repeat(bits, unit.cycles_per_product, axis=0) for name, bits in pairs.items()}
        if unit.clock is None:
            return ports
        ports = {name: np.pad(bits, [(RESET_CYCLES, 0), (0, 0), (0, 0)]) for name, bits in ports.items()}
        if unit.clock.reset:
            reset = np.full_like(ports["a"][..., :1], 1 - unit.clock.reset_level)
            reset[:RESET_CYCLES] = unit.clock.reset_level
            ports[RESET] = reset
        return ports

    def key(self, operands: Sequence[Operands]) -> list[Any]:
        """Give what that depends on as JSON values."""
        unit = self.checked.unit
        clock = [unit.clock.reset, unit.clock.reset_level] if unit.clock else None
        cycles = [clock, unit.latency, unit.hold]
        return ["foreign", self.model.format.name, cycles, [pair.checksum for pair in operands]]

    def description(self, design: Design) -> dict[str, Any]:
        """Give what is told beside its figures as plain values."""
        verdict = self.checked.verdict
        return {
            "design": design.parameters() | {"mul": f"rtl:{self.name}"},
            "pairs": verdict.pairs,
            "differ": verdict.differ,
            "values": verdict.values,
            "rtl": {**self.checked.as_dict(), "verilog_sha256": sha256(self.verilog.encode()).hexdigest()},
        }

    @property
    def notes(self) -> Iterator[str]:
        """What has to be known beside its figures."""
        unit, verdict = self.checked.unit, self.checked.verdict
        yield f"{self.name}: {verdict.sentence}."
        if remade := self.checked.remade:
            yield f"{self.name}: its cost is of what Yosys makes of it: {remade:,} products differ."
        if verdict.values:
            yield f"{self.name} computes something else: what it leaves out takes no area and no energy."
        if others := ", ".join(self.checked.left_out):
            yield f"{self.name}: without what only its other outputs need: {others}."
        if unit.ties:
            yield f"{self.name}: without what its tied inputs make useless: {', '.join(unit.ties)}."
        if unit.clock:
            cycles = f"a product in {unit.hold} cycles" if unit.hold else f"latency {unit.latency}"
            yield f"{self.name}: with a clock, {cycles}; its energy is of a product."


def estimate_foreign(
    foreign: Foreign,
    operands: Sequence[Operands],
    library: Library,
    *,
    conditions: Conditions = DEFAULT_CONDITIONS,
    cache: Path | None = None,
    progress: Report | None = None,
) -> Cost:
    """Map and measure a multiplier that somebody wrote, as `estimate` does those of this package.

    Parameters
    ----------
    foreign : Foreign
    operands, library, conditions, cache, progress
        As `estimate` takes them.

    Raises
    ------
    UserError
        The library cannot be used, Yosys refuses the multiplier, or the operands are too short.
    """
    foreign.check_operands(operands)
    design = foreign.model
    measure = partial(
        measure_all,
        ports=lambda: foreign.stimulus(operands),
        made_from=foreign.key(operands),
        warmup=foreign.warmup,
        conditions=conditions,
        cache=cache,
    )
    try:
        netlists, candidates, stopped = try_scripts(
            lambda tried, tell: map_design(
                foreign.verilog, foreign.top, library, scripts=tried, cache=cache, progress=tell
            ),
            measure,
            # It may be far from the best after a cheap script, and near it after a slow one.
            possible_scripts(without_waiting(tried_scripts(design, conditions)), library),
            progress,
        )
    except UserError as error:
        raise UserError(
            str(error).replace(f"{foreign.top}:", f"{foreign.name} (latches are refused):")
        ) from None
    return Cost(design, library, conditions, candidates, netlists, None, stopped, foreign)
