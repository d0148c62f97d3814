"""Icarus Verilog on a mapped netlist with delays from an SDF file: an independent count of toggles.

Icarus is a simulator of its own, found on PATH; nothing but checks of our event-driven simulation needs it.
"""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmul.errors import UserError

_BENCH = """
`timescale 1ps/1fs
module bench;
  reg [{high}:0] vectors [0:{last}];
  reg [{high}:0] inputs;
  reg clk = 0;
  integer cycle;
  {top} dut({connections});
  always @(posedge clk) inputs <= vectors[cycle];
  initial begin
    {annotate}
    $readmemb("vectors.txt", vectors);
    inputs = vectors[0];
    #{half};
    {dump}
    #{rest};
    for (cycle = 1; cycle <= {last}; cycle = cycle + 1) begin
      clk = 1;
      #{half} clk = 0;
      #{rest};
    end
    $finish;
  end
endmodule
"""


@dataclass(frozen=True)
class GateLevelBench:
    """A netlist, its delays and what its inputs do.

    Parameters
    ----------
    top : str
    netlist, models, sdf : str
        Verilog of the netlist, of its cells with declared paths, and the delays; none if empty.
    ports : mapping of str to uint8 array, shape (cycles, bits)
        Inputs but the clock, least significant bit first; they change with the rising edge of the clock.
    clock : str
        Name of the clock's port; empty without one.
    period_ps : int
        Long enough for everything to settle.
    """

    top: str
    netlist: str
    models: str
    sdf: str
    ports: Mapping[str, NDArray[np.uint8]]
    clock: str
    period_ps: int

    def files(self, dump: str = "") -> dict[str, str]:
        """Give the sources by name: a bench that runs through all cycles, the netlist and what they read.

        Parameters
        ----------
        dump : str
            File that a run writes the changes of all nets to, from cycle 0 on; none if empty.
        """
        bits = np.concatenate(list(self.ports.values()), axis=1)[:, ::-1]
        vectors = "\n".join("".join(map(str, row)) for row in bits.tolist())
        sources = {"bench.v": self._bench(dump), "netlist.v": self.netlist, "models.v": self.models}
        return sources | {"vectors.txt": vectors} | ({"delays.sdf": self.sdf} if self.sdf else {})

    def _bench(self, dump: str) -> str:
        low, connections = 0, []
        for name, bits in self.ports.items():
            connections.append(f".{name}(inputs[{low + bits.shape[1] - 1}:{low}])")
            low += bits.shape[1]
        if self.clock:
            connections.append(f".{self.clock}(clk)")
        return _BENCH.format(
            high=low - 1,
            last=len(next(iter(self.ports.values()))) - 1,
            top=self.top,
            connections=", ".join(connections),
            annotate='$sdf_annotate("delays.sdf", dut);' if self.sdf else "",
            half=self.period_ps // 2,
            rest=self.period_ps - self.period_ps // 2,
            dump=f'$dumpfile("{dump}"); $dumpvars(0, dut);' if dump else "",
        )

    def build(self, directory: Path, dump: str = "") -> None:
        """Write the sources into a directory and compile them with Icarus."""
        if shutil.which("iverilog") is None:
            raise UserError("Icarus Verilog is not installed: install the package iverilog")
        for name, text in self.files(dump).items():
            (directory / name).write_text(text)
        command = ["iverilog", "-g2012", "-gspecify", "-s", "bench", "-o", "bench.vvp"]
        sources = ["bench.v", "netlist.v", "models.v"]
        subprocess.run([*command, *sources], cwd=directory, check=True)  # noqa: S603

    def run(self, directory: Path) -> None:
        """Run what `build` made."""
        command = ["vvp", "-n", "bench.vvp"]
        subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def count_toggles(dump: Path) -> Counter[str]:
    """Count the changes of every bit in a value change dump.

    Parameters
    ----------
    dump : Path
        A VCD file.

    Returns
    -------
    Counter of str
        Toggles by name: ``name`` or ``name[bit]`` in the scope of the top module, instances and dots in front
        in scopes below. Changes from and to unknown values do not count.
    """
    header, _, body = dump.read_text().partition("$enddefinitions $end")
    names = _names(header)
    values: dict[str, str] = {}
    toggles: Counter[str] = Counter()
    for line in body.split("\n"):
        if line[:1] in {"0", "1", "x", "z"}:
            symbol, value = line[1:], line[0]
        elif line[:1] == "b":
            value, symbol = line[1:].split()
        else:
            continue
        width = len(names[symbol])
        value = value.rjust(width, "0" if value[0] == "1" else value[0])
        before = values.get(symbol, "x" * width)
        for bit, (old, new) in enumerate(zip(reversed(before), reversed(value), strict=True)):
            if old != new and old in "01" and new in "01":
                toggles[names[symbol][bit]] += 1
        values[symbol] = value
    return toggles


def _names(header: str) -> dict[str, list[str]]:
    """Give the names of the bits behind each symbol; the first scope that has it names it."""
    scopes: list[str] = []
    names: dict[str, list[str]] = {}
    for match in re.finditer(r"\$(scope|upscope|var)\s(.*?)\$end", header, re.DOTALL):
        words = match[2].split()
        if match[1] == "scope":
            scopes.append(words[1])
        elif match[1] == "upscope":
            scopes.pop()
        else:
            width, symbol = int(words[1]), words[2]
            full = ".".join([*scopes[2:], words[3]])
            bits = [full] if width == 1 else [f"{full}[{bit}]" for bit in range(width)]
            names.setdefault(symbol, bits)
    return names
