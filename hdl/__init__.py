"""The hardware in Amaranth, and its export as Verilog."""

from lmul.hdl.array.array import Array
from lmul.hdl.axi_stream import ArrayAxiStream, DotAxiStream
from lmul.hdl.streams import DotProduct, Multiplier
from lmul.hdl.verilog.export import Export, component, export

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
