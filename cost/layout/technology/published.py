"""Capacitances of wires among neighbours, as others set them.

OpenROAD-flow-scripts has them in `flow/platforms/*/setRC.tcl`, for each layer, for estimates before routing.
They are fits to capacitances that were extracted from routed designs, so wires beside, above and below are in
them. LEF files have at most the capacitance of a wire without neighbours.
"""

from collections.abc import Mapping

from lmul.cost.layout.technology.technology import Layer, Site, Technology

WIRES: Mapping[Site, Mapping[str, float]] = {
    Site("FreePDK45_38x28_10R_NP_162NW_34O", 0.19, 1.4): {
        "metal2": 0.083,
        "metal3": 0.105,
        "metal4": 0.117,
        "metal5": 0.111,
        "metal6": 0.107,
        "metal7": 0.115,
        "metal8": 0.092,
        "metal9": 0.120,
        "metal10": 0.119,
    },
    Site("unithd", 0.46, 2.72): {
        "met1": 0.172,
        "met2": 0.136,
        "met3": 0.215,
        "met4": 0.148,
        "met5": 0.154,
    },
    Site("asap7sc7p5t", 0.054, 0.27): {
        "M2": 0.185,
        "M3": 0.154,
        "M4": 0.189,
        "M5": 0.172,
        "M6": 0.176,
        "M7": 0.147,
    },
    Site("CoreSite", 0.48, 3.78): {
        "Metal2": 0.169,
        "Metal3": 0.183,
        "Metal4": 0.166,
        "Metal5": 0.086,
    },
}
"""In fF/um, by site and layer: Nangate's 45 nm, SKY130's high density, ASAP7 and IHP's SG13G2.

The names of sites alone would not do: others have a CoreSite too, and ASAP7 also comes four times as large.
"""


def wire_capacitances(technology: Technology) -> tuple[float, float]:
    """Give the capacitances of the wires that short nets are routed on.

    Parameters
    ----------
    technology : Technology

    Returns
    -------
    tuple of float
        Of horizontal and of vertical wires, in fF/um: among neighbours where `WIRES` has the layer, else as
        the LEF files have them, without neighbours, or 0.
    """
    known = WIRES.get(technology.site, {})

    def of(layer: Layer) -> float:
        return known.get(layer.name, layer.capacitance_ff_um)

    horizontal, vertical = technology.wires()
    return of(horizontal), of(vertical)
