"""A placed design as files for other tools: its netlist with buffers, places, wires, and a picture."""

from collections.abc import Sequence

from lmul.cost.cells.measure import simulate_netlist
from lmul.cost.handover.opensta import netlist_files
from lmul.cost.layout.estimate import LaidOut, lay_out
from lmul.cost.layout.files.def_file import def_text
from lmul.cost.layout.files.flat_verilog import flat_verilog
from lmul.cost.layout.files.picture import picture_png, picture_svg
from lmul.cost.layout.files.spef import spef_text
from lmul.cost.power.stimulus import stimulus, warmup
from lmul.workloads import Operands


def layout_files(laid: LaidOut, operands: Sequence[Operands]) -> dict[str, str | bytes]:
    """Write the first placement of a design, and all that its figures depend on.

    Parameters
    ----------
    laid : LaidOut
    operands : sequence of Operands
        Those that it was measured with.

    Returns
    -------
    dict of str to str or bytes
        By file name: what `handover_files` gives, DEF, SPEF, and the picture as SVG and PNG.
    """
    cost = laid.cost
    layout = lay_out(cost.mapped.netlist, laid.technology, laid.placing, 1)
    simulated = simulate_netlist(
        layout.netlist,
        stimulus(cost.design, operands),
        warmup=warmup(cost.design),
        conditions=cost.conditions,
    )
    name, picture = layout.netlist.name, picture_svg(layout.placement)
    return {
        **netlist_files(simulated, flat_verilog(layout.netlist), cost.design),
        f"{name}.def": def_text(layout.placement),
        f"{name}.spef": spef_text(layout.wiring),
        f"{name}.svg": picture,
        f"{name}.png": picture_png(picture),
    }
