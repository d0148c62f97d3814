"""What a library must have for designs to be mapped to it, and what it has instead."""

from collections import Counter
from collections.abc import Callable

from lmul.cost.library.cells import Cell, Library
from lmul.cost.netlist.netlist import is_inverter, is_nand2
from lmul.errors import Parameter, UserError


def check_mappable(library: Library, *, registers: bool) -> None:
    """Check that a library has the cells without which nothing can be mapped or told in NANDs.

    Parameters
    ----------
    library : Library
    registers : bool
        Whether the design has registers.

    Raises
    ------
    UserError
        Something is missing; with what the library has.
    """
    needed: dict[str, Callable[[Cell], bool]] = {
        "inverter": is_inverter,
        "two-input NAND": lambda cell: cell.is_gate and is_nand2(cell),
    }
    if registers:
        needed["flip-flop that stores its input at a rising edge"] = _is_plain_flip_flop
    missing = [what for what, fits in needed.items() if not any(map(fits, library.cells.values()))]
    if missing:
        lacks = f"library {library.name} has no {' and no '.join(missing)} that may be used"
        raise UserError(f"{lacks}: {_inventory(library)}")


def check_asynchronous_reset(library: Library) -> None:
    """Refuse a library in which no flip-flop has an asynchronous reset.

    Raises
    ------
    UserError
    """
    cells = (cell for cell in library.cells.values() if not cell.left_out)
    flip_flops = [cell.flip_flop for cell in cells if cell.flip_flop]
    # With inverters around it, one that is set serves for one that is cleared.
    if not any(flip_flop.clear or flip_flop.preset for flip_flop in flip_flops):
        raise UserError(
            f"library {library.name} has no usable flip-flop with an asynchronous reset: ",
            *("take another library, or ", Parameter("reset"), " sync"),
        )


def _is_plain_flip_flop(cell: Cell) -> bool:
    """Tell whether Yosys makes registers of a cell; it ties set and reset where there are any."""
    return cell.is_flip_flop and cell.flip_flop is not None and len(cell.flip_flop.next_state.pins()) == 1


def _inventory(library: Library) -> str:
    """Say of which kinds the cells are."""
    kinds = Counter(map(_kind, library.cells.values()))
    return f"it has {', '.join(f'{kind} ({count})' for kind, count in kinds.most_common())}"


def _kind(cell: Cell) -> str:
    if cell.left_out:
        return cell.left_out
    if cell.is_gate:
        return "gates"
    if cell.is_flip_flop:
        return "flip-flops"
    if cell.latch or cell.flip_flop:
        return "latches and flip-flops of other kinds"
    if any(pin.function is None for pin in cell.outputs) or not cell.outputs:
        return "cells whose outputs have no function"
    return "cells without delays"
