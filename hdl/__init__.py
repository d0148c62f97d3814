"""The hardware in Amaranth, and its export as Verilog."""

from lmul.hdl.array import Array
from lmul.hdl.axi import ArrayAxiStream
from lmul.hdl.streams import DotProduct, Multiplier
from lmul.hdl.verilog import Export, component, export

__all__ = ["Array", "ArrayAxiStream", "DotProduct", "Export", "Multiplier", "component", "export"]
