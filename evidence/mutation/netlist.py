"""Netlists of generic gates, and the faults that Yosys's `mutate` puts into them."""

import json
import random
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lmul.programs.yosys import run_yosys

CLOCK_PIN = "C"
"""Of Yosys's registers. Faults of clocks belong to the clock tree, which a netlist does not have."""

SELECT = "mutant"
"""The input that says which fault is active: 0 for none."""

NAMED = 3
"""How many signals a description names at most."""


@dataclass(frozen=True)
class Mutation:
    """A fault at one pin of one gate.

    Parameters
    ----------
    mode : str
        `inv`, `const0` or `const1`.
    cell, port : str
        Of the flat netlist.
    """

    mode: str
    cell: str
    port: str

    def command(self, top: str) -> str:
        """Give the command that makes it."""
        return f"mutate -mode {self.mode} -module {top} -cell {self.cell} -port {self.port} -portbit 0"


@dataclass(frozen=True)
class Gate:
    """A gate of the netlist: its type, and the net at each of its pins."""

    type: str
    inputs: dict[str, int | str]
    outputs: dict[str, int | str]


@dataclass(frozen=True)
class Netlist:
    """A flat netlist of one-bit gates that keep the names of the modules they come from.

    Parameters
    ----------
    top : str
        Its module.
    directory : Path
        Holds it as `netlist.il`.
    """

    top: str
    directory: Path

    @classmethod
    def of(cls, verilog: str, top: str, directory: Path) -> "Netlist":
        """Synthesise a design's Verilog, module by module, and join the modules."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "design.v").write_text(verilog)
        commands = [
            "read_verilog design.v",
            f"synth -top {top}",
            "flatten",
            "opt -purge",
            "autoname",
            "write_rtlil netlist.il",
            "write_json netlist.json",
            "write_verilog -noattr -noexpr netlist.v",
            "mutate -list 1000000000 -o mutations.txt",
        ]
        run_yosys(commands, directory)
        return cls(top, directory)

    def mutations(self) -> list[Mutation]:
        """Give every fault that can be put in, those of clocks left out."""
        pattern = r"-mode (\w+) -module \S+ -cell (\S+) -port \\?(\w+) -portbit 0"
        found = re.findall(pattern, (self.directory / "mutations.txt").read_text())
        return [Mutation(mode, cell, port) for mode, cell, port in found if port != CLOCK_PIN]

    def control_mutations(self, operands: Collection[str], *, inside: bool) -> list[Mutation]:
        """Give the faults of signals that no bit of the operands reaches.

        Parameters
        ----------
        operands : collection of str
            The input ports of the operands.
        inside : bool
            Those in gates that no bit of the operands reaches, or else those at the pins by which control
            acts on data: enables, selects and resets.
        """
        reached = self._reached_from({bit for port in operands for bit in self._ports[port]})

        def is_control(mutation: Mutation) -> bool:
            outputs = self._gates[mutation.cell].outputs.values()
            return self._net(mutation) not in reached and reached.isdisjoint(outputs) == inside

        return [mutation for mutation in self.mutations() if is_control(mutation)]

    def write_mutants(self, mutations: Sequence[Mutation]) -> Path:
        """Write one netlist with all of the faults, of which its input `mutant` activates one, from 1 on."""
        width = len(mutations).bit_length()
        select = [
            f"{mutation.command(self.top)} -ctrl {SELECT} {width} {number}"
            for number, mutation in enumerate(mutations, 1)
        ]
        run_yosys(["read_rtlil netlist.il", *select, "write_verilog -noattr mutants.v"], self.directory)
        return self.directory / "mutants.v"

    def write_mutant(self, mutation: Mutation, name: str) -> Path:
        """Write the netlist with one fault for good."""
        write = f"write_verilog -noattr -noexpr {name}"
        run_yosys(["read_rtlil netlist.il", mutation.command(self.top), write], self.directory)
        return self.directory / name

    def describe(self, mutation: Mutation) -> str:
        """Say what gate it is, and which named signals it reaches first."""
        gate = self._gates[mutation.cell]
        nets = [self._net(mutation)] if mutation.port in gate.outputs else list(gate.outputs.values())
        return f"{gate.type.strip('$_').rstrip('_')}.{mutation.port} {mutation.mode}: {self._names(nets)}"

    def _names(self, nets: list[int | str]) -> str:
        """Name the first named signals at nets, or behind them."""
        seen: set[int | str] = set()
        names: list[str] = []
        while nets and len(names) < NAMED:
            net = nets.pop(0)
            if net in seen:
                continue
            seen.add(net)
            if net in self._named:
                names.append(self._named[net])
            else:
                nets += [out for reader in self._readers[net] for out in self._gates[reader].outputs.values()]
        return ", ".join(dict.fromkeys(names)) or "nothing named"

    def _net(self, mutation: Mutation) -> int | str:
        gate = self._gates[mutation.cell]
        return (gate.inputs | gate.outputs)[mutation.port]

    def _reached_from(self, nets: set[int | str]) -> set[int | str]:
        reached = set(nets)
        new = list(nets)
        while new:
            for reader in self._readers[new.pop()]:
                for net in self._gates[reader].outputs.values():
                    if net not in reached:
                        reached.add(net)
                        new.append(net)
        return reached

    @cached_property
    def verilog(self) -> str:
        """The netlist without a fault."""
        return (self.directory / "netlist.v").read_text()

    @cached_property
    def _module(self) -> dict[str, Any]:
        design = json.loads((self.directory / "netlist.json").read_text())
        module: dict[str, Any] = design["modules"][self.top]
        return module

    @cached_property
    def _ports(self) -> dict[str, list[int | str]]:
        return {name: port["bits"] for name, port in self._module["ports"].items()}

    @cached_property
    def _gates(self) -> dict[str, Gate]:
        return {name: _gate(cell) for name, cell in self._module["cells"].items()}

    @cached_property
    def _readers(self) -> dict[int | str, list[str]]:
        """The gates that each net goes into."""
        readers = defaultdict(list)
        for name, gate in self._gates.items():
            for net in gate.inputs.values():
                readers[net].append(name)
        return readers

    @cached_property
    def _named(self) -> dict[int | str, str]:
        """The shortest name of each net that has one."""
        names: dict[int | str, str] = {}
        for name, bits in _named_bits(self._module["netnames"]):
            for place, net in enumerate(bits):
                bit = f"{name}[{place}]" if len(bits) > 1 else name
                if net not in names or len(bit) < len(names[net]):
                    names[net] = bit
        return names


def _named_bits(netnames: dict[str, Any]) -> Iterator[tuple[str, list[int | str]]]:
    for name, net in netnames.items():
        if not net["hide_name"]:
            yield name, net["bits"]


def _gate(cell: dict[str, Any]) -> Gate:
    pins = {port: bits[0] for port, bits in cell["connections"].items()}
    directions = cell["port_directions"]
    inputs = {port: net for port, net in pins.items() if directions[port] == "input"}
    return Gate(cell["type"], inputs, {port: net for port, net in pins.items() if port not in inputs})


@dataclass(frozen=True)
class Drawn:
    """A netlist with the faults that were drawn for it.

    Parameters
    ----------
    netlist : Netlist
    mutations : sequence of Mutation
    """

    netlist: Netlist
    mutations: Sequence[Mutation]

    @property
    def verilog(self) -> str:
        """The netlist without a fault."""
        return self.netlist.verilog

    @property
    def described(self) -> list[tuple[str, str]]:
        """What each fault is, and how it is made."""
        top = self.netlist.top
        return [(self.netlist.describe(mutation), mutation.command(top)) for mutation in self.mutations]

    def one(self, number: int) -> str:
        """Give the netlist with one fault for good, from 1 on."""
        return self.netlist.write_mutant(self.mutations[number - 1], f"mutant{number}.v").read_text()

    def all(self) -> Path:
        """Write one netlist with all of the faults, of which its input `mutant` activates one."""
        return self.netlist.write_mutants(self.mutations)


def draw(mutations: Sequence[Mutation], count: int, seed: int) -> list[Mutation]:
    """Draw so many different faults, or give all of them if there are no more."""
    if count >= len(mutations):
        return list(mutations)
    return random.Random(seed).sample(mutations, count)  # noqa: S311
