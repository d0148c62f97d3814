"""Verilog of a design or of any component, and the metadata that describes it to programs."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any, TypeAlias

from amaranth import Fragment
from amaranth.back import rtlil  # type: ignore[attr-defined]
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from lmul.design import DATAFLOWS, Design
from lmul.errors import UserError
from lmul.golden import FP32
from lmul.hdl.axi_stream import ArrayAxiStream, DotAxiStream, codes_bits, step_bits
from lmul.hdl.dot import DotProductBlock
from lmul.hdl.framework.hierarchy import Block, Clocking, ModulePerBlock, ports_of
from lmul.hdl.framework.supported import check_built
from lmul.hdl.multiplier.table import multiplier
from lmul.hdl.verilog.module_text import module_text
from lmul.hdl.verilog.names import Names, check_module_name, check_port_name
from lmul.hdl.verilog.netlist import Netlist, Port, read_netlists
from lmul.hdl.verilog.unread import cut_unread
from lmul.host.files import scratch
from lmul.multipliers.table import plug_in_version
from lmul.programs.yosys import run_yosys

Component: TypeAlias = "wiring.Component[Any]"

TITLES = {
    "mul": "{mul} multiplier, {format} operands and result",
    "integer mul": "{mul} multiplier, {format} operands, the whole product",
    "dot": "dot product of {lanes} lanes, {format} operands, {mul} products, {acc} accumulator",
    "array": "{rows} x {cols} {dataflow} array of {lanes}-lane elements, {format} operands, {mul} products",
}

HEAD = """
// One file holds the whole design.
// verilator lint_off DECLFILENAME
`default_nettype none
"""

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
    description : dict of str to JSON value
        Parameters, ports, latency, throughput, tool versions.

    Examples
    --------
    >>> from lmul.design import make_design
    >>> from lmul.hdl import export
    >>> list(export(make_design("mul")).files)
    ['lmul_e4m3_mul.v', 'lmul_e4m3_mul.json', 'lmul_e4m3_mul.core']
    """

    name: str
    verilog: str
    description: dict[str, Any]

    @property
    def metadata(self) -> str:
        """The description for programs, as JSON."""
        return json.dumps(self.description, indent=2) + "\n"

    @property
    def core(self) -> str:
        """The design for FuseSoC, as a core file (CAPI2) that stands beside the Verilog."""
        title = self.verilog.partition("\n")[0].removeprefix("// ")
        return CORE.format(name=self.name, version=version("lmul"), title=json.dumps(title))

    @property
    def files(self) -> dict[str, str]:
        """The files of the design: Verilog, metadata and core file, by name."""
        name = self.name
        return {f"{name}.v": self.verilog, f"{name}.json": self.metadata, f"{name}.core": self.core}

    @property
    def ports(self) -> list[dict[str, Any]]:
        """The ports of the top module, as the metadata describes them: ``name``, ``direction``, ``width``."""
        ports: list[dict[str, Any]] = self.description["ports"]
        return ports

    @property
    def clock(self) -> str:
        """The name of the clock's port, if there is one."""
        reset: dict[str, str] = self.description.get("reset", {})
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

    Examples
    --------
    >>> from amaranth.sim import Simulator
    >>> from lmul.design import make_design
    >>> from lmul.hdl import component
    >>> multiplier = component(make_design("mul"))
    >>> async def bench(context):
    ...     context.set(multiplier.a, 0x3C)
    ...     context.set(multiplier.b, 0x44)
    ...     print(hex(context.get(multiplier.p)))
    >>> simulator = Simulator(multiplier)
    >>> simulator.add_testbench(bench)
    >>> simulator.run()
    0x49
    """
    check_built(design)
    if design.kind == "mul":
        return multiplier(design)(design)
    if design.kind == "dot":
        return DotAxiStream(design) if design.stream else DotProductBlock(design)
    return ArrayAxiStream(design)


@lru_cache
def export(design: "Design | Component", name: str | None = None) -> Export:
    """Write Verilog: one module for each kind of block, the top first.

    What was written last is kept: a process that asks again gets the same object.

    Parameters
    ----------
    design : Design or amaranth.lib.wiring.Component
        A component may contain those of `lmul.hdl`. The fields of its streams are plain vectors, and what is
        constant in its interface is no port. Registers begin with their reset, not with a value of their own.
    name : str, optional
        Name of the top module and prefix of the others; default `design.name`, or the name of the component's
        class in lower case.

    Raises
    ------
    UserError
        There is a model of the design, but no hardware; or a name is none in Verilog, or twice in the design;
        or the component has cells that are not written here, such as memories.

    Examples
    --------
    >>> from lmul.design import make_design
    >>> from lmul.hdl import export
    >>> text = export(make_design("mul"), name="product")
    >>> "module product (" in text.verilog, text.port_names
    (True, ['a', 'b', 'p'])
    """
    if isinstance(design, Design):
        name = design.name if name is None else name
        check_module_name(name)
        top = component(design)
        modules, _ = _modules(top, name, clocking(design))
        return Export(name, _file(_header(design, name), modules), _description(design, name, top))
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(design).__name__).lower() if name is None else name
    check_module_name(name)
    modules, ports = _modules(design, name, Clocking())
    return Export(name, _file(_component_header(design, name), modules), _component_description(name, ports))


def _file(header: str, modules: Iterable[str]) -> str:
    body = "\n\n".join(modules)
    return f"{header}\n{HEAD}\n{body}\n\n`default_nettype wire\n"


def describe(top: Component, name: str, clock: Clocking) -> tuple[dict[str, Component], str]:
    """Let Amaranth write the modules of a design.

    Parameters
    ----------
    top : Component
    name : str
        Of its module, and prefix of the others.
    clock : Clocking
        Of all modules.

    Returns
    -------
    blocks : dict of str to Component
        By the names of their modules, the top one first.
    text : str
        The modules in RTLIL, and those of other submodules, whose names have dots.

    Raises
    ------
    UserError
        The clock or the reset has the name of something else.
    """
    platform = ModulePerBlock(name, clock)
    text = {name: _rtlil(top, name, platform)}
    while missing := platform.blocks.keys() - text.keys():
        for module in sorted(missing):
            text[module] = _rtlil(platform.blocks[module], module, platform)
    if clock != Clocking():
        _check_names(clock, platform.blocks | ({name: top} if isinstance(top, Block) else {}), text)
    return {name: top, **platform.blocks}, "\n".join(text.values())


def _check_names(clock: Clocking, blocks: Mapping[str, Block], text: Mapping[str, str]) -> None:
    """Refuse names of the clock and the reset that the design has for something else."""
    for name in {name for block in blocks.values() for name in clock.ports(block)}:
        ports = {port.name for block in blocks.values() for port in ports_of(block)}
        # Amaranth tells signals of one name apart by numbers.
        if name in ports or any(f"\\{name}$" in module for module in text.values()):
            raise UserError(f"{name!r} cannot name the clock or the reset: the design has such a signal")


def block_verilog(block: Block, name: str) -> str:
    """Write the Verilog of one block that places no others, without header and metadata.

    Parameters
    ----------
    block : Block
    name : str
        Of its module.
    """
    return "\n".join(_modules(block, name, Clocking())[0])


def clocking(design: Design) -> Clocking:
    """Give the clock and the reset of a design."""
    return Clocking(
        design.clock_name, design.reset_name, design.reset == "async", design.reset_active == "low"
    )


def _rtlil(block: Component, name: str, platform: ModulePerBlock) -> str:
    ports = {port.name: (port.value, DIRECTIONS[port.flow]) for port in ports_of(block)}
    fragment = Fragment.get(block, platform)  # type: ignore[no-untyped-call]
    if isinstance(block, Block):
        for port, signal in platform.clock(block, fragment).items():
            ports[port] = (signal, PortDirection.Input)
    text: str = rtlil.convert(fragment, name=name, ports=ports, emit_src=False)
    return text


def _modules(top: Component, name: str, clock: Clocking) -> tuple[list[str], list[Port]]:
    """Write the modules that the outputs of a component depend on, and give its ports."""
    blocks, text = describe(top, name, clock)
    netlists = _netlists(text, name, blocks, clock)
    for port in netlists[name].ports:
        check_port_name(port)
    needed = cut_unread(netlists, name)
    order = [name, *sorted(needed.keys() - blocks.keys()), *blocks]
    written = [
        f"// {_first_line(blocks[module]) if module in blocks else f'A part of {name}.'}\n"
        + module_text(netlists[module], needed[module])
        for module in dict.fromkeys(order)
        if module in needed
    ]
    return written, list(netlists[name].ports.values())


def _netlists(text: str, top: str, blocks: Mapping[str, Component], clock: Clocking) -> dict[str, Netlist]:
    """Read modules in RTLIL as netlists, their ports in order: clocks and resets, then the component's."""
    netlists = read_netlists(_cells(text, top, clock))
    names = Names(blocks)
    verilog_names = {name: name if name in blocks else names.new(name) for name in netlists}
    ports = {name: {} if name in blocks else _port_names(netlist) for name, netlist in netlists.items()}
    for name, netlist in netlists.items():
        netlist.name = verilog_names[name]
        netlist.rename_ports(ports[name])
        known = [port.name for port in ports_of(blocks[name])] if name in blocks else []
        clocks = (clock.clock_name, clock.reset_name)
        others = sorted(netlist.ports.keys() - set(known), key=lambda port: (port not in clocks, port))
        netlist.ports = {port: netlist.ports[port] for port in [*others, *known] if port in netlist.ports}
        for cell in netlist.cells:
            if cell.kind in netlists:
                cell.rename_ports(ports[cell.kind])
                cell.kind = verilog_names[cell.kind]
    return {netlist.name: netlist for netlist in netlists.values()}


def _port_names(netlist: Netlist) -> dict[str, str]:
    """Name the ports of a module that is no block; Amaranth numbers those that are parts of signals."""
    names = Names(())
    signals = {tuple(bits): net for net, bits in netlist.nets.items() if net not in netlist.ports}
    return {
        name: names.new(signals.get(tuple(port.bits), name) if "$" in name else name)
        for name, port in sorted(netlist.ports.items(), key=lambda item: ("$" in item[0], item[0]))
    }


def _cells(text: str, top: str, clock: Clocking) -> str:
    """Let Yosys turn processes into operators and registers with enables and resets, as JSON."""
    # Synchronous resets only where there is one: other zeros are logic.
    synchronous = [f"select -set reset i:{clock.reset_name} %co3 t:$dff %i", "opt_dff -simple-dffe @reset"]
    with scratch() as directory:
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
                "write_json design.json",
            ],
            directory,
        )
        return (directory / "design.json").read_text()


def _first_line(block: Component) -> str:
    return next(iter((block.__doc__ or type(block).__name__).splitlines()), "")


def _component_header(top: Component, name: str) -> str:
    made = f"// Made by lmul {version('lmul')} from the component {type(top).__name__}."
    return "\n".join([f"// {name}: {_first_line(top)}", f"// Ports: see {name}.json.", made])


def _header(design: Design, name: str) -> str:
    latency, throughput = design.latency, design.products_per_cycle
    dataflow, _, _ = DATAFLOWS[design.dataflow].partition(":")
    parameters = design.parameters() | {"format": design.format_names, "dataflow": dataflow}
    kind = "integer mul" if design.kind == "mul" and design.integer else design.kind
    return "\n".join(
        [
            f"// {name}: {TITLES[kind].format(**parameters)}.",
            f"// Latency: {latency} cycles. Throughput: {throughput} products per cycle.",
            f"// Ports: see {name}.json.",
            f"// Made by lmul {version('lmul')}: lmul verilog {' '.join(design.arguments())}",
        ]
    )


def _description(design: Design, name: str, top: Block) -> dict[str, Any]:
    return {
        "name": name,
        "parameters": design.parameters(),
        "ports": _ports(design, top),
        **_reset(design),
        "latency_cycles": design.latency,
        "products_per_cycle": design.products_per_cycle,
        "accumulator": _accumulator(design),
        "versions": _versions() | plug_in_version(design.mul),
    }


def _component_description(name: str, ports: Iterable[Port]) -> dict[str, Any]:
    described = [
        {"name": port.name, "direction": port.direction.removesuffix("put"), "width": len(port.bits)}
        for port in ports
    ]
    return {"name": name, "ports": described, "versions": _versions()}


def _versions() -> dict[str, str]:
    return {package: version(package) for package in ("lmul", "amaranth", "pyosys")}


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
        places = step_bits(design)
        steps = f"lane n of a at bits n*{first} +: {first}, of b at {places.b}+n*{second} +: {second}"
        if design.block_scale:
            steps += f", scale s of a at {places.a_scale}+s*8 +: 8, of b at {places.b_scale}+s*8 +: 8"
        steps += f", the sum to begin with at {places.start} +: {FP32.width}" if design.addend else ""
        return {"s_axis_tdata": steps, "m_axis_tuser": "{overflow, inf, nan}"}
    if design.kind == "dot":
        return {
            "a": f"lane n at bits n*{first} +: {first}",
            "b": f"lane n at bits n*{second} +: {second}",
            **({f"{side}_scale": "scale s at bits s*8 +: 8" for side in "ab"} if design.block_scale else {}),
            **({"c_in": "a code of fp32, read with in_first"} if design.addend else {}),
            "c_flags": "{overflow, inf, nan}",
        }
    if design.kind == "array":
        travels = design.weight_stationary
        a = f"product k = r*{lanes}+n" if travels else "row r, lane n"
        b = f"beat i: product k = i*{lanes}+n of column c" if travels else "column c, lane n"
        return {
            "s_axis_a_tdata": f"{a} at bits (r*{lanes}+n)*{first} +: {first}{_scale_layout(design, 0)}",
            "s_axis_b_tdata": f"{b} at bits (c*{lanes}+n)*{second} +: {second}{_scale_layout(design, 1)}",
            "m_axis_c_tdata": f"column c at bits c*{out} +: {out}",
            "m_axis_c_tuser": "{mismatch, overflow, inf, nan}",
        }
    return {}


def _scale_layout(design: Design, side: int) -> str:
    """Say where the scales of rows (side 0) or columns (side 1) are in a beat, nothing without any."""
    if not design.block_scale:
        return ""
    above, count = codes_bits(design)[side], design.scales_a_step
    return f", its scale s at {above}+({'rc'[side]}*{count}+s)*8 +: 8"


def _accumulator(design: Design) -> dict[str, int | None] | None:
    if design.kind == "mul":
        return None
    lsb_exponent = None if design.accumulator_format else design.lsb_exponent
    return {"bits": design.accumulator_bits, "lsb_exponent": lsb_exponent}
