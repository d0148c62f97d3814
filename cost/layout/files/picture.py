"""A placed design as a picture: its cells, coloured by block, or by kind where there is one block alone."""

from collections.abc import Iterator

import numpy as np

from lmul.cost.layout.placement.placement import Placement
from lmul.cost.library.cells import Cell
from lmul.cost.netlist.modules import block_name
from lmul.cost.netlist.netlist import Netlist, is_buffer, is_inverter

COLOURS = (
    "#4e79a7",
    "#f28e2b",
    "#59a14f",
    "#e15759",
    "#76b7b2",
    "#edc948",
    "#b07aa1",
    "#ff9da7",
    "#9c755f",
    "#bab0ac",
)
"""Of blocks, the largest first; further ones have the last."""

WIDTH = 640
"""Of the rows, in pixels."""

NBSP = "\N{NO-BREAK SPACE}"

LEGEND = 20
"""Height of a line of the legend, in pixels."""


def picture_svg(placement: Placement) -> str:
    """Draw the rows, the cells in the colours of their blocks, and the ports on the border.

    Parameters
    ----------
    placement : Placement

    Returns
    -------
    str
        SVG, with a legend of blocks and what is drawn as its title.
    """
    plan = placement.floorplan
    scale = WIDTH / plan.width_um
    height = plan.height_um * scale
    groups = _groups(placement.netlist)
    blocks = _areas(placement.netlist, groups)
    shown = list(blocks)[: len(COLOURS)]
    total = height + 8 + LEGEND * len(shown)
    title = (
        f"{placement.netlist.name}: {len(placement.netlist.instances):,} cells, "
        f"{plan.width_um:.1f} x {plan.height_um:.1f} um"
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 {WIDTH + 8} {total:.0f}" '
        'font-family="sans-serif" font-size="13">',
        f"<title>{title}</title>",
        f'<rect width="{WIDTH}" height="{height:.2f}" fill="#f4f4f4" stroke="#666"/>',
        *_cells(placement, groups, list(blocks), scale),
        *_ports(placement, scale),
        *_legend(blocks, shown, height),
        "</svg>",
        "",
    ]
    return "\n".join(lines)


def picture_png(svg: str) -> bytes:
    """Give a picture as PNG."""
    import vl_convert

    found: bytes = vl_convert.svg_to_png(svg, scale=2)
    return found


def _groups(netlist: Netlist) -> list[str]:
    """Give the name of what each cell is coloured as."""
    blocks = [block_name(instance.module, netlist.name) or "top" for instance in netlist.instances]
    return blocks if len(set(blocks)) > 1 else [_kind(instance.cell) for instance in netlist.instances]


def _kind(cell: Cell) -> str:
    if cell.flip_flop or cell.clock_gate:
        return "flip-flops and clock gates"
    if is_inverter(cell) or is_buffer(cell):
        return "inverters and buffers"
    return "adders" if len(cell.outputs) > 1 else "gates"


def _areas(netlist: Netlist, groups: list[str]) -> dict[str, float]:
    """Give the area of every group of cells, the largest first."""
    areas = dict.fromkeys(groups, 0.0)
    for group, instance in zip(groups, netlist.instances, strict=True):
        areas[group] += instance.cell.area
    return dict(sorted(areas.items(), key=lambda item: -item[1]))


def _cells(placement: Placement, groups: list[str], shown: list[str], scale: float) -> Iterator[str]:
    plan = placement.floorplan
    high = plan.site.height_um * scale
    for number, name in enumerate(shown):
        yield f'<g fill="{COLOURS[min(number, len(COLOURS) - 1)]}" stroke="#fff" stroke-width="0.4">'
        for place in np.flatnonzero(np.array(groups) == name):
            x = placement.column[place] * plan.site.width_um * scale
            y = (plan.rows - 1 - placement.row[place]) * high
            wide = placement.macro(int(place)).width_um * scale
            yield f'<rect x="{x:.2f}" y="{y:.2f}" width="{wide:.2f}" height="{high:.2f}"/>'
        yield "</g>"


def _ports(placement: Placement, scale: float) -> Iterator[str]:
    top = placement.floorplan.height_um
    yield '<g fill="#222">'
    for x, y in placement.ports.values():
        yield f'<circle cx="{x * scale:.2f}" cy="{(top - y) * scale:.2f}" r="2"/>'
    yield "</g>"


def _legend(blocks: dict[str, float], shown: list[str], height: float) -> Iterator[str]:
    whole = sum(blocks.values())
    for number, name in enumerate(shown):
        y = height + 8 + LEGEND * number
        last = number == len(COLOURS) - 1 and len(blocks) > len(COLOURS)
        names = shown[:number] if last else []
        area = whole - sum(blocks[other] for other in names) if last else blocks[name]
        text = f"{'others' if last else name}: {100 * area / whole:.0f}{NBSP}% of the cells' area"
        yield f'<rect x="0" y="{y:.0f}" width="14" height="14" fill="{COLOURS[number]}"/>'
        yield f'<text x="20" y="{y + 12:.0f}" fill="#222">{text}</text>'
