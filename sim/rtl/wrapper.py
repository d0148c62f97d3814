"""A module around a unit that has the ports of every multiplier of this package: `a`, `b`, `p`."""

from collections.abc import Mapping
from dataclasses import dataclass

from lmul.errors import UserError
from lmul.golden import Format
from lmul.sim.rtl.unit import OPERANDS, PRODUCT, Part, Unit, Value

TOP = "lmul_rtl"
"""The module around a unit."""

CLOCK, RESET = "clk", "rst"
"""Its clock, and its reset, which is on at the unit's own level."""


@dataclass(frozen=True)
class Port:
    """A port of a unit, as it was elaborated.

    Parameters
    ----------
    direction : {"input", "output", "inout"}
    width : int
    """

    direction: str
    width: int


Ports = Mapping[str, Port]


def probe_text(unit: Unit) -> str:
    """Write a module that places a unit and connects nothing: elaborated, it tells the unit's ports."""
    return f"`resetall\nmodule {TOP};\n  {_placed(unit)} unit ();\nendmodule\n"


def check_ports(unit: Unit, format_: Format, ports: Ports) -> None:
    """Refuse what a unit's ports do not fit.

    Raises
    ------
    UserError
        A port is not there, goes the other way, is too narrow, or nothing drives an input.
    """
    resolved = unit.resolved(format_)
    for name, parts in resolved.items():
        for part in parts:
            _check_part(name, part, ports, "output" if name == PRODUCT else "input")
    _check_widths(unit, resolved, ports, format_)
    clock = [unit.clock.port, unit.clock.reset] if unit.clock else []
    for name in (*unit.ties, *filter(None, clock)):
        _check_direction(name, ports, "input")
    driven = {part.port for name in OPERANDS for part in resolved[name]} | {*unit.ties, *clock}
    for name, port in ports.items():
        if port.direction not in {"input", "output"}:
            raise UserError(f"{name} of {unit.top} is an {port.direction}: wanted inputs and outputs alone")
        if port.direction == "input" and name not in driven:
            raise UserError(
                f"input {name} of {unit.top} ({port.width} bits) is neither operand nor tied: "
                "a TOML file can name it in [ties], or in [clock]"
            )
    if both := [name for name in clock if name in unit.ties]:
        raise UserError(f"port {both[0]!r} is in [clock] and in [ties]: leave it out of [ties]")


def _check_direction(name: str, ports: Ports, direction: str) -> None:
    if name not in ports:
        there = ", ".join(f"{one} ({port.direction} {port.width})" for one, port in ports.items())
        raise UserError(f"port {name!r} is not there: the unit has {there}")
    if ports[name].direction != direction:
        raise UserError(f"port {name!r} is an {ports[name].direction}: wanted an {direction}")


def _check_part(name: str, part: Part, ports: Ports, direction: str) -> None:
    _check_direction(part.port, ports, direction)
    top = part.offset + (part.width or 0)
    if top > ports[part.port].width:
        raise UserError(
            f"{name} takes bits {part.offset} to {top - 1} of port {part.port!r}, "
            f"which has {ports[part.port].width}"
        )


def _check_widths(
    unit: Unit, resolved: Mapping[str, tuple[Part, ...]], ports: Ports, format_: Format
) -> None:
    """Refuse ports that are wider than what is known of them."""
    for name in dict.fromkeys(part.port for operand in OPERANDS for part in resolved[operand]):
        taken = sum(width for _, width, _ in _taken(name, resolved))
        if taken >= ports[name].width and name in unit.ties:
            raise UserError(f"port {name!r} is an operand in all of its bits: leave it out of [ties]")
        if taken < ports[name].width and name not in unit.ties:
            raise UserError(
                f"port {name!r} has {ports[name].width} bits, operands of {format_.name} take {taken}: "
                "take another format or port, or tie the rest in the [ties] of a TOML file"
            )
    first = unit.ports[PRODUCT][0]
    if first.width is None and not first.offset and ports[first.port].width != resolved[PRODUCT][0].width:
        raise UserError(
            f"port {first.port!r} has {ports[first.port].width} bits, a product of {format_.name} "
            f"{format_.width}: take another format or port, or name its bits in a TOML file"
        )


def wrapper_text(unit: Unit, format_: Format, ports: Ports | None) -> str:
    """Write the module around a unit.

    Parameters
    ----------
    unit : Unit
    format_ : Format
    ports : mapping of str to Port, or None
        The unit's ports as they were elaborated. Without them, as wide as what is connected to them.
    """
    resolved = unit.resolved(format_)
    widths = {name: port.width for name, port in ports.items()} if ports else _least_widths(resolved)
    own = [f"input wire [{format_.width - 1}:0] {name}" for name in OPERANDS]
    connections = [f".{name}({_input(name, unit, resolved, widths)})" for name in _inputs(unit, resolved)]
    if unit.clock:
        own.append(f"input wire {CLOCK}")
        connections.append(f".{unit.clock.port}({CLOCK})")
    if unit.clock and unit.clock.reset:
        own.append(f"input wire {RESET}")
        connections.append(f".{unit.clock.reset}({RESET})")
    own.append(f"output wire [{format_.width - 1}:0] {PRODUCT}")
    outputs = dict.fromkeys(part.port for part in resolved[PRODUCT])
    wires = [f"  wire [{widths[port] - 1}:0] from_{port};" for port in outputs]
    connections += [f".{port}(from_{port})" for port in outputs]
    product = [
        _bits(f"from_{part.port}", part.offset, part.width or 0) for part in reversed(resolved[PRODUCT])
    ]
    lines = ["`resetall", f"module {TOP} (", "  " + ",\n  ".join(own), ");", *wires]
    lines += [f"  {_placed(unit)} unit (", "    " + ",\n    ".join(connections), "  );"]
    return "\n".join([*lines, f"  assign {PRODUCT} = {{{', '.join(product)}}};", "endmodule", ""])


def _least_widths(resolved: Mapping[str, tuple[Part, ...]]) -> dict[str, int]:
    widths: dict[str, int] = {}
    for part in (part for parts in resolved.values() for part in parts):
        widths[part.port] = max(widths.get(part.port, 0), part.offset + (part.width or 0))
    return widths


def _placed(unit: Unit) -> str:
    values = ", ".join(f".{name}({value})" for name, value in unit.parameters.items())
    return f"{unit.top} #({values})" if values else unit.top


def _inputs(unit: Unit, resolved: Mapping[str, tuple[Part, ...]]) -> list[str]:
    return list(dict.fromkeys([*(part.port for name in OPERANDS for part in resolved[name]), *unit.ties]))


def _input(port: str, unit: Unit, resolved: Mapping[str, tuple[Part, ...]], widths: Mapping[str, int]) -> str:
    """Write what an input port is: bits of operands, and its tie, or zeros, where there are none."""
    tie: Value = unit.ties.get(port, 0)
    taken = sorted(_taken(port, resolved))
    if not taken:
        return str(tie)
    width = widths[port]
    bits, done = [], 0
    for low, wide, text in [*taken, (width, 0, "")]:
        if low > done:
            bits.append(f"{low - done}'d{(_number(port, tie) >> done) & ((1 << (low - done)) - 1)}")
        done = low + wide
        bits += [text] if text else []
    return f"{{{', '.join(reversed(bits))}}}"


def _taken(port: str, resolved: Mapping[str, tuple[Part, ...]]) -> list[tuple[int, int, str]]:
    """Give the bits of a port that operands take: the lowest, how many, and what they are."""
    found = []
    for name in OPERANDS:
        low = 0
        for part in resolved[name]:
            width = part.width or 0
            if part.port == port:
                found.append((part.offset, width, _bits(name, low, width)))
            low += width
    for (low, width, _), (above, *_) in zip(sorted(found), sorted(found)[1:], strict=False):
        if low + width > above:
            raise UserError(f"bit {above} of port {port!r} is taken twice: give parts offsets of their own")
    return found


def _bits(name: str, low: int, width: int) -> str:
    return f"{name}[{low + width - 1}:{low}]"


def _number(port: str, tie: Value) -> int:
    if not isinstance(tie, int):
        raise UserError(
            f"tie of {port!r} must be a number, for an operand takes bits of that port: not {tie!r}"
        )
    return tie
