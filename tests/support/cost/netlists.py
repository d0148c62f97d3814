"""Netlists written cell by cell."""

import json

from lmul.cost.library.cells import Library
from lmul.cost.netlist.netlist import Netlist, read_netlist

Cells = dict[str, tuple[str, dict[str, int | str]]]


Ports = dict[str, list[int | str]]


def build(library: Library, inputs: Ports, outputs: Ports, cells: Cells) -> Netlist:
    ports = {name: {"direction": "input", "bits": bits} for name, bits in inputs.items()}
    ports |= {name: {"direction": "output", "bits": bits} for name, bits in outputs.items()}
    nodes = {
        name: {"type": kind, "connections": {pin: [bit] for pin, bit in pins.items()}}
        for name, (kind, pins) in cells.items()
    }
    used = {bit for port in ports.values() for bit in port["bits"]}
    used |= {bit for _, pins in cells.values() for bit in pins.values()}
    names = {f"n{bit}": {"bits": [bit]} for bit in sorted(used - {"0", "1"}, key=str)}
    module = {"attributes": {}, "ports": ports, "cells": nodes, "netnames": names}
    return read_netlist(json.dumps({"modules": {"top": module}}), library)
