"""Errors over the mantissa square, as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lmul.accuracy.products import (
    SEED,
    Mantissas,
    code_errors,
    exact_products,
    multipliers,
    rounded_products,
)
from lmul.accuracy.statistics import Errors, Reals
from lmul.golden import Format
from lmul.multipliers import find_multiplier
from lmul.terminal.pictures import write_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

MOST_MANTISSAS = 256
"""Mantissas along a side of the picture, where there are more."""

CAPTIONS = {"exact": "correctly rounded", "formula": "the paper's formula"}
"""Of the multipliers that are no integer addition."""


def plot_errors(format_: Format, path: Path) -> None:
    """Draw the relative error of each multiplier over all pairs of mantissas, and write it to a file.

    Parameters
    ----------
    format_ : Format
    path : Path
        As `lmul.terminal.pictures.write_picture` takes it.

    Raises
    ------
    UserError
        The suffix is another one, or the file cannot be written.
    """
    write_picture(path, lambda: draw_errors(format_))


def draw_errors(format_: Format) -> "Figure":
    """Draw one panel a multiplier, all on one colour scale that is symmetric about zero."""
    from matplotlib.figure import Figure

    bits = format_.mantissa_bits
    mantissa = picture_mantissas(bits)
    panels = {mul: error_square(mantissa, mul, bits) for mul in multipliers(bits)}
    limit = max(float(np.max(np.abs(errors))) for errors in panels.values())
    figure = Figure(figsize=(2.6 * len(panels) + 1.1, 4.2), dpi=160, layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (mul, errors) in zip(axes, panels.items(), strict=True):
        image = _draw_panel(axis, errors, limit, 1 << bits)
        _label_panel(axis, mul, code_errors(mul, bits).errors)
    axes[0].set_ylabel("mantissa of y")
    colours = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.015)
    colours.set_label("relative error, %")
    figure.suptitle(f"{format_.name}: error of one product over the mantissas of its operands", fontsize=13)
    return figure


def _draw_panel(axis: "Axes", errors: Reals, limit: float, size: int) -> "AxesImage":
    """Draw errors in %, on a colour scale from -limit to limit; mantissas run from 0 to size - 1."""
    edges = (-0.5, size - 0.5)
    ticks = range(0, size, max(1, size // 4))
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.set_yticks(ticks, [str(tick) for tick in ticks])
    axis.set_xlabel("mantissa of x")
    return axis.imshow(
        errors.T,
        origin="lower",
        extent=(*edges, *edges),
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        interpolation="nearest",
    )


def _label_panel(axis: "Axes", mul: str, errors: Errors) -> None:
    """Write name, description and figures above a panel."""
    axis.set_title(mul, fontweight="bold", fontsize=11, pad=32)
    figures = f"mean {100 * errors.mean:+.3g} %, RMS {100 * errors.rms:#.3g} %"
    caption = CAPTIONS.get(mul) or find_multiplier(mul).caption
    text = axis.text(0.5, 1.03, f"{caption}\n{figures}", ha="center", va="bottom", fontsize=8.5)
    text.set_transform(axis.transAxes)


def picture_mantissas(mantissa_bits: int) -> Mantissas:
    """Give the mantissas along a side of the picture: all, or a random one of each of many parts."""
    size = 1 << mantissa_bits
    parts = min(size, MOST_MANTISSAS)
    # Evenly spaced ones end in zeros, so that their products need no rounding.
    return np.arange(parts) * (size // parts) + np.random.default_rng(SEED).integers(0, size // parts, parts)


def error_square(mantissa: Mantissas, mul: str, mantissa_bits: int) -> Reals:
    """Give the relative errors of rounded products of all pairs of some mantissas.

    Parameters
    ----------
    mantissa : ndarray of int64 below 2^M, shape (S,)
    mul : str
        Name of a multiplier.
    mantissa_bits : int
        M.

    Returns
    -------
    ndarray of float64, shape (S, S)
        In %.
    """
    x, y = mantissa[:, None], mantissa[None, :]
    products = rounded_products(x, y, mul, mantissa_bits)
    errors: Reals = 100.0 * (products / exact_products(x, y, mantissa_bits) - 1.0)
    return errors
