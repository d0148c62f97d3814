"""A measured netlist as files for other tools, so that its figures can be repeated there.

The netlist, its delays (SDF), its activity (SAIF), its constraints (SDC) and a script for OpenSTA that prints
the critical path and the power. The cells come from the library, which stays where it is.
"""

import re
from collections.abc import Sequence

from lmul.cost.cells.estimate import Cost
from lmul.cost.cells.measure import Simulated, simulate_netlist
from lmul.cost.netlist.netlist import Netlist
from lmul.cost.netlist.saif import saif_text
from lmul.cost.power.stimulus import stimulus, warmup
from lmul.cost.timing.analysis import INPUT_SLEW_NS, OUTPUT_LOAD_FF
from lmul.cost.timing.sdf import sdf_text
from lmul.design import Design
from lmul.workloads import Operands

_SDC = """\
# Times in {time_unit}, loads in {load_unit}: what the library counts in, as tools take numbers of SDC.
create_clock -name clock -period {period:.9g}{clock}
{transition}set_input_transition {slew:.9g} [all_inputs]
set_input_delay 0 -clock clock {inputs}
set_output_delay 0 -clock clock [all_outputs]
set_load {load:.9g} [all_outputs]
{wires}"""

_WIRES = "# Wires, in place of the library's default model.\n{}\n"

_SCRIPT = """\
# LIBERTY=cells.lib sta -exit {name}.tcl, in this directory: the critical path, then the power.
# Several files of a library stand with colons in between.
foreach file [split $::env(LIBERTY) :] {{ read_liberty $file }}
read_verilog {name}.v
link_design {name}
read_sdc {name}.sdc
{wires}report_checks -path_delay max -fields {{slew cap}} -digits 4
# What the outputs drive belongs to the energy of what comes next.
set_load 0 [all_outputs]
read_saif -scope {name} {name}.saif
report_power -digits 6
puts "lmul has, in W:  internal {internal:.4e}  switching {switching:.4e}  leakage {leakage:.4e}"
puts "and {inputs:.4e} for nets that input ports drive, which report_power leaves out"
"""


def handover_files(cost: Cost, operands: Sequence[Operands]) -> dict[str, str]:
    """Write the kept netlist and all that its figures depend on.

    Parameters
    ----------
    cost : Cost
        Of an array: the part that was simulated is written.
    operands : sequence of Operands
        Those that the cost was measured with.

    Returns
    -------
    dict of str to str
        By file name: Verilog, SDF, SAIF, SDC and a script for OpenSTA. The power of the SAIF file includes
        glitches; energy of a cycle is power times the clock period.
    """
    design = cost.part or cost.design
    simulated = simulate_netlist(
        cost.mapped.netlist,
        stimulus(design, operands),
        warmup=warmup(design),
        conditions=cost.conditions,
    )
    return netlist_files(simulated, cost.mapped.verilog, design)


def netlist_files(simulated: Simulated, verilog: str, design: Design) -> dict[str, str]:
    """Write a netlist and all that its figures depend on, by file name, as `handover_files` does.

    Parameters
    ----------
    simulated : Simulated
    verilog : str
        The netlist.
    design : Design
    """
    name = simulated.netlist.name
    wires = f"read_spef {name}.spef\n" if simulated.netlist.placed else ""
    return {
        f"{name}.v": verilog,
        f"{name}.sdf": sdf_text(simulated.netlist, simulated.timing),
        f"{name}.saif": activity_text(simulated),
        f"{name}.sdc": constraints_text(simulated) + reset_exception(design),
        f"{name}.tcl": _SCRIPT.format(name=name, wires=wires, **_watts(simulated)),
    }


def _watts(simulated: Simulated) -> dict[str, float]:
    """Give the mean power as OpenSTA divides it, in W."""
    netlist = simulated.netlist
    energy = simulated.model.energy(simulated.glitches.timed)
    rates = simulated.model.rates(simulated.glitches.timed)
    charge = 0.5 * netlist.library.voltage**2 * rates
    switching = charge * netlist.loads
    # Wires of the clock are no part of our energy.
    clock_wires = (charge * netlist.wires)[list(netlist.clock_nets)]
    ports = [net for port in netlist.ports if port.direction == "input" for net in port.nets]
    parts = {
        "internal": energy.total - energy.leakage - float(switching.sum() - clock_wires.sum()),
        "switching": float(switching.sum() - switching[ports].sum()),
        "leakage": energy.leakage,
        "inputs": float(switching[ports].sum()),
    }
    # 1 fJ in 1 ps is 1 mW.
    return {name: femtojoules / simulated.clock_ps / 1e3 for name, femtojoules in parts.items()}


def activity_text(simulated: Simulated) -> str:
    """Write the activity with glitches as SAIF."""
    cycles = simulated.activity.transitions
    ones = simulated.activity.ones / cycles
    rates = simulated.model.rates(simulated.glitches.timed)
    return saif_text(simulated.netlist, ones, rates, simulated.clock_ps, cycles)


def constraints_text(simulated: Simulated) -> str:
    """Write clock, slews and loads as SDC."""
    netlist = simulated.netlist
    units = netlist.library.units
    clock = netlist.clock_port
    inputs = [port.name if len(port.nets) == 1 else f"{port.name}[*]" for port in netlist.inputs]
    slew = INPUT_SLEW_NS / units.time
    return _SDC.format(
        time_unit=_unit(units.time, "ns"),
        load_unit=_unit(units.load, "fF"),
        period=simulated.clock_ps / 1e3 / units.time,
        clock=f" [get_ports {clock}]" if clock else "",
        transition=f"set_clock_transition {slew:.9g} [get_clocks clock]\n" if clock else "",
        slew=slew,
        inputs=f"[get_ports {{{' '.join(inputs)}}}]",
        load=OUTPUT_LOAD_FF / units.load,
        wires="" if netlist.placed else _WIRES.format(_wire_command(netlist)),
    )


def _wire_command(netlist: Netlist) -> str:
    """Give the wires that are guessed, or none."""
    if netlist.wire_load:
        return f"set_wire_load_model -name {_tcl(netlist.wire_load.name)}"
    return "set_load 0 [get_nets -hierarchical *]"


def _unit(factor: float, name: str) -> str:
    """Name a unit that is so many of another."""
    known = {("ns", 1.0): "ns", ("ns", 1e-3): "ps", ("fF", 1.0): "fF", ("fF", 1e3): "pF"}
    return known.get((name, float(f"{factor:.9g}")), f"{factor:g} {name}")


def reset_exception(design: Design) -> str:
    """Leave out paths from an asynchronous reset, as SDC: whoever releases it minds the clock's edge."""
    return f"set_false_path -from [get_ports {design.reset_name}]\n" if design.reset == "async" else ""


def _tcl(word: str) -> str:
    """Write a word of a Liberty file as one word of Tcl, in which nothing is a command."""
    return re.sub(r"[^\w.-]", r"\\\g<0>", word, flags=re.ASCII)
