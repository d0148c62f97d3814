"""The operands that a command is to use: a file's, or the captured tiles.

What is to be said of them is given as notes, for after the results: what is refused prints one line.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace

from lmul.design import LIMITS, Design
from lmul.errors import UserError
from lmul.golden import SCALINGS, Format
from lmul.workloads import Operands, default_operands, load_operands


def chosen_operands(
    options: argparse.Namespace, formats: tuple[Format, Format]
) -> tuple[tuple[Operands, ...], list[str]]:
    """Read the operands, and note where bytes without a meaning were taken for bit patterns.

    Parameters
    ----------
    options : argparse.Namespace
        `operands`, `scaling` and `codes`.
    formats : tuple of two Format
        Of the bit patterns that a file may hold.

    Raises
    ------
    UserError
        The file or an option cannot be used.
    """
    scaling = "tensor" if options.scaling is None else options.scaling
    if scaling not in SCALINGS:
        raise UserError(f"--scaling {scaling!r} is unknown: it must be one of {', '.join(SCALINGS)}")
    if options.codes and not options.operands:
        raise UserError("--codes is of a file: name it by --operands")
    if options.codes and options.scaling is not None:
        raise UserError("--scaling means nothing to --codes, which nothing scales: leave one of them out")
    if not options.operands:
        return default_operands(scaling), []
    operands = load_operands(options.operands, formats=formats, codes=options.codes, scaling=scaling)
    return operands, [] if options.codes else _codes_taken(operands, formats)


def refuse_scaling(options: argparse.Namespace) -> None:
    """Refuse options of operands where operands are random.

    Raises
    ------
    UserError
    """
    for name in ("scaling", "codes"):
        if getattr(options, name):
            raise UserError(f"--{name} means nothing to random operands: it is for --operands")


def fit_depth(design: Design, operands: Sequence[Operands], *, asked: bool) -> tuple[Design, list[str]]:
    """Give the design the depth that its operands need, and note it, unless a depth was asked for.

    Raises
    ------
    UserError
        The depth that was asked for, or the largest that there is, is not enough.
    """
    longest = max((pair.longest_sum for pair in operands), default=0)
    if not asked and design.adds_all and design.depth < longest <= LIMITS["depth"]:
        note = f"--depth {longest}: the operands need more than the usual {design.depth}."
        return replace(design, depth=longest), [note]
    for pair in operands:
        design.check_length(pair.longest_sum, pair.name)
    return design, []


def _codes_taken(operands: Sequence[Operands], formats: tuple[Format, Format]) -> list[str]:
    return [
        f"Array {'ab'[side]} holds bytes, as ml_dtypes saves fp8: "
        f"they were taken as bit patterns of {format_.name}."
        for side, format_ in enumerate(formats)
        if any(pair.given[side] is not None for pair in operands)
    ]
