"""Mapped designs that other tools are asked about: one netlist each, and what its inputs do."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmul.cost.library.reader import default_library
from lmul.cost.mapping.designs import map_to_cells
from lmul.cost.mapping.mapper import Mapped
from lmul.cost.mapping.scripts import QUICK_SCRIPTS
from lmul.cost.netlist.netlist import cell_models
from lmul.cost.power.stimulus import stimulus
from lmul.design import Design, make_design
from lmul.hdl import export
from lmul.sim.simulators.icarus import GateLevelBench
from lmul.workloads import default_operands

DESIGNS = [
    make_design("mul"),
    make_design("mul", mul="mitchell", format="e5m2"),
    make_design("mul", mul="addc"),
    make_design("mul", mul="exact"),
    make_design("mul", mul="exact", format="e5m2", subnormals="full"),
    make_design("mul", mul="exact", format="bf16"),
    make_design("mul", mul="exact", pipeline=1),
    make_design("dot", lanes=2),
    make_design("dot", lanes=2, mul="exact", acc="fixed:24:1", out="raw"),
    make_design("array", rows=2, cols=2, lanes=1),
]
"""Every kind of design and multiplier, gates, registers, gated clocks."""


PERIOD_PS = 20_000


def mapped_design(design: Design, cells: Path) -> Mapped:
    (mapped,) = map_to_cells(
        export(design), design, default_library(), scripts=QUICK_SCRIPTS[:1], cache=cells
    ).values()
    return mapped


def netlist_sources(design: Design, cells: Path) -> dict[str, str]:
    """Give the Verilog of a mapped design and of the cells in it, by file name."""
    mapped = mapped_design(design, cells)
    models = cell_models(mapped.netlist.library, mapped.netlist.cell_counts)
    return {"design.v": mapped.verilog, "cells.v": models}


def one_stream(design: Design, cycles: int) -> dict[str, NDArray[np.uint8]]:
    ports = stimulus(design, default_operands()[:1])
    return {name: np.ascontiguousarray(bits[:cycles, :1]) for name, bits in ports.items()}


def bench_of(mapped: Mapped, ports: dict[str, NDArray[np.uint8]], sdf: str = "") -> GateLevelBench:
    """Give a bench that sends one stream into a netlist, with delays if there is an SDF file."""
    netlist = mapped.netlist
    return GateLevelBench(
        top=netlist.name,
        netlist=mapped.verilog,
        models=cell_models(netlist.library, netlist.cell_counts, paths=bool(sdf)),
        sdf=sdf,
        ports={name: bits[:, 0] for name, bits in ports.items()},
        clock=netlist.clock_port,
        period_ps=PERIOD_PS,
    )
