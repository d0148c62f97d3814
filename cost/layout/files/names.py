"""Names of a placed netlist in the files of layout tools."""

import re

from lmul.cost.netlist.netlist import CONSTANT_NETS, Netlist

_SPECIAL = re.compile(r"[^\w$\[\].]")


def port_names(netlist: Netlist) -> dict[str, int]:
    """Give the net of every bit of a port, inputs before outputs."""
    ports = sorted(netlist.ports, key=lambda port: port.direction != "input")
    return {name: net for port in ports for name, net in port.bits.items()}


def net_names(netlist: Netlist) -> list[str]:
    """Give a name for every net: that of the first port that it is on, its own, or a number.

    Parameters
    ----------
    netlist : Netlist

    Returns
    -------
    list of str
        One for each net, unlike each other and all ports and instances; those of the constant nets are empty.
    """
    ports = port_names(netlist)
    names = [""] * netlist.nets
    for name, net in reversed(ports.items()):
        names[net] = name
    taken = {*ports, *(instance.name for instance in netlist.instances)}
    for net in range(CONSTANT_NETS, netlist.nets):
        if not names[net]:
            names[net] = _free(netlist.names[net], f"net{net}", taken)
            taken.add(names[net])
    names[:CONSTANT_NETS] = [""] * CONSTANT_NETS
    return names


def _free(name: str, other: str, taken: set[str]) -> str:
    """Give a name unless it is taken, or another one."""
    if name and name not in taken:
        return name
    while other in taken:
        other += "_"
    return other


def escaped(name: str, *, bus: bool = False) -> str:
    """Escape what DEF and SPEF would read as a step of a hierarchy, and brackets but those of a bus."""
    name = _SPECIAL.sub(lambda found: "\\" + found[0], name)
    return name if bus else re.sub(r"[\[\]]", lambda found: "\\" + found[0], name)


def escaped_nets(netlist: Netlist) -> list[str]:
    """Give the names of nets as DEF and SPEF write them: brackets are bits in those of ports alone."""
    ports = port_names(netlist)
    return [escaped(name, bus=name in ports) for name in net_names(netlist)]
