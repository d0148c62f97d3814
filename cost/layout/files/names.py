"""Names of a placed netlist in the files of layout tools."""

import re

from lmul.cost.netlist.netlist import CONSTANT_NETS, Netlist

_SPECIAL = re.compile(r"[^\w$\[\].]")


def net_names(netlist: Netlist) -> list[str]:
    """Give a name for every net: that of the port that it is on, its own, or a number.

    Parameters
    ----------
    netlist : Netlist

    Returns
    -------
    list of str
        One for each net, all different; the two constant nets are empty.
    """
    names = list(netlist.names)
    for port in reversed(netlist.ports):
        for name, net in zip(port.bit_names, port.nets, strict=True):
            names[net] = name
    taken: set[str] = set()
    for net, name in enumerate(names[CONSTANT_NETS:], CONSTANT_NETS):
        names[net] = name if name and name not in taken else f"net{net}"
        taken.add(names[net])
    names[:CONSTANT_NETS] = [""] * CONSTANT_NETS
    return names


def escaped(name: str, *, bus: bool = False) -> str:
    """Escape what DEF and SPEF would read as a step of a hierarchy, and brackets but those of a bus."""
    name = _SPECIAL.sub(lambda found: "\\" + found[0], name)
    return name if bus else re.sub(r"[\[\]]", lambda found: "\\" + found[0], name)
