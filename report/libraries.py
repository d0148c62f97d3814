"""The main designs in several published libraries, as `bench/libraries.py` recorded them."""

from collections.abc import Mapping
from typing import Any

from lmul.report.language_model import recorded

RATIOS = ("area_um2", "critical_delay_ps", "energy_per_product_fj")
"""Figures that are compared, names of `lmul.metrics.METRICS`."""


def recorded_libraries() -> list[dict[str, Any]]:
    """Give what was measured in each library: its files, what was left out, and figures by multiplier."""
    found: list[dict[str, Any]] = recorded("libraries")
    return found


def ratio(figures: Mapping[str, Mapping[str, float]], name: str) -> float:
    """Give a figure of `lmul` over that of `exact`, rounded to what the interval of energies allows."""
    return round(figures["lmul"][name] / figures["exact"][name], 3)
