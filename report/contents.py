"""What a report knows: figures of designs, claims recomputed, and how a language model did."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lmul.cost.cells.noise import ENERGY, Noise, Ratio, noise_among
from lmul.report.language_model import LanguageModel
from lmul.report.measure import Figures
from lmul.report.plan import ADDED, BASELINE, FP32_SUM, Plan, Sum
from lmul.report.units import recorded_noise


@dataclass(frozen=True)
class Contents:
    """Everything that is on the page.

    Parameters
    ----------
    plan : Plan
    figures : mapping of str to dict
        Of every design, by name.
    adder : dict
        Figures of an fp32 adder; empty where fp32 is no format of the plan.
    claims : sequence of dict
        What the paper says of accuracy, recomputed.
    gates : sequence of dict
        Numbers of gates that the paper gives, recomputed.
    model : LanguageModel
    made : mapping of str to str
        Library, versions, operands: how the figures were made.
    """

    plan: Plan
    figures: Mapping[str, Figures]
    adder: Figures
    claims: Sequence[Mapping[str, Any]]
    gates: Sequence[Mapping[str, Any]]
    model: LanguageModel
    made: Mapping[str, str]

    @cached_property
    def _by_choice(self) -> dict[tuple[str, str, str, int], Figures]:
        found = {}
        for figures in self.figures.values():
            design = figures["design"]
            acc = str(design.get("acc", "")).partition(":")[0]
            found[format_names(design), design["mul"], acc, design.get("lanes", 1)] = figures
        return found

    def product(self, format_: str, mul: str) -> Figures | None:
        """Give the figures of a multiplier, None if there is none."""
        return self._by_choice.get((format_, mul, "", 1))

    def dot(self, format_: str, mul: str, sum_: Sum) -> Figures | None:
        """Give the figures of a dot product, None if there is none."""
        return self._by_choice.get((format_, mul, sum_.acc, sum_.lanes))

    def product_ratio(self, format_: str, mul: str = "lmul") -> Ratio | None:
        """Give a multiplier's energy over that of a conventional one, with its interval."""
        return self.ratio(self.product(format_, mul), self.product(format_, BASELINE))

    def dot_ratio(self, format_: str, sum_: Sum, mul: str = "lmul") -> Ratio | None:
        """Give the energy of a dot product with a multiplier over that with a conventional one.

        For fp32, the sum is an adder behind the multiplier, measured apart.
        """
        if format_ == ADDED and sum_ is FP32_SUM:
            adder = float(self.adder.get("energy_fj", 0.0))
            return self.ratio(self.product(format_, mul), self.product(format_, BASELINE), adder)
        return self.ratio(self.dot(format_, mul, sum_), self.dot(format_, BASELINE, sum_))

    def energy_interval(self, figures: Figures) -> tuple[float, float]:
        """Give the 95 % interval of an energy: another seed, and other cycles, put it there."""
        energy = _energy(figures)
        return self.noise(figures).interval(ENERGY, energy, figures["interval_95_fj"] / energy)

    def saved_by_product(self, format_: str, mul: str = "lmul") -> float | None:
        """Give the share of a conventional multiplier's energy that another one saves."""
        return _saved(self.product_ratio(format_, mul))

    def saved_by_dot(self, format_: str, sum_: Sum, mul: str = "lmul") -> float | None:
        """Give the share of a dot product's energy that a multiplier saves, as `dot_ratio` has it."""
        return _saved(self.dot_ratio(format_, sum_, mul))

    def formats_of(self, sum_: Sum) -> list[str]:
        """Give the formats that have a kind of dot product."""
        return [name for name in self.plan.formats if self.dot(name, BASELINE, sum_)]

    def multipliers_of(self, format_: str) -> list[str]:
        """Give the multipliers that a format has."""
        return [mul for mul in self.plan.multipliers if self.product(format_, mul)]

    def noise(self, figures: Figures) -> Noise:
        """Give the noise of designs such as one: measured with several seeds, else recorded."""
        kind = _noise_kind(figures)
        if self.plan.seeds == 1:
            return recorded_noise(kind)
        alike = [one["of_seeds"] for one in self.figures.values() if _noise_kind(one) == kind]
        return noise_among(np.array(alike), self.plan.seeds)

    def ratio(self, ours: Figures | None, theirs: Figures | None, common: float = 0.0) -> Ratio | None:
        """Give the ratio of two energies, each with what comes behind it, and its interval."""
        if ours is None or theirs is None:
            return None
        both = [_energy(figures) + common for figures in (ours, theirs)]
        sampled = [one["interval_95_fj"] / whole for one, whole in zip((ours, theirs), both, strict=True)]
        return self.noise(ours).ratio(ENERGY, both[0], both[1], math.hypot(*sampled))

    @property
    def formats(self) -> Sequence[str]:
        """All formats."""
        return self.plan.formats

    def products(self) -> list[Figures]:
        """Give the figures of all multipliers."""
        return [figures for figures in self.figures.values() if figures["design"]["kind"] == "mul"]

    def dots(self, sum_: Sum) -> list[Figures]:
        """Give the figures of all dot products of a kind."""
        return [
            figures
            for name in self.formats_of(sum_)
            for mul in self.plan.multipliers
            if (figures := self.dot(name, mul, sum_))
        ]


def format_names(design: Mapping[str, Any]) -> str:
    """Name the format of a design of a report, or both with an x between."""
    return design["format"] if "format" in design else f"{design['format_a']}x{design['format_b']}"


def _saved(ratio: Ratio | None) -> float | None:
    return None if ratio is None else 1 - ratio.value


def _noise_kind(figures: Figures) -> str:
    """Name the noise of a design: one lane with an fp32 sum is as noisy as a multiplier."""
    return "mul" if figures["design"].get("acc", FP32_SUM.acc) == FP32_SUM.acc else "dot"


def _energy(figures: Figures) -> float:
    energy: float = figures[ENERGY]
    return energy
