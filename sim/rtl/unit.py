"""A multiplier in Verilog or SystemVerilog that somebody wrote: its files, and what its ports mean."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lmul.errors import UserError
from lmul.golden import Format
from lmul.host.verilog_names import KEYWORDS

Value = int | str
"""What parameters, defines and ties are: a number, or a text that Verilog reads."""

OPERANDS, PRODUCT = ("a", "b"), "p"

LONGEST = 64
"""Most cycles of a latency or of a hold."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_WORD = re.compile(r"[A-Za-z_]\w*(::[A-Za-z_]\w*)?|\d*'s?[bodhBODH][0-9a-fA-F_]+")


@dataclass(frozen=True)
class Part:
    """Bits of a port that belong to an operand or to the product.

    Parameters
    ----------
    port : str
    width : int, optional
        Bits; without it, as many as the operand has left.
    offset : int
        The lowest of them in the port.
    """

    port: str
    width: int | None = None
    offset: int = 0


@dataclass(frozen=True)
class Clock:
    """The clock of a unit, and its reset.

    Parameters
    ----------
    port : str
    reset : str
        Port of the reset, empty if there is none.
    reset_active : {"high", "low"}
        The level at which it is on.
    """

    port: str
    reset: str = ""
    reset_active: str = "high"

    @property
    def reset_level(self) -> int:
        """What the port of the reset is while it is on."""
        return int(self.reset_active == "high")


@dataclass(frozen=True)
class Unit:
    """Somebody's multiplier.

    Parameters
    ----------
    files : tuple of Path
        Verilog or SystemVerilog, in the order in which they are read.
    top : str
        The module.
    ports : mapping of str to tuple of Part
        Where `a`, `b` and `p` are, each from its least significant bits on.
    include : tuple of Path
        Folders of included files; those of `files` are looked into too.
    defines, parameters : mapping of str to int or str
    ties : mapping of str to int or str
        What other input ports are, and bits of a port that no operand takes.
    clock : Clock, optional
    latency : int
        Cycles from a pair of operands to its product, a new pair in every cycle.
    hold : int
        Cycles for which a pair is held until the product is there, and stays; 0 for a unit with a latency.

    Raises
    ------
    UserError
        A name is none of Verilog's, or the cycles make no sense.
    """

    files: tuple[Path, ...]
    top: str
    ports: Mapping[str, tuple[Part, ...]]
    include: tuple[Path, ...] = ()
    defines: Mapping[str, Value] = field(default_factory=dict)
    parameters: Mapping[str, Value] = field(default_factory=dict)
    ties: Mapping[str, Value] = field(default_factory=dict)
    clock: Clock | None = None
    latency: int = 0
    hold: int = 0

    def __post_init__(self) -> None:
        names = [self.top, *self.defines, *self.parameters, *self.ties]
        names += [part.port for parts in self.ports.values() for part in parts]
        names += [name for name in ((self.clock.port, self.clock.reset) if self.clock else ()) if name]
        for name in names:
            if not _NAME.fullmatch(name) or name in KEYWORDS:
                raise UserError(f"{name!r} is no name of Verilog: take letters, digits and _, a letter first")
        for name, value in [*self.defines.items(), *self.parameters.items(), *self.ties.items()]:
            if isinstance(value, str) and not _WORD.fullmatch(value):
                right = "a whole number, or a text such as 'pkg::FAST' or \"4'b1010\""
                raise UserError(f"{name} must be {right}, not {value!r}")
        self._check_cycles()

    def _check_cycles(self) -> None:
        for name in ("latency", "hold"):
            if not 0 <= getattr(self, name) <= LONGEST:
                raise UserError(f"{name} must be from 0 to {LONGEST} cycles, not {getattr(self, name)}")
        if self.latency and self.hold:
            raise UserError(
                "latency is of a unit that takes a pair a cycle, hold of one that does not: name one"
            )
        if (self.latency or self.hold) and self.clock is None:
            raise UserError("latency and hold are cycles of a clock: name its port in [clock]")
        if self.clock and not (self.latency or self.hold):
            raise UserError(
                "a unit with a clock needs latency or hold, the cycles until its product is there"
            )

    @property
    def cycles_per_product(self) -> int:
        """Cycles from a pair of operands to the next."""
        return self.hold or 1

    def resolved(self, format_: Format) -> dict[str, tuple[Part, ...]]:
        """Give the parts of `a`, `b` and `p` with their widths.

        Raises
        ------
        UserError
            They are not as wide together as the format.
        """
        return {name: _filled(name, parts, format_) for name, parts in self.ports.items()}


def _filled(name: str, parts: tuple[Part, ...], format_: Format) -> tuple[Part, ...]:
    """Give each part a width: the last one may take what the others leave."""
    known = sum(part.width or 0 for part in parts)
    *before, last = parts
    if any(part.width is None for part in before):
        raise UserError(
            f"{name}: parts need a width each, such as {{port = 'mx', width = 3}}; the last may go without"
        )
    if last.width is None:
        last = Part(last.port, format_.width - known, last.offset)
        known = format_.width
    if known != format_.width or last.width is None or last.width < 1:
        raise UserError(f"{name}: its parts have {known} bits, and {format_.name} has {format_.width}")
    return (*before, last)
