"""Placing one component in another: as an Amaranth submodule, or as an instance of its own Verilog module."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar

from amaranth import ClockDomain, ClockSignal, Const, Fragment, Instance, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring


class Block(wiring.Component):  # type: ignore[type-arg]
    """A component that becomes one Verilog module, however often it is placed with the same parameters.

    Attributes
    ----------
    block_name : str
        Of its Verilog module, behind the design's name.
    sequential : bool
        Whether it has registers, and so a clock.
    has_reset : bool
        Whether a reset clears any of them.
    """

    block_name: ClassVar[str]
    sequential: bool
    has_reset: bool = True

    @property
    def latency(self) -> int:
        """Cycles from its operands to what becomes of them, if nothing pauses: 0 without registers."""
        return 0


@dataclass(frozen=True)
class Clocking:
    """The clock and the reset of a design, as its ports have them.

    Parameters
    ----------
    clock_name, reset_name : str
    asynchronous : bool
        Whether the reset clears registers without an edge of the clock.
    active_low : bool
        Whether the reset is on while its port is 0.
    """

    clock_name: str = "clk"
    reset_name: str = "rst"
    asynchronous: bool = False
    active_low: bool = False

    def ports(self, block: Block) -> list[str]:
        """Give the names of a block's ports for them, none without registers."""
        return [self.clock_name, self.reset_name][: block.sequential * (1 + block.has_reset)]


class ModulePerBlock:
    """The elaboration platform of an export: collects the blocks that a design is made of.

    Parameters
    ----------
    prefix : str
        Module names are `{prefix}_{block_name}`, with a number behind it for other parameters.
    clocking : Clocking, optional
        Of every block.

    Attributes
    ----------
    blocks : dict of str to Block
        By module name, in order of first placement.
    """

    def __init__(self, prefix: str, clocking: Clocking | None = None) -> None:
        self.prefix = prefix
        self.clocking = clocking or Clocking()
        self.blocks: dict[str, Block] = {}
        self._made: dict[str, tuple[Any, ...]] = {}
        self._reset = Signal(name=self.clocking.reset_name)

    def clock(self, block: Block, fragment: Fragment) -> dict[str, Signal]:
        """Give the registers of a block's fragment their clock and reset: the ports for them, by name."""
        names = self.clocking.ports(block)
        if not names:
            return {}
        domain: Any = ClockDomain(
            "sync", reset_less=not block.has_reset, async_reset=self.clocking.asynchronous
        )
        domain.clk.name = self.clocking.clock_name
        fragment.add_domains(domain)  # type: ignore[no-untyped-call]
        if block.has_reset and self.clocking.active_low:
            fragment.add_statements("comb", domain.rst.eq(~self._reset))  # type: ignore[no-untyped-call]
        elif block.has_reset:
            domain.rst = self._reset
        return dict(zip(names, (domain.clk, self._reset), strict=False))

    def instance(self, name: str, block_class: type[Block], *args: Any) -> tuple[Instance, Any]:
        """Make an instance of a block's module, and the signals of its ports."""
        module = self._module(block_class, *args)
        block = self.blocks[module]
        connections: dict[str, Any] = {}
        signals = SimpleNamespace()
        for path, member, _ in block.signature.flatten(block):
            port = port_name(path)
            signal = Signal(member.shape, name=f"{name}_{port}")
            connections[("i_" if member.flow is wiring.In else "o_") + port] = signal
            _set(signals, path, signal)
        # In a component of one's own the reset is that of its domain.
        clock: list[Value] = [ClockSignal(), self._reset if self.clocking.active_low else ResetSignal()]
        connections |= {
            f"i_{port}": signal for port, signal in zip(self.clocking.ports(block), clock, strict=False)
        }
        return Instance(module, **connections), signals

    def _module(self, block_class: type[Block], *args: Any) -> str:
        """Find the module of a block, or begin one."""
        number, module = 1, f"{self.prefix}_{block_class.block_name}"
        while module in self._made and self._made[module] != (block_class, *args):
            number += 1
            module = f"{self.prefix}_{block_class.block_name}_{number}"
        if module not in self._made:
            self._made[module] = (block_class, *args)
            self.blocks[module] = block_class(*args)
        return module


@dataclass(frozen=True)
class Port:
    """A port of a block, as its Verilog module has it.

    Parameters
    ----------
    name : str
        A stream's ports begin with the stream's name: `a_payload`.
    flow : In or Out
    value : Value
    """

    name: str
    flow: wiring.Flow
    value: Value


def ports_of(component: wiring.Component) -> list[Port]:  # type: ignore[type-arg]
    """Give the ports of a component but its clock and reset, streams as plain vectors.

    What is constant, such as the `ready` of a stream that is always ready, is no port.
    """
    return [
        Port(port_name(path), member.flow, Value.cast(value))
        for path, member, value in component.signature.flatten(component)
        if not isinstance(Value.cast(value), Const)
    ]


def port_name(path: tuple[str | int, ...]) -> str:
    """Join the names of a port and of the streams that it is in."""
    return "_".join(map(str, path))


def _set(signals: SimpleNamespace, path: tuple[str | int, ...], signal: Any) -> None:
    """Set the attribute that a path leads to."""
    *outer, name = map(str, path)
    for attribute in outer:
        if not hasattr(signals, attribute):
            setattr(signals, attribute, SimpleNamespace())
        signals = getattr(signals, attribute)
    setattr(signals, name, signal)


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
