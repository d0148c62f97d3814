"""The hardware in Amaranth, and its export as Verilog."""

from lmul.hdl.array import Array
from lmul.hdl.axi import ArrayAxiStream, DotAxiStream
from lmul.hdl.streams import DotProduct, Multiplier
from lmul.hdl.verilog import Export, component, export

__all__ = [
    "Array",
    "ArrayAxiStream",
    "DotAxiStream",
    "DotProduct",
    "Export",
    "Multiplier",
    "component",
    "export",
]
