"""Delays of a netlist as an SDF file, for simulators that take no Liberty tables."""

from lmul.cost.netlist.netlist import Netlist
from lmul.cost.timing.analysis import Timing
from lmul.cost.timing.path_delays import PathDelay, Spread, path_delays


def sdf_text(netlist: Netlist, timing: Timing) -> str:
    """Write the delays from pin to pin of every instance.

    Parameters
    ----------
    netlist : Netlist
    timing : Timing
        Its delays.

    Returns
    -------
    str
        SDF 3.0 in ps to the femtosecond; least, mean and largest delay of each edge. The delay of a placed
        wire is in the path that begins behind it. Clock gates have none, and there are no timing checks.
    """
    lines = [
        "(DELAYFILE",
        '  (SDFVERSION "3.0")',
        f'  (DESIGN "{netlist.name}")',
        "  (DIVIDER .)",
        "  (TIMESCALE 1ps)",
    ]
    for instance in netlist.instances:
        paths = path_delays(timing, instance)
        if paths:
            lines.append(f'  (CELL (CELLTYPE "{instance.cell.name}") (INSTANCE {instance.name})')
            lines.append("    (DELAY (ABSOLUTE")
            lines += [f"      {_path(path)}" for path in paths]
            lines.append("    )))")
    return "\n".join([*lines, ")", ""])


def _path(path: PathDelay) -> str:
    return f"(IOPATH {path.start} {path.end} ({_triple(path.rise)}) ({_triple(path.fall)}))"


def _triple(spread: Spread) -> str:
    return ":".join(f"{femtoseconds / 1000:.3f}" for femtoseconds in spread)
