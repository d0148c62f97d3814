"""The energy of a token for people: tables that fit 80 columns."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from lmul.llm.token_energy import TokenEnergy

PARTS = {
    "multipliers": "multipliers",
    "elements": "rest of the elements",
    "sram": "SRAM",
    "dram": "DRAM",
}


def energy_tables(machines: Sequence[Sequence[TokenEnergy]]) -> Group:
    """Lay out what a token takes on several designs, compared with the last one, for each machine."""
    parts: list[RenderableType] = [_kinds(machines[0])]
    for found in machines:
        machine = found[0].machine
        title = f"One token behind {machine.context:,}, weights read once for {machine.batch:,}"
        parts += [Text(title, style="bold"), _parts(found)]
    machine, memory = machines[0][0].machine, machines[0][0].memory
    note = (
        f"{machine.rows} x {machine.cols} elements, measured under operands of each kind, glitches included. "
        f"Memory is assumed: {memory.text}. --memory-energy takes others."
    )
    return Group(*parts, Text(note))


def _kinds(found: Sequence[TokenEnergy]) -> Table:
    """Lay out the products of each kind and what one takes."""
    muls = [Column(f"{energy.element.name}, fJ", justify="right") for energy in found]
    table = Table("product", Column("of a token", justify="right"), *muls, box=SIMPLE_HEAD)
    for rows in zip(*(energy.kinds for energy in found), strict=True):
        figures = (f"{row.fj_per_product:.1f}" for row in rows)
        table.add_row(rows[0].kind, f"{rows[0].products:,}", *figures)
    return table


def _parts(found: Sequence[TokenEnergy]) -> Table:
    """Lay out what becomes of the energy, and what is saved of all."""
    muls = [Column(f"{energy.element.name}, uJ", justify="right") for energy in found]
    shares = [Column("%", justify="right") for _ in found]
    columns = [column for pair in zip(muls, shares, strict=True) for column in pair]
    table = Table("", *columns, box=SIMPLE_HEAD)
    for part, name in PARTS.items():
        table.add_row(name, *_energies(found, part))
    _add_sums(table, found)
    memory = found[0].memory
    if memory.dram_high > memory.dram:
        table.add_section()
        table.add_row(f"DRAM at {memory.dram_high:g} pJ", *_energies(found, "dram_high", "_high"))
        _add_sums(table, found, "_high")
    return table


def _add_sums(table: Table, found: Sequence[TokenEnergy], end: str = "") -> None:
    """Add what all takes, with DRAM at one end of its range: memory's share of it, and what is saved."""
    table.add_row("all", *_energies(found, f"total{end}", end))
    shares = [("", f"{100 * energy.memory_share(end):.1f}") for energy in found]
    table.add_row("memory's share", *(text for pair in shares for text in pair))
    *others, reference = found
    if others:
        saved = [("", f"{100 * energy.saved_of(reference, end):.1f}") for energy in others]
        table.add_row(f"saved of {reference.element.name}", *(text for pair in saved for text in pair))


def _energies(found: Sequence[TokenEnergy], part: str, end: str = "") -> list[str]:
    """Give a part of each energy in uJ and in % of all."""
    return [
        text
        for energy in found
        for text in (f"{energy.sum(part):,.1f}", f"{100 * energy.sum(part) / energy.sum(f'total{end}'):.1f}")
    ]
