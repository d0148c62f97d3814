"""Verilog of a design, and the sidecar that describes it to programs."""

import json
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.back import rtlil  # type: ignore[attr-defined]
from amaranth.lib import wiring

from lmul.design import Design
from lmul.hdl.axi import ArrayAxiStream
from lmul.hdl.built import check_built
from lmul.hdl.dot import DotProduct
from lmul.hdl.hierarchy import Block, ModulePerBlock
from lmul.hdl.multiplier import Multiplier
from lmul.hdl.readable import readable
from lmul.yosys import run_yosys

TITLES = {
    "mul": "{mul} multiplier, {format} operands and result",
    "dot": "dot product of {lanes} lanes, {format} operands, {mul} products, {acc} accumulator",
    "array": "{rows} x {cols} array of {lanes}-lane elements, {format} operands, {mul} products",
}


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


def component(design: Design) -> Block:
    """Make the hardware of a design.

    Raises
    ------
    UserError
        There is a model of the design, but no hardware.
    """
    check_built(design)
    if design.kind == "mul":
        return Multiplier(design, design.pipeline)
    if design.kind == "dot":
        return DotProduct(design)
    return ArrayAxiStream(design, design.rows, design.cols)


def export(design: Design, name: str | None = None) -> Export:
    """Write the Verilog of a design: one module for each kind of block, the top first.

    Parameters
    ----------
    design : Design
    name : str, optional
        Name of the top module and prefix of the others; default `design.name`.
    """
    name = name or design.name
    top = component(design)
    platform = ModulePerBlock(name)
    text = {name: _rtlil(top, name, platform)}
    while missing := platform.blocks.keys() - text.keys():
        for module in sorted(missing):
            text[module] = _rtlil(platform.blocks[module], module, platform)
    blocks = {name: top} | platform.blocks
    ports = {module: _port_names(block) for module, block in blocks.items()}
    modules = readable(_structural_verilog("\n".join(text.values()), name), ports)
    body = "\n\n".join(_comment(blocks[module]) + modules[module] for module in blocks)
    return Export(
        name, f"{_header(design, name)}\n{body}\n\n`default_nettype wire\n", _sidecar(design, name, top)
    )


def _rtlil(block: Block, name: str, platform: ModulePerBlock) -> str:
    text: str = rtlil.convert(block, name=name, platform=platform, emit_src=False)
    return text


def _structural_verilog(text: str, top: str) -> str:
    """Let Yosys turn processes into expressions and registers with enables and resets."""
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
                "opt_dff -simple-dffe",
                "opt_expr",
                "opt_clean -purge",
                # Registers begin with a reset, not with a value that only an FPGA can load.
                "setattr -unset init w:*",
                "write_verilog -noattr design.v",
            ],
            directory,
        )
        return (directory / "design.v").read_text()


def _port_names(block: Block) -> list[str]:
    names = [path[0] for path, _, _ in block.signature.flatten(block)]
    return [*(["clk", "rst"] if block.sequential else []), *map(str, names)]


def _comment(block: Block) -> str:
    return f"// {(block.__doc__ or '').splitlines()[0]}\n"


def _header(design: Design, name: str) -> str:
    latency, throughput = design.latency, design.products_per_cycle
    parameters = design.parameters() | {"format": design.format_names}
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
    sides = zip((design.rows, design.cols), design.formats, strict=True)
    if design.kind != "array" or not any(size * design.lanes * f.width % 8 for size, f in sides):
        return []
    return ["// tdata is padded to whole bytes.", "// verilator lint_off UNUSEDSIGNAL"]


def _sidecar(design: Design, name: str, top: Block) -> str:
    content = {
        "name": name,
        "parameters": design.parameters(),
        "ports": _ports(design, top),
        "latency_cycles": design.latency,
        "products_per_cycle": design.products_per_cycle,
        "accumulator": _accumulator(design),
        "versions": {package: version(package) for package in ("lmul", "amaranth", "pyosys")},
    }
    return json.dumps(content, indent=2) + "\n"


def _ports(design: Design, top: Block) -> list[dict[str, Any]]:
    ports: list[dict[str, Any]] = []
    if top.sequential:
        ports += [{"name": name, "direction": "in", "width": 1} for name in ("clk", "rst")]
    layouts = _layouts(design)
    for (port,), member, value in top.signature.flatten(top):
        direction = "in" if member.flow is wiring.In else "out"
        ports.append({"name": str(port), "direction": direction, "width": len(value)})
        if port in layouts:
            ports[-1]["layout"] = layouts[port]
    return ports


def _layouts(design: Design) -> dict[str, str]:
    """Say where the elements of wide ports are."""
    first, second = (format_.width for format_ in design.formats)
    lanes, out = design.lanes, design.output_bits
    if design.kind == "dot":
        return {
            "a": f"lane n at bits n*{first} +: {first}",
            "b": f"lane n at bits n*{second} +: {second}",
            "c_flags": "{overflow, inf, nan}",
        }
    if design.kind == "array":
        return {
            "s_axis_a_tdata": f"row r, lane n at bits (r*{lanes}+n)*{first} +: {first}",
            "s_axis_b_tdata": f"column c, lane n at bits (c*{lanes}+n)*{second} +: {second}",
            "m_axis_c_tdata": f"column c at bits c*{out} +: {out}",
            "m_axis_c_tuser": "{mismatch, overflow, inf, nan}",
        }
    return {}


def _accumulator(design: Design) -> dict[str, int] | None:
    if design.kind == "mul":
        return None
    return {"bits": design.accumulator_bits, "lsb_exponent": design.lsb_exponent}
