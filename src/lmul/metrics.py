"""The figures that reports hold: what each is called, its unit, and whether more of it is better."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A figure of a design.

    Parameters
    ----------
    name : str
        In reports and in the file of results, the unit in it.
    label, unit : str
        For people.
    higher_is_better : bool
    """

    name: str
    label: str
    unit: str
    higher_is_better: bool = False

    @property
    def direction(self) -> str:
        """`maximize` or `minimize`."""
        return "maximize" if self.higher_is_better else "minimize"

    def cost(self, value: float) -> float:
        """Give a value that is less where the figure is better."""
        return -value if self.higher_is_better else value


PERPLEXITY = "perplexity_ratio"
"""Name of the figure that is a language model's, not a measured design's."""

METRICS = {
    metric.name: metric
    for metric in (
        Metric("energy_per_product_fj", "energy of a product", "fJ"),
        Metric("energy_per_product_zero_delay_fj", "energy without glitches", "fJ"),
        Metric("area_um2", "area", "um2"),
        Metric("critical_delay_ps", "critical delay", "ps"),
        Metric("products_per_ns", "throughput", "1/ns", higher_is_better=True),
        Metric("rms_error_percent", "RMS error", "%"),
        Metric("noise_percent", "noise", "%"),
        Metric(PERPLEXITY, "perplexity", "x full"),
        Metric("nand2_equivalents", "gates", "NAND2"),
        Metric("depth", "depth", "gates"),
        Metric("luts", "LUTs", ""),
        Metric("flip_flops", "flip-flops", ""),
        Metric("carries", "carries", "bits"),
        Metric("dsps", "DSP blocks", ""),
        Metric("brams", "block RAMs", ""),
        Metric("fmax_mhz", "clock", "MHz", higher_is_better=True),
    )
}
"""All figures that are better or worse, by name."""

EVALUATED = {
    "energy": METRICS["energy_per_product_fj"],
    "area": METRICS["area_um2"],
    "delay": METRICS["critical_delay_ps"],
    "throughput": METRICS["products_per_ns"],
    "error": METRICS["rms_error_percent"],
    "noise": METRICS["noise_percent"],
}
"""What a sweep measures of every design, by the name that its file uses."""

OBJECTIVES = EVALUATED | {"perplexity": METRICS[PERPLEXITY]}
"""What a sweep can be for."""
