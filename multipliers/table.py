"""Multipliers by name: those of this package, and those that other packages register."""

import hashlib
import inspect
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import numpy as np

from lmul.multipliers.addc import AddC
from lmul.multipliers.addm import AddM
from lmul.multipliers.forms import FieldSum, Form, MarkedFieldSum, rounded_product
from lmul.multipliers.integer_add import IntegerAdd, Integers, integer_add
from lmul.multipliers.lmul import LMul
from lmul.multipliers.mitchell import Mitchell

BUILT_IN: dict[str, IntegerAdd] = {"lmul": LMul(), "mitchell": Mitchell(), "addm": AddM(), "addc": AddC()}

NOT_ADDED = {
    "exact": "correctly rounded product; unrounded inside a dot product",
    "formula": "the paper's arithmetic form of lmul; a model, there is no hardware",
}
"""Multipliers that are no integer addition, `lmul.multipliers.significand` says what they are instead."""

DESCRIPTIONS = {name: multiplier.description for name, multiplier in BUILT_IN.items()} | NOT_ADDED
"""A line for each multiplier of this package."""

GROUP = "lmul.multipliers"
"""Entry points of this group name classes derived from `IntegerAdd`, by the multiplier's name."""

ALL_PAIRS_BITS = 6
"""Up to this mantissa width all pairs of mantissas of a plug-in are checked, above it some."""


class MultiplierError(ValueError):
    """A multiplier that there is not, or that cannot be used.

    Parameters
    ----------
    reason : str
        What is wrong, read behind the name of the parameter.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"mul {self.reason}"


def plug_ins() -> dict[str, EntryPoint]:
    """Give the entry points of multipliers that other packages register, by name; none is loaded.

    Raises
    ------
    MultiplierError
        A name is no name of a Verilog module, or there are two multipliers of that name.
    """
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=GROUP), key=_origin):
        origin = f"{entry.name!r} of the plug-in {_origin(entry)}"
        if not entry.name.isidentifier() or not entry.name.isascii():
            raise MultiplierError(f"{origin} must be a name of letters, digits and _: mend or uninstall it")
        if entry.name in DESCRIPTIONS:
            raise MultiplierError(f"{origin} has the name of a built-in one: rename or uninstall it")
        if entry.name in found:
            raise MultiplierError(f"{origin} is in {_origin(found[entry.name])} too: uninstall one of them")
        found[entry.name] = entry
    return found


def find_multiplier(name: str) -> IntegerAdd:
    """Give an integer-add multiplier.

    Parameters
    ----------
    name : str
        A name of `BUILT_IN`, or one that a plug-in registers.

    Raises
    ------
    MultiplierError
        There is none of that name, or its plug-in cannot be used.
    """
    return BUILT_IN[name] if name in BUILT_IN else _load(name)


def check_name(name: str) -> None:
    """Refuse a name that is no multiplier's. Plug-ins are looked for only if it is not built in.

    Raises
    ------
    MultiplierError
    """
    if name not in DESCRIPTIONS:
        _load(name)


def descriptions() -> dict[str, str]:
    """Give a line for each multiplier, plug-ins among them.

    Raises
    ------
    MultiplierError
        A plug-in cannot be used.
    """
    return DESCRIPTIONS | {name: find_multiplier(name).description for name in plug_ins()}


def plug_in_version(name: str) -> dict[str, str]:
    """Give the version of a multiplier's package by its name; nothing for a built-in one."""
    entry = None if name in DESCRIPTIONS else plug_ins().get(name)
    return {entry.dist.name: entry.dist.version} if entry and entry.dist else {}


def plug_in_digest(name: str) -> str:
    """Give a checksum of the module that a plug-in's multiplier is in, nothing for a built-in one."""
    if name in DESCRIPTIONS:
        return ""
    source = inspect.getsource(sys.modules[type(find_multiplier(name)).__module__])
    return hashlib.sha256(source.encode()).hexdigest()


@cache
def check_plug_in(name: str, mantissa_bits: int, carries: int) -> None:
    """Refuse a plug-in whose sums are not such that the hardware has room for them.

    Parameters
    ----------
    name : str
        Of a multiplier.
    mantissa_bits : int
        M.
    carries : int
        Most carries into the exponent that there is room for.

    Raises
    ------
    MultiplierError
        It adds something negative or no integer, carries more often, or its largest sum is not that of the
        largest mantissas. Or its form says something else than its correction.
    """
    if name in DESCRIPTIONS:
        return
    multiplier, origin = find_multiplier(name), f"{name!r} of the plug-in {_origin(plug_ins()[name])}"
    step = max(1, 1 << (mantissa_bits - ALL_PAIRS_BITS)) if mantissa_bits > ALL_PAIRS_BITS else 1
    mantissa = np.arange((1 << mantissa_bits) - 1, -1, -step, dtype=np.int64)
    x, y = mantissa[:, None], mantissa[None, :]
    try:
        added = multiplier.constant(mantissa_bits) + np.asarray(multiplier.correction(x, y, mantissa_bits))
        sums = np.broadcast_to(x + y + added, (len(mantissa), len(mantissa)))
    except Exception as error:
        reason = f"{origin} fails: {type(error).__name__}: {error}; mend or uninstall it"
        raise MultiplierError(reason) from error
    if not np.issubdtype(added.dtype, np.integer) or added.min() < 0:
        raise MultiplierError(f"{origin} must add integers from 0 on: mend or uninstall it")
    form = multiplier.form(mantissa_bits)
    if form and np.any(integer_add(sums, mantissa_bits) != _said(form, multiplier, x, y, mantissa_bits)):
        raise MultiplierError(f"{origin} has another correction than its form says: mend it")
    if sums.max() > sums[0, 0] or sums[0, 0] >> mantissa_bits > carries:
        raise MultiplierError(
            f"{origin} must have its largest sum where both mantissas are largest, with at most {carries} "
            f"carries into the exponent of such formats: mend it"
        )


def _said(form: Form, multiplier: IntegerAdd, x: Integers, y: Integers, mantissa_bits: int) -> Integers:
    """Give the significands that a multiplier's form says its products have."""
    if not isinstance(form, FieldSum | MarkedFieldSum):
        return rounded_product(x, y, mantissa_bits)
    total = x + y + multiplier.constant(mantissa_bits)
    if isinstance(form, MarkedFieldSum):
        total = total + ((form.marked(x) & form.marked(y)).astype(np.int64) << form.place)
    return integer_add(total, mantissa_bits)


@cache
def _load(name: str) -> IntegerAdd:
    known = plug_ins()
    if name not in known:
        names = ", ".join([*DESCRIPTIONS, *known])
        raise MultiplierError(f"{name!r} is unknown: it must be one of {names}")
    entry = known[name]
    origin = f"{name!r} of the plug-in {_origin(entry)}"
    try:
        made = entry.load()
        lacking = sorted(getattr(made, "__abstractmethods__", ()))
        multiplier = None if lacking else made()
    except Exception as error:
        raise MultiplierError(
            f"{origin} cannot be loaded: {type(error).__name__}: {error}; mend or uninstall it"
        ) from error
    if lacking:
        raise MultiplierError(f"{origin} lacks {' and '.join(lacking)}: mend or uninstall it")
    if not isinstance(multiplier, IntegerAdd) or not hasattr(multiplier, "description"):
        raise MultiplierError(
            f"{origin} must be a class derived from lmul.multipliers.IntegerAdd, with a description: mend it"
        )
    return multiplier


def _origin(entry: EntryPoint) -> str:
    """Name the distribution that an entry point is of, with its version."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
