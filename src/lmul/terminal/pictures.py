"""Colours of pictures, and those that matplotlib draws: the same figures give the same bytes."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from lmul.errors import UserError
from lmul.host.files import write_files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")

COLOURS = {"lmul": "#0072B2", "mitchell": "#56B4E9", "addm": "#009E73", "addc": "#E69F00", "exact": "#D55E00"}
"""Of the multipliers of this package that there is hardware for.

Okabe and Ito's, which colour-blind readers tell apart: Color Universal Design, 2008.
"""


def check_plot_path(path: Path) -> None:
    """Refuse a file name that no picture can be written to."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--plot {str(path)!r} must end with {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")


def write_picture(path: Path, draw: Callable[[], "Figure"]) -> None:
    """Draw a figure and write it to a file.

    Parameters
    ----------
    path : Path
        Ends with one of `SUFFIXES`. Replaced whole or not at all.
    draw : callable
        Gives the figure.

    Raises
    ------
    UserError
        The suffix is another one, or the file cannot be written.
    """
    check_plot_path(path)
    import matplotlib as mpl

    picture = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "lmul"}):  # Names in an SVG that are the same every time.
        draw().savefig(picture, format=path.suffix.lower()[1:], metadata=_metadata(path))
    write_files(path.parent, {path.name: picture.getvalue()})


def _metadata(path: Path) -> dict[str, None]:
    """Leave out dates: the same figures give the same file."""
    return {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower(), {})
