"""A placed netlist as Verilog: one flat module, with its buffers."""

import re
from collections.abc import Iterator

from lmul.cost.layout.files.names import net_names, port_names
from lmul.cost.library.reader import IDENTIFIER
from lmul.cost.netlist.netlist import CONSTANT_NETS, Netlist


def flat_verilog(netlist: Netlist) -> str:
    """Write a netlist as one module of cells.

    Parameters
    ----------
    netlist : Netlist
    """
    return "\n".join(["// A netlist of cells, with the buffers of a layout.", *_module(netlist), ""])


def _module(netlist: Netlist) -> Iterator[str]:
    names = net_names(netlist)
    bits = port_names(netlist)
    yield f"module {netlist.name}({', '.join(port.name for port in netlist.ports)});"
    for port in netlist.ports:
        width = f" [{len(port.nets) - 1}:0]" if len(port.nets) > 1 else ""
        yield f"  {port.direction}{width} {port.name};"
    for name in names[CONSTANT_NETS:]:
        if name not in bits:
            yield f"  wire {_written(name)};"
    told = ["1'b0", "1'b1", *(name if name in bits else _written(name) for name in names[CONSTANT_NETS:])]
    for port in netlist.ports:
        for name, net in port.bits.items():
            if told[net] != name:
                yield f"  assign {name} = {told[net]};"
    for instance in netlist.instances:
        pins = ", ".join(f".{pin}({told[net]})" for pin, net in instance.nets.items())
        yield f"  {instance.cell.name} {_written(instance.name)} ({pins});"
    yield "endmodule"


def _written(name: str) -> str:
    return name if re.fullmatch(IDENTIFIER, name) else f"\\{name} "
