"""The cost of a design in an FPGA: LUTs, flip-flops and clock frequency, placed and routed.

Yosys synthesises the design inside a wrapper that reaches all of its ports from four pins, and keeps the two
apart, so that the cells counted are the design's own. nextpnr then places and routes both, and the clock
frequency is that of the result: from the wrapper's registers through the design and back.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lmul.design import Design
from lmul.errors import UserError
from lmul.hdl import Export, export
from lmul.host.cache import cached
from lmul.host.files import scratch
from lmul.programs.nextpnr import DoesNotFitError, NextpnrError, package, run_nextpnr
from lmul.programs.yosys import YosysError, run_yosys

SEEDS = (1, 2, 3)
"""Seeds of nextpnr's placement; the fastest result is kept."""

TARGET_MHZ = 500
"""Frequency that nextpnr is asked for: more than any design reaches, so that it never stops early."""

SCRIPTS = {
    "abc9": (),
    "abc9-flow2": ("scratchpad -copy abc9.script.flow2 abc9.script",),
}
"""What is done before each synthesis: nothing, or the choice of ABC9's longer script."""

WRAPPER = "wrapper"

INSTANCE = "dut"

RESOURCES = ("luts", "flip_flops", "carries", "dsps", "brams")


@dataclass(frozen=True)
class FpgaFamily:
    """An FPGA, and how designs come onto it.

    Parameters
    ----------
    name : str
        As nextpnr and the command line call it.
    device : str
        The device for people.
    synthesis : str
        Yosys command that maps the design to cells of the family.
    placement : tuple of str
        Arguments of nextpnr that choose the device.
    cells : mapping of str to mapping of str to int
        What one cell counts as, for the cell types of a shell pattern.
    larger : str or None
        Family to take for designs that do not fit.
    """

    name: str
    device: str
    synthesis: str
    placement: tuple[str, ...]
    cells: Mapping[str, Mapping[str, int]]
    larger: str | None = None

    def count(self, cells: Mapping[str, int]) -> dict[str, int]:
        """Count resources.

        Parameters
        ----------
        cells : mapping of str to int
            Numbers of cells by type.

        Returns
        -------
        dict of str to int
            For every name of `RESOURCES`.

        Raises
        ------
        ValueError
            A cell is of no known type.
        """
        total = dict.fromkeys(RESOURCES, 0)
        for kind, number in cells.items():
            counts = [counts for pattern, counts in self.cells.items() if fnmatch(kind, pattern)]
            if not counts:
                raise ValueError(f"cells of type {kind} are not counted in {self.name}")
            for resource, each in counts[0].items():
                total[resource] += each * number
        return total


FAMILIES = {
    "ice40": FpgaFamily(
        name="ice40",
        device="iCE40 HX8K ct256",
        synthesis="synth_ice40 -device hx",
        placement=("--hx8k", "--package", "ct256"),
        cells={
            "SB_LUT4": {"luts": 1},
            "SB_DFF*": {"flip_flops": 1},
            "SB_CARRY": {"carries": 1},
            "SB_MAC16": {"dsps": 1},
            "SB_RAM40_4K*": {"brams": 1},
        },
        larger="ecp5",
    ),
    "ecp5": FpgaFamily(
        name="ecp5",
        device="ECP5 LFE5U-85F-6",
        # Multiplexers of LUTs (PFUMX) shorten paths, and take up to twice the LUTs.
        synthesis="synth_ecp5 -nodsp -nolutram -nowidelut",
        placement=("--85k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"),
        cells={
            "LUT4": {"luts": 1},
            "TRELLIS_FF": {"flip_flops": 1},
            # Two bits of a carry chain, in the place of two LUTs.
            "CCU2C": {"carries": 2, "luts": 2},
            "MULT18X18D": {"dsps": 1},
            "DP16KD": {"brams": 1},
            "PDPW16KD": {"brams": 1},
        },
    ),
}


@dataclass(frozen=True)
class FpgaCost:
    """What a design takes of an FPGA.

    Parameters
    ----------
    design : Design
    family : str
        A name of `FAMILIES`.
    device : str
    luts : int
        Four-input LUTs, those of carry chains too.
    flip_flops : int
    carries : int
        Bits of carry chains.
    dsps, brams : int
        Multiplier blocks and block RAMs.
    script : str
        Name of the script whose netlist is kept: that of the least product of LUTs and clock period.
    scripts : mapping of str to mapping of str to float
        LUTs (``luts``) and highest clock frequency (``fmax_mhz``) of each script of `SCRIPTS`.
    fmax_by_seed_mhz : mapping of int to float
        Highest clock frequency of each placement.
    wrapper_limits : bool
        Whether the slowest path of the fastest placement is the wrapper's, and the design faster than that.
    versions : mapping of str to str
        Of the packages that made the figures.
    """

    design: Design
    family: str
    device: str
    luts: int
    flip_flops: int
    carries: int
    dsps: int
    brams: int
    script: str
    scripts: Mapping[str, Mapping[str, float]]
    fmax_by_seed_mhz: Mapping[int, float]
    wrapper_limits: bool
    versions: Mapping[str, str]

    @property
    def fmax_mhz(self) -> float:
        """Highest clock frequency of the fastest placement, in MHz."""
        return max(self.fmax_by_seed_mhz.values())

    @property
    def fmax_lowest_mhz(self) -> float:
        """Highest clock frequency of the slowest placement, in MHz."""
        return min(self.fmax_by_seed_mhz.values())

    def as_dict(self) -> dict[str, Any]:
        """Give the figures as plain values, units in the names."""
        return {
            "design": self.design.parameters(),
            "family": self.family,
            "device": self.device,
            **{resource: getattr(self, resource) for resource in RESOURCES},
            "script": self.script,
            "scripts": {name: dict(figures) for name, figures in self.scripts.items()},
            "fmax_mhz": round(self.fmax_mhz, 2),
            "fmax_lowest_mhz": round(self.fmax_lowest_mhz, 2),
            "fmax_by_seed_mhz": {str(seed): round(mhz, 2) for seed, mhz in self.fmax_by_seed_mhz.items()},
            "fmax_target_mhz": TARGET_MHZ,
            "wrapper_limits": self.wrapper_limits,
            "seeds": list(self.fmax_by_seed_mhz),
            "versions": dict(self.versions),
        }


def estimate_fpga(
    design: Design,
    family: str,
    *,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FpgaCost:
    """Synthesise, place and route a design.

    The same design gives the same figures, as long as the versions of the tools are the same.

    Parameters
    ----------
    design : Design
    family : str
        A name of `FAMILIES`.
    cache : Path, optional
        Directory of figures by the content that they were made from: design, wrapper, family, tools.
    progress : callable, optional
        Called with the numbers of finished and of all runs of Yosys and nextpnr.

    Raises
    ------
    UserError
        The family is unknown, a tool is not installed, or the design does not fit the device.
    """
    if family not in FAMILIES:
        raise UserError(f"FPGA family {family!r} is unknown: it must be one of {', '.join(FAMILIES)}")
    chosen = FAMILIES[family]
    versions = {name: version(name) for name in ("pyosys", package(family))}
    text = export(design)
    files = {"design.v": text.verilog, "wrapper.v": wrapper(text)}
    kinds = [figure.name for figure in fields(FpgaCost)]
    made_from = [versions, asdict(chosen), SCRIPTS, SEEDS, TARGET_MHZ, files, kinds]
    found = cached(cache, made_from, lambda: _measure(text.name, files, chosen, progress))
    fmax = {int(seed): mhz for seed, mhz in found.pop("fmax_by_seed_mhz").items()}
    return FpgaCost(design, family, chosen.device, fmax_by_seed_mhz=fmax, versions=versions, **found)


def wrapper(text: Export) -> str:
    """Write a module that reaches all ports of a design from four pins.

    The inputs of the design are the bits of a shift register. Its outputs go straight into a register, and
    from there, when `capture` was high a cycle ago, into a second shift register. So every path through the
    design begins and ends at a flip-flop, with no logic of the wrapper in it.

    Parameters
    ----------
    text : Export
        Of the design.

    Returns
    -------
    str
        Verilog.
    """
    ports = text.ports
    clocks = [port for port in ports if port["name"] == text.clock]
    clock = [f"    .{port['name']}(clk)" for port in clocks]
    data = [port for port in ports if port not in clocks]
    inputs, n = _slices(data, "in", "inputs")
    outputs, m = _slices(data, "out", "outputs")
    connections = ",\n".join([*clock, *inputs, *outputs])
    return f"""\
// All ports of {text.name} from four pins: inputs are shifted in, outputs captured and shifted out.
`default_nettype none

module {WRAPPER} (input wire clk, input wire serial_in, input wire capture, output wire serial_out);
  reg [{n - 1}:0] inputs;
  wire [{m - 1}:0] outputs;
  reg [{m - 1}:0] captured, shifted;
  reg load;

  {text.name} {INSTANCE} (
{connections}
  );

  always @(posedge clk) begin
    inputs <= {{inputs[{n - 2}:0], serial_in}};
    captured <= outputs;
    load <= capture;
    shifted <= load ? captured : {{shifted[{m - 2}:0], 1'b0}};
  end

  assign serial_out = shifted[{m - 1}];
endmodule

`default_nettype wire
"""


def _slices(ports: Sequence[Mapping[str, Any]], direction: str, vector: str) -> tuple[list[str], int]:
    """Connect the ports of a direction to the bits of a vector, the first port to the lowest bits."""
    connections, low = [], 0
    for port in ports:
        if port["direction"] == direction:
            connections.append(f"    .{port['name']}({vector}[{low + port['width'] - 1}:{low}])")
            low += port["width"]
    return connections, low


def synthesise(
    name: str, files: Mapping[str, str], family: FpgaFamily, script: str
) -> tuple[dict[str, int], str]:
    """Synthesise a design in its wrapper, in a fresh process.

    Parameters
    ----------
    name : str
        Name of the design's top module.
    files : mapping of str to str
        The Verilog of both, by file name.
    family : FpgaFamily
    script : str
        A name of `SCRIPTS`.

    Returns
    -------
    cells : dict of str to int
        Numbers of the design's cells by type, without the wrapper's.
    netlist : str
        The wrapper with the design in it, flat, as JSON.

    Raises
    ------
    UserError
        Yosys is not installed or refuses the design.
    """
    commands = [
        *(f"read_verilog -sv {file}" for file in files),
        f"setattr -mod -set keep_hierarchy 1 {name}",
        *SCRIPTS[script],
        f"{family.synthesis} -top {WRAPPER}",
        "delete t:$scopeinfo",
        "tee -q -o cells.json stat -json",
        f"setattr -mod -unset keep_hierarchy {name}",
        "flatten -noscopeinfo",
        "write_json netlist.json",
    ]
    with scratch() as path:
        _write_all(path, files)
        try:
            run_yosys(commands, path)
        except YosysError as error:
            raise UserError(f"Yosys: {error}") from None
        modules = json.loads((path / "cells.json").read_text())["modules"]
        return modules[f"\\{name}"]["num_cells_by_type"], (path / "netlist.json").read_text()


def place_and_route(netlist: str, family: FpgaFamily, seed: int) -> dict[str, Any]:
    """Place and route a netlist, in a fresh process.

    Parameters
    ----------
    netlist : str
        As `synthesise` gives it.
    family : FpgaFamily
    seed : int

    Returns
    -------
    dict
        The report of nextpnr: ``fmax``, ``critical_paths``, ``utilization``.

    Raises
    ------
    DoesNotFitError
        The device is too small.
    NextpnrError
        Anything else went wrong.
    """
    files = ("--json", "netlist.json", "--report", "report.json")
    effort = ("--freq", str(TARGET_MHZ), "--timing-allow-fail", "--seed", str(seed))
    with scratch() as path:
        _write_all(path, {"netlist.json": netlist})
        run_nextpnr(family.name, [*family.placement, *files, *effort], path)
        report: dict[str, Any] = json.loads((path / "report.json").read_text())
        return report


def _write_all(directory: Path, files: Mapping[str, str]) -> None:
    for file, text in files.items():
        (directory / file).write_text(text, encoding="utf-8")


def _measure(
    name: str,
    files: Mapping[str, str],
    family: FpgaFamily,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Any]:
    """Find the figures of `FpgaCost` that come from the tools."""
    report = progress or (lambda _done, _total: None)
    each = 1 + len(SEEDS)
    found = {}
    for done, script in enumerate(SCRIPTS):
        cells, netlist = synthesise(name, files, family, script)
        report(done * each + 1, len(SCRIPTS) * each)
        placed = {}
        for number, seed in enumerate(SEEDS, start=2):
            placed[seed] = _place(name, netlist, family, seed)
            report(done * each + number, len(SCRIPTS) * each)
        found[script] = _figures(family.count(cells), placed)
    best = {script: max(figures["fmax_by_seed_mhz"].values()) for script, figures in found.items()}
    kept = min(found, key=lambda script: found[script]["luts"] / best[script])
    scripts = {
        script: {"luts": found[script]["luts"], "fmax_mhz": round(best[script], 2)} for script in found
    }
    return found[kept] | {"script": kept, "scripts": scripts}


def _figures(counts: Mapping[str, int], placed: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Find the figures of one netlist, from its resources and its placements by seed."""
    fastest = max(placed.values(), key=_fmax_mhz)
    return {
        **counts,
        "fmax_by_seed_mhz": {str(seed): _fmax_mhz(report) for seed, report in placed.items()},
        "wrapper_limits": not _passes_design(fastest),
    }


def _place(name: str, netlist: str, family: FpgaFamily, seed: int) -> dict[str, Any]:
    try:
        return place_and_route(netlist, family, seed)
    except DoesNotFitError as error:
        other = f", or {family.larger}" if family.larger else ""
        raise UserError(
            f"{name} does not fit {family.device}: it takes {error}; try a smaller format, "
            f"fewer lanes, rows or columns{other}"
        ) from None
    except NextpnrError as error:
        raise UserError(f"nextpnr: {error}") from None


def _fmax_mhz(report: Mapping[str, Any]) -> float:
    # There is one clock, whatever nextpnr calls its net.
    (clock,) = report["fmax"].values()
    return float(clock["achieved"])


def _passes_design(report: Mapping[str, Any]) -> bool:
    """Tell whether the slowest path between flip-flops has a cell of the design in it."""
    (path,) = (path["path"] for path in report["critical_paths"] if path["from"] == path["to"])
    return any(step["to"]["cell"].startswith(f"{INSTANCE}.") for step in path)
