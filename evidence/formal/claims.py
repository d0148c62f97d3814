"""Claims about designs, each with a mutant for which it must fail."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmul.design import Design
from lmul.evidence.formal.model_checker import Verdict, check
from lmul.hdl.verilog.export import export

DUT = "dut"
"""Name of the top module of a design under test."""


@dataclass(frozen=True)
class Fault:
    """An edit of the Verilog.

    Parameters
    ----------
    what : str
    pattern, replacement : str
    places : int
        How many the pattern matches.
    """

    what: str
    pattern: str
    replacement: str
    places: int = 1

    def put_into(self, verilog: str) -> str:
        """Make it; errors as `edited` has them."""
        return edited(verilog, self.pattern, self.replacement, self.places)


@dataclass(frozen=True)
class Claim:
    """Assertions about a design, and a fault that breaks one of them.

    Parameters
    ----------
    says : str
    design : Design
        It is exported, as the module `DUT`, when it is asked for.
    sources, mutant_sources : callable
        Give Verilog by file name, with the top module `claim`, from that of the design.
    mutant : str
        The fault.
    method : str
        As `check` takes it.
    cycles : int
        As `check` takes it.
    seconds : float
        Time for the proof, and for the mutant: much more than they take on a free machine.
    """

    says: str
    design: Design
    sources: Callable[[str], Mapping[str, str]]
    mutant: str
    mutant_sources: Callable[[str], Mapping[str, str]]
    method: str = "pdr"
    cycles: int = 0
    seconds: float = 900

    @classmethod
    def with_fault(
        cls,
        fault: Fault,
        *,
        says: str,
        design: Design,
        sources: Callable[[str], Mapping[str, str]],
        **how: Any,
    ) -> "Claim":
        """Make a claim whose mutant is an edit of the design's Verilog; `how` is method, cycles, seconds."""
        return cls(
            says=says,
            design=design,
            sources=sources,
            mutant=fault.what,
            mutant_sources=lambda verilog: sources(fault.put_into(verilog)),
            **how,
        )

    def prove(self) -> Verdict:
        """Prove the claim, or find a counterexample."""
        return self._check(self.sources)

    def refute_mutant(self) -> Verdict:
        """Find a counterexample for the mutant, by the same method."""
        return self._check(self.mutant_sources)

    def _check(self, made_of: Callable[[str], Mapping[str, str]]) -> Verdict:
        sources = made_of(device(self.design))
        return check(sources, "claim", method=self.method, cycles=self.cycles, seconds=self.seconds)


def device(design: Design) -> str:
    """Write a design as a module `DUT` whose clock is `clk` and whose reset, active high, is `rst`."""
    if not design.interface:
        return export(design, DUT).verilog
    text = export(design, "device")
    clocked = {design.clock_name: "clk", design.reset_name: "rst" if design.reset_level else "!rst"}
    ports = [port for port in text.ports if port["name"] not in clocked]
    declared = [f"{port['direction']}put [{port['width'] - 1}:0] {port['name']}" for port in ports]
    pins = clocked | {port["name"]: port["name"] for port in ports}
    return f"""{text.verilog}
module {DUT} (input clk, input rst, {", ".join(declared)});
  device device ({", ".join(f".{pin}({net})" for pin, net in pins.items())});
endmodule
"""


def cleared(design: Design) -> str:
    """Give the condition under which outputs have been cleared before the clock's edge."""
    return "rst" if design.reset == "async" else "1'b0"


def specification(name: str) -> str:
    """Read a specification that lies beside this file."""
    return (Path(__file__).parent / name).read_text()


def edited(verilog: str, pattern: str, replacement: str, places: int = 1) -> str:
    """Change the places that a pattern matches.

    Raises
    ------
    ValueError
        There are more or fewer than there should be.
    """
    text, count = re.subn(pattern, replacement, verilog)
    if count != places:
        wanted = "once" if places == 1 else f"{places} times"
        raise ValueError(f"{pattern!r} must match {wanted}, not {count} times")
    return text


def instance(module: str, name: str, ports: list[str], parameters: Mapping[str, int] | None = None) -> str:
    """Write an instance whose ports are joined to nets of their names."""
    values = ", ".join(f".{key}({value})" for key, value in (parameters or {}).items())
    pins = ", ".join(f".{port}({port})" for port in ports)
    return f"{module} {f'#({values}) ' if values else ''}{name} ({pins});"
