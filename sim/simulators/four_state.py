"""Simulating unknown values: Icarus Verilog under cocotb, and inputs unknown where they do not count."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cocotb_tools.runner import Icarus

from lmul.errors import UserError
from lmul.sim.simulators.environment import GivenEnvironment

GUARDED: dict[str, dict[str, tuple[str, ...]]] = {
    "mul": {},
    "dot": {"in_valid": ("a", "b", "in_first", "in_last", "c_in")},
    "dot_stream": {"s_axis_tvalid": ("s_axis_tdata", "s_axis_tlast")},
    "array": {
        "s_axis_a_tvalid": ("s_axis_a_tdata", "s_axis_a_tlast"),
        "s_axis_b_tvalid": ("s_axis_b_tdata", "s_axis_b_tlast"),
    },
}
"""By `Design.bench`: inputs that count only while another one is high."""


class FourStateRunner(GivenEnvironment, Icarus):
    """cocotb's runner for Icarus Verilog."""

    simulator = "Icarus"
    made_from: Sequence[str] = ("icarus",)

    def compile(self, sources: Sequence[Path], top: str, directory: Path, *, waves: bool, log: Path) -> None:
        """Build what `lmul.sim.simulators.verilator.PortRunner.compile` builds, for Icarus Verilog."""
        self.build(
            sources=list(sources),
            hdl_toplevel=top,
            build_dir=directory,
            timescale=("1ns", "1ps"),
            waves=waves,
            log_file=log,
        )


def icarus_runner() -> FourStateRunner:
    """Give cocotb's runner for Icarus Verilog.

    Raises
    ------
    UserError
        Icarus is not installed.
    """
    if shutil.which("iverilog") is None:
        raise UserError(
            "unknown values need Icarus Verilog, which is not on PATH: install the package iverilog"
        )
    return FourStateRunner()


def unknown_while_idle(bench: str, name: str, top: str, ports: Sequence[Mapping[str, Any]]) -> str:
    """Write a module around a design that makes its inputs unknown as long as they do not count.

    Parameters
    ----------
    bench : str
        `Design.bench` of the design.
    name : str
        Of the design's module.
    top : str
        Of the module around it; it has the same ports.
    ports : sequence of mapping
        Of the design, as its metadata describes them: ``name``, ``direction``, ``width``.

    Returns
    -------
    str
        Verilog, without the design.
    """
    valid_of = {guarded: valid for valid, names in GUARDED[bench].items() for guarded in names}
    declarations, connections = [], []
    for port in ports:
        signal, bits = port["name"], port["width"]
        size = f"[{bits - 1}:0] " if bits > 1 else ""
        declarations.append(f"  {port['direction']}put wire {size}{signal}")
        valid = valid_of.get(signal)
        value = f"{valid} ? {signal} : {bits}'bx" if valid else signal
        connections.append(f"    .{signal}({value})")
    header = [f"module {top} (", ",\n".join(declarations), ");"]
    instance = [f"  {name} dut (", ",\n".join(connections), "  );"]
    return "\n".join([*header, *instance, "endmodule", ""])
