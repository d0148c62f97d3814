"""Switching activity of a netlist as a SAIF file, for power tools that simulate nothing themselves."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lmul.cost.netlist.netlist import Netlist


def saif_text(
    netlist: Netlist, ones: NDArray[np.float64], rates: NDArray[np.float64], period_ps: float, cycles: int
) -> str:
    """Write how long every net and pin is high, and how often it toggles.

    Parameters
    ----------
    netlist : Netlist
    ones : float64 array, shape (nets,)
        Share of the time for which each net is high.
    rates : float64 array, shape (nets,)
        Toggles of each net in a cycle.
    period_ps : float
        Length of a cycle.
    cycles : int
        Length of the file in cycles, which decides how finely it can count.

    Returns
    -------
    str
        SAIF 2.0 in ps: the ports and nets of the design, then every pin of every instance.
    """
    duration = round(cycles * period_ps)
    high = np.rint(ones * duration).astype(np.int64)
    toggles = np.rint(rates * cycles).astype(np.int64)

    def entry(name: str, net: int) -> str:
        name = name.replace("[", "\\[").replace("]", "\\]")
        return f"({name} (T0 {duration - high[net]}) (T1 {high[net]}) (TX 0) (TC {toggles[net]}) (IG 0))"

    top = _Scope()
    top.entries = [entry(name, net) for net, name in enumerate(netlist.names) if name and "." not in name]
    for instance in netlist.instances:
        scope = top
        for part in instance.name.split("."):
            scope = scope.children.setdefault(part, _Scope())
        scope.entries = [entry(pin, net) for pin, net in instance.nets.items()]
    lines = [
        "(SAIFILE",
        '  (SAIFVERSION "2.0")',
        '  (DIRECTION "backward")',
        f'  (DESIGN "{netlist.name}")',
        "  (DIVIDER / )",
        "  (TIMESCALE 1 ps)",
        f"  (DURATION {duration})",
        *top.lines(netlist.name, "  "),
        ")",
    ]
    return "\n".join(lines) + "\n"


@dataclass
class _Scope:
    entries: list[str] = field(default_factory=list)
    children: dict[str, "_Scope"] = field(default_factory=dict)

    def lines(self, name: str, indent: str) -> Iterator[str]:
        yield f"{indent}(INSTANCE {name}"
        if self.entries:
            yield f"{indent}  (NET"
            yield from (f"{indent}    {entry}" for entry in self.entries)
            yield f"{indent}  )"
        for child, scope in self.children.items():
            yield from scope.lines(child, f"{indent}  ")
        yield f"{indent})"
