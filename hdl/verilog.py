"""Verilog of a design, and the sidecar that describes it to programs."""

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth import Fragment
from amaranth.back import rtlil  # type: ignore[attr-defined]
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from lmul.design import DATAFLOWS, Design
from lmul.errors import UserError
from lmul.hdl.axi import ArrayAxiStream, DotAxiStream, step_bits
from lmul.hdl.built import check_built
from lmul.hdl.dot import DotProductBlock
from lmul.hdl.hierarchy import Block, Clocking, ModulePerBlock, ports_of
from lmul.hdl.multiplier import MultiplierBlock
from lmul.hdl.readable import readable
from lmul.multipliers.table import plug_in_version
from lmul.yosys import run_yosys

TITLES = {
    "mul": "{mul} multiplier, {format} operands and result",
    "dot": "dot product of {lanes} lanes, {format} operands, {mul} products, {acc} accumulator",
    "array": "{rows} x {cols} {dataflow} array of {lanes}-lane elements, {format} operands, {mul} products",
}

CORE = """CAPI=2:
name: ::{name}:{version}
description: {title}

filesets:
  rtl:
    files: [{name}.v]
    file_type: verilogSource

targets:
  default:
    filesets: [rtl]
    toplevel: {name}
  lint:
    default_tool: verilator
    filesets: [rtl]
    toplevel: {name}
    tools:
      verilator:
        mode: lint-only
        verilator_options: [-Wall]
"""

DIRECTIONS = {wiring.In: PortDirection.Input, wiring.Out: PortDirection.Output}


@dataclass(frozen=True)
class Export:
    """A design as text.

    Parameters
    ----------
    name : str
        Name of the top module.
    verilog : str
    sidecar : str
        JSON: parameters, ports, latency, throughput, tool versions.
    """

    name: str
    verilog: str
    sidecar: str

    @property
    def core(self) -> str:
        """The design for FuseSoC, as a core file (CAPI2) that stands beside the Verilog."""
        title = self.verilog.partition("\n")[0].removeprefix("// ")
        return CORE.format(name=self.name, version=version("lmul"), title=json.dumps(title))

    @property
    def files(self) -> dict[str, str]:
        """The files of the design: Verilog, sidecar and core file, by name."""
        name = self.name
        return {f"{name}.v": self.verilog, f"{name}.json": self.sidecar, f"{name}.core": self.core}

    @property
    def ports(self) -> list[dict[str, Any]]:
        """The ports of the top module, as the sidecar describes them: ``name``, ``direction``, ``width``."""
        ports: list[dict[str, Any]] = json.loads(self.sidecar)["ports"]
        return ports

    @property
    def clock(self) -> str:
        """The name of the clock's port, if there is one."""
        reset: dict[str, str] = json.loads(self.sidecar).get("reset", {})
        return reset.get("clock", "clk")

    @property
    def port_names(self) -> list[str]:
        """The names of the ports."""
        return [port["name"] for port in self.ports]


def component(design: Design) -> Block:
    """Make the hardware of a design.

    Raises
    ------
    UserError
        There is a model of the design, but no hardware.
    """
    check_built(design)
    if design.kind == "mul":
        return MultiplierBlock(design)
    if design.kind == "dot":
        return DotAxiStream(design) if design.stream else DotProductBlock(design)
    return ArrayAxiStream(design)


@lru_cache(maxsize=32)
def export(design: Design, name: str | None = None) -> Export:
    """Write the Verilog of a design: one module for each kind of block, the top first.

    What was written last is kept: a process that asks again gets the same object.

    Parameters
    ----------
    design : Design
    name : str, optional
        Name of the top module and prefix of the others; default `design.name`.

    Raises
    ------
    UserError
        There is a model of the design, but no hardware, or a name is none in Verilog or twice in the design.
    """
    name = name or design.name
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        right = "take letters, digits and _, no digit first, in --name-prefix too"
        raise UserError(f"{name!r} names no Verilog module: {right}")
    top = component(design)
    platform = ModulePerBlock(name, clocking(design))
    text = {name: _rtlil(top, name, platform)}
    while missing := platform.blocks.keys() - text.keys():
        for module in sorted(missing):
            text[module] = _rtlil(platform.blocks[module], module, platform)
    blocks = {name: top} | platform.blocks
    _check_names(platform.clocking, blocks, text)
    ports = {module: _port_names(block, platform.clocking) for module, block in blocks.items()}
    modules = readable(_structural_verilog("\n".join(text.values()), name, platform.clocking), ports)
    body = "\n\n".join(_comment(blocks[module]) + modules[module] for module in blocks)
    return Export(
        name, f"{_header(design, name)}\n{body}\n\n`default_nettype wire\n", _sidecar(design, name, top)
    )


def _check_names(clock: Clocking, blocks: Mapping[str, Block], text: Mapping[str, str]) -> None:
    """Refuse names of the clock and the reset that the design has for something else."""
    for name in {name for block in blocks.values() for name in clock.ports(block)}:
        ports = {port.name for block in blocks.values() for port in ports_of(block)}
        # Amaranth tells signals of one name apart by numbers.
        if name in ports or any(f"\\{name}$" in module for module in text.values()):
            raise UserError(f"{name!r} cannot name the clock or the reset: the design has such a signal")


def block_verilog(block: Block, name: str) -> str:
    """Write the Verilog of one block that places no others, without header and sidecar.

    Parameters
    ----------
    block : Block
    name : str
        Of its module.
    """
    platform = ModulePerBlock(name)
    return _structural_verilog(_rtlil(block, name, platform), name, platform.clocking)


def clocking(design: Design) -> Clocking:
    """Give the clock and the reset of a design."""
    return Clocking(
        design.clock_name, design.reset_name, design.reset == "async", design.reset_active == "low"
    )


def _rtlil(block: Block, name: str, platform: ModulePerBlock) -> str:
    ports = {port.name: (port.value, DIRECTIONS[port.flow]) for port in ports_of(block)}
    fragment = Fragment.get(block, platform)  # type: ignore[no-untyped-call]
    for port, signal in platform.clock(block, fragment).items():
        ports[port] = (signal, PortDirection.Input)
    text: str = rtlil.convert(fragment, name=name, ports=ports, emit_src=False)
    return text


def _structural_verilog(text: str, top: str, clock: Clocking) -> str:
    """Let Yosys turn processes into expressions and registers with enables and resets."""
    # Synchronous resets only where there is one: other zeros are logic.
    synchronous = [f"select -set reset i:{clock.reset_name} %co3 t:$dff %i", "opt_dff -simple-dffe @reset"]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "design.il").write_text(text)
        run_yosys(
            [
                "read_rtlil design.il",
                f"hierarchy -check -top {top}",
                "proc",
                "opt_expr",
                "wreduce",
                "opt_clean -purge",
                *([] if clock.asynchronous else synchronous),
                "opt_dff -simple-dffe -nosdff",
                "opt_expr",
                "opt_clean -purge",
                # Registers begin with a reset, not with a value that only an FPGA can load.
                "setattr -unset init w:*",
                "write_verilog -noattr design.v",
            ],
            directory,
        )
        return (directory / "design.v").read_text()


def _port_names(block: Block, clock: Clocking) -> list[str]:
    return [*clock.ports(block), *(port.name for port in ports_of(block))]


def _comment(block: Block) -> str:
    return f"// {(block.__doc__ or '').splitlines()[0]}\n"


def _header(design: Design, name: str) -> str:
    latency, throughput = design.latency, design.products_per_cycle
    dataflow, _, _ = DATAFLOWS[design.dataflow].partition(":")
    parameters = design.parameters() | {"format": design.format_names, "dataflow": dataflow}
    return "\n".join(
        [
            f"// {name}: {TITLES[design.kind].format(**parameters)}.",
            f"// Latency: {latency} cycles. Throughput: {throughput} products per cycle.",
            f"// Ports: see {name}.json.",
            f"// Made by lmul {version('lmul')}: lmul verilog {' '.join(design.arguments())}",
            "",
            "// One file holds the whole design.",
            "// verilator lint_off DECLFILENAME",
            *_padding_comment(design),
            "`default_nettype none",
            "",
        ]
    )


def _padding_comment(design: Design) -> list[str]:
    """Say that input bits beyond the operands, up to whole bytes, are not looked at."""
    sides = zip((1, 1) if design.stream else (design.rows, design.cols), design.formats, strict=True)
    if not (design.kind == "array" or design.stream) or not any(
        size * design.lanes * f.width % 8 for size, f in sides
    ):
        return []
    return ["// tdata is padded to whole bytes.", "// verilator lint_off UNUSEDSIGNAL"]


def _sidecar(design: Design, name: str, top: Block) -> str:
    content = {
        "name": name,
        "parameters": design.parameters(),
        "ports": _ports(design, top),
        **_reset(design),
        "latency_cycles": design.latency,
        "products_per_cycle": design.products_per_cycle,
        "accumulator": _accumulator(design),
        "versions": {package: version(package) for package in ("lmul", "amaranth", "pyosys")}
        | plug_in_version(design.mul),
    }
    return json.dumps(content, indent=2) + "\n"


def _ports(design: Design, top: Block) -> list[dict[str, Any]]:
    ports: list[dict[str, Any]] = [
        {"name": name, "direction": "in", "width": 1} for name in clocking(design).ports(top)
    ]
    layouts = _layouts(design)
    for port in ports_of(top):
        direction = "in" if port.flow is wiring.In else "out"
        ports.append({"name": port.name, "direction": direction, "width": len(port.value)})
        if port.name in layouts:
            ports[-1]["layout"] = layouts[port.name]
    return ports


def _reset(design: Design) -> dict[str, dict[str, str]]:
    """Describe the clock and the reset, if anything about them is not as usual."""
    if not design.interface:
        return {}
    clock, port = design.clock_name, design.reset_name
    return {"reset": {"clock": clock, "port": port, "kind": design.reset, "active": design.reset_active}}


def _layouts(design: Design) -> dict[str, str]:
    """Say where the elements of wide ports are."""
    first, second = (format_.width for format_ in design.formats)
    lanes, out = design.lanes, design.output_bits
    if design.stream:
        start, _ = step_bits(design)
        steps = f"lane n of a at bits n*{first} +: {first}, of b at {start}+n*{second} +: {second}"
        return {"s_axis_tdata": steps, "m_axis_tuser": "{overflow, inf, nan}"}
    if design.kind == "dot":
        return {
            "a": f"lane n at bits n*{first} +: {first}",
            "b": f"lane n at bits n*{second} +: {second}",
            "c_flags": "{overflow, inf, nan}",
        }
    if design.kind == "array":
        travels = design.dataflow == "ws"
        a = f"product k = r*{lanes}+n" if travels else "row r, lane n"
        b = f"beat i: product k = i*{lanes}+n of column c" if travels else "column c, lane n"
        return {
            "s_axis_a_tdata": f"{a} at bits (r*{lanes}+n)*{first} +: {first}",
            "s_axis_b_tdata": f"{b} at bits (c*{lanes}+n)*{second} +: {second}",
            "m_axis_c_tdata": f"column c at bits c*{out} +: {out}",
            "m_axis_c_tuser": "{mismatch, overflow, inf, nan}",
        }
    return {}


def _accumulator(design: Design) -> dict[str, int | None] | None:
    if design.kind == "mul":
        return None
    lsb_exponent = None if design.accumulator_format else design.lsb_exponent
    return {"bits": design.accumulator_bits, "lsb_exponent": lsb_exponent}
