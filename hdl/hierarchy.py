"""Placing one component in another: as an Amaranth submodule, or as an instance of its own Verilog module."""

from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar

from amaranth import ClockSignal, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring


class Block(wiring.Component):  # type: ignore[type-arg]
    """A component that becomes one Verilog module, however often it is placed.

    Every placement of a block class in a design has the same parameters.
    """

    block_name: ClassVar[str]
    sequential: bool


class ModulePerBlock:
    """The elaboration platform of an export: collects the blocks that a design is made of.

    Parameters
    ----------
    prefix : str
        Module names are `{prefix}_{block_name}`.

    Attributes
    ----------
    blocks : dict of str to Block
        By module name, in order of first placement.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.blocks: dict[str, Block] = {}

    def instance(self, name: str, block_class: type[Block], *args: Any) -> tuple[Instance, Any]:
        """Make an instance of a block's module, and the signals of its ports."""
        module = f"{self.prefix}_{block_class.block_name}"
        if module not in self.blocks:
            self.blocks[module] = block_class(*args)
        block = self.blocks[module]
        ports: dict[str, Any] = {}
        signals: dict[str, Signal] = {}
        for (port,), member, _ in block.signature.flatten(block):
            signals[port] = Signal(member.shape, name=f"{name}_{port}")
            ports[("i_" if member.flow is wiring.In else "o_") + port] = signals[port]
        if block.sequential:
            ports |= {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        return Instance(module, **ports), SimpleNamespace(**signals)


BlockT = TypeVar("BlockT", bound=Block)


def place(m: Module, platform: Any, name: str, block_class: type[BlockT], *args: Any) -> BlockT:
    """Place a block in a module and give the object whose attributes are its ports.

    Parameters
    ----------
    m : Module
        Where to place it.
    platform : ModulePerBlock or anything else
        Decides between an instance, for export, and a submodule, for use in other designs and in
        Amaranth's own simulator.
    name : str
        Name of the placement.
    block_class : type of Block
    *args
        What to make the block from.
    """
    if isinstance(platform, ModulePerBlock):
        m.submodules[name], ports = platform.instance(name, block_class, *args)
        result: BlockT = ports
        return result
    block = block_class(*args)
    m.submodules[name] = block
    return block
