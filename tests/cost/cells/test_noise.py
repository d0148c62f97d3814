"""Ratios of costs have intervals that hold what other seeds give."""

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lmul.cost.cells.noise import FIGURES, Noise, Ratio, noise_of
from lmul.cost.cells.table import ratio_text
from lmul.intervals import student

DEVIATIONS = np.array([0.01, 0.1, 0.04, 0.03])
"""Of the logarithms of area, delay, energy and energy without glitches, from seed to seed."""

TRIALS = 500


@dataclass
class Seeds:
    """What each seed alone would have kept of a design."""

    of_seeds: list[Any]

    @property
    def kept(self) -> list[float]:
        """Give the logarithms of the figures of the netlist that is kept of all."""
        figures = [
            [one.area_um2, one.delay_ps, one.energy.total, one.zero_delay.total] for one in self.of_seeds
        ]
        least = min(figures, key=lambda one: one[0] * one[2])
        logs: list[float] = np.log(least).tolist()
        return logs


def draw(rng: np.random.Generator, seeds: int, designs: int) -> list[Seeds]:
    def one() -> Any:
        area, delay, energy, still = np.exp(rng.normal(0, DEVIATIONS))
        return SimpleNamespace(
            area_um2=area,
            delay_ps=delay,
            energy=SimpleNamespace(total=energy),
            zero_delay=SimpleNamespace(total=still),
        )

    return [Seeds([one() for _ in range(seeds)]) for _ in range(designs)]


@pytest.mark.parametrize(("seeds", "designs"), [(2, 2), (3, 2), (3, 4), (8, 2)])
def test_other_seeds_give_ratios_inside_19_times_of_20(seeds: int, designs: int) -> None:
    rng = np.random.default_rng(1)
    inside, widths = np.zeros(len(FIGURES)), []
    for _ in range(TRIALS):
        ours, others = draw(rng, seeds, designs), draw(rng, seeds, designs)
        noise = noise_of(ours)  # type: ignore[arg-type]
        for place, name in enumerate(FIGURES):
            first, second = (math.exp(each[0].kept[place] - each[1].kept[place]) for each in (ours, others))
            found = noise.ratio(name, first, 1.0)
            inside[place] += found.low <= second <= found.high
            widths.append(math.log(found.high / found.low) / DEVIATIONS[place])
    assert (inside / TRIALS >= 0.93).all(), inside
    # No wider than twice what would hold the ratio of two single seeds, where many are known.
    assert seeds < 8 or np.median(widths) < 2 * 4 * 1.96


def test_one_seed_tells_no_noise() -> None:
    noise = noise_of(draw(np.random.default_rng(1), 1, 3))  # type: ignore[arg-type]
    found = noise.ratio("area_um2", 3.0, 4.0)
    assert found == Ratio(0.75, 0.0, math.inf) and not found.differs
    assert ratio_text(found).strip() == "0.75"


def test_energies_of_no_sense_have_no_interval() -> None:
    designs = draw(np.random.default_rng(1), 3, 2)
    designs[0].of_seeds[1].energy.total = -1.0
    noise = noise_of(designs)  # type: ignore[arg-type]
    assert noise.freedom == 0
    assert ratio_text(noise.ratio("energy_per_product_fj", -1.0, 2.0)).strip() == "-0.50"
    assert ratio_text(noise.ratio("energy_per_product_fj", 1.0, 0.0)).strip() == "nan"


def test_cycles_that_are_drawn_widen_the_interval_of_energy() -> None:
    noise = Noise(dict.fromkeys(FIGURES, 0.0), 4)
    assert noise.ratio("area_um2", 1.0, 2.0).half_width == 0
    assert noise.ratio("area_um2", 1.0, 2.0, 0.02).half_width == pytest.approx(
        0.5 * 0.02 * math.sqrt(2), rel=1e-3
    )


def test_a_ratio_has_no_more_digits_than_its_interval_allows() -> None:
    assert ratio_text(Ratio(0.7114, 0.7014, 0.7216)) == "0.71 ± 0.01  "
    assert ratio_text(Ratio(0.7114, 0.7094, 0.7134)) == "0.711 ± 0.002  "
    assert ratio_text(Ratio(1.0314, 0.96, 1.1)) == "1.03 ± 0.07 ="


@pytest.mark.parametrize(
    ("freedom", "wanted"), [(1, 12.706), (2, 4.303), (4, 2.776), (7, 2.365), (15, 2.131), (127, 1.979)]
)
def test_students_distribution(freedom: int, wanted: float) -> None:
    assert student(freedom) == pytest.approx(wanted, rel=5e-3)
