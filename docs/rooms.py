"""Which room imports which, and what is in each, read from the code: for docs/architecture.md.

`python docs/rooms.py` writes the picture docs/images/rooms.svg and the table of the page anew.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

SOURCE = Path(__file__).parent.parent / "src" / "lmul"

PICTURE = Path(__file__).parent / "images" / "rooms.svg"

PAGE = Path(__file__).parent / "architecture.md"

FLOW = (
    ("common",),
    ("host",),
    ("programs", "terminal", "multipliers"),
    ("golden",),
    ("design", "scheme"),
    ("hdl", "workloads"),
    ("sim", "accuracy", "torch"),
    ("cost",),
    ("evidence", "llm"),
    ("explore",),
    ("report",),
    ("commands",),
    ("cli",),
)
"""The rooms in the order of the flow: each imports only from rows above its own."""

INSIDE = {
    "accuracy": (
        ("statistics",),
        ("products",),
        ("dots", "paper", "plot", "tensors"),
        ("designs", "report"),
        ("table",),
    ),
    "cost": (
        ("library", "fpga", "published"),
        ("netlist",),
        ("mapping", "timing"),
        ("power", "gates"),
        ("cells",),
        ("calibration", "layout"),
        ("handover",),
    ),
    "evidence": (("formal", "exhaustive"), ("mutation",)),
    "explore": (
        ("space",),
        ("evaluate", "perplexity"),
        ("search", "store", "cluster"),
        ("sweep", "report"),
        ("compare", "plot", "table"),
        ("markdown",),
    ),
    "golden": (
        ("arguments",),
        ("formats",),
        ("accumulators",),
        ("arithmetic",),
        ("products", "reference"),
        ("sums",),
        ("matmul",),
        ("scaled",),
    ),
    "hdl": (
        ("framework", "primitives"),
        ("multiplier",),
        ("floating",),
        ("accumulator",),
        ("dot", "array"),
        ("streams", "axi_stream"),
        ("verilog",),
    ),
    "llm": (
        ("suites", "memory_energy"),
        ("token_energy", "arithmetics"),
        ("products", "energy_table"),
        ("readers",),
        ("evaluation", "generation"),
        ("accuracy",),
        ("narrow", "table"),
    ),
    "multipliers": (
        ("forms",),
        ("integer_add",),
        ("mitchell", "addm", "tabulated"),
        ("lmul", "addc"),
        ("table",),
        ("significand",),
    ),
    "report": (
        ("plan", "language_model"),
        ("measure", "libraries", "units", "rule"),
        ("contents", "arithmetics"),
        ("sections",),
        ("page",),
    ),
    "torch": (
        ("config", "observer", "host", "models", "gpu"),
        ("device", "kept"),
        ("operator",),
        ("layers", "attention"),
        ("convert",),
        ("summary",),
        ("compare",),
        ("evaluation",),
    ),
    "sim": (("stimulus", "simulators"), ("coverage",), ("simulate", "benches"), ("native",), ("rtl",)),
    "workloads": (("operands", "smollm2", "texts"), ("capture",)),
}
"""The order inside of rooms, of modules and of folders, which are rooms themselves."""

MOST_FILES = 12
"""On one floor: more are hard to find one's way in."""

TEXTS = {
    "common": "errors, kinds of designs, figures' names",
    "host": "files, processes, kept results",
    "programs": "Yosys, nextpnr, what is installed",
    "terminal": "tables, progress, help",
    "multipliers": "what each multiplier adds to a sum",
    "golden": "formats, products and sums to the bit",
    "design": "parameters of a design",
    "scheme": "products of a model, and how",
    "hdl": "Amaranth to Verilog",
    "workloads": "operands of a language model",
    "sim": "Verilog against the model",
    "accuracy": "errors of products and sums",
    "torch": "models of PyTorch on it",
    "cost": "cells, delay, energy",
    "evidence": "proofs, all operands, mutants",
    "llm": "a language model on it",
    "explore": "sweeps",
    "report": "one page, charts and tables",
    "commands": "a module for each command",
    "cli": "the command line",
}

WIDTH, HEIGHT, COLUMN, ROW = 236, 44, 262, 78
"""Of a box, and from one to the next."""

COLUMNS = max(map(len, FLOW))


def rooms() -> dict[str, set[str]]:
    """Give the rooms that each room imports, at the top of a module or inside of a function."""
    found: dict[str, set[str]] = {name: set() for row in FLOW for name in row}
    for path in sorted(files(SOURCE)):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        room = room_of(module)
        found.setdefault(room, set()).update(room_of(name) for name in imported(path))
    return {room: names - {room} for room, names in found.items()}


def files(directory: Path) -> Iterator[Path]:
    """Give the modules below a directory, links followed."""
    for path in directory.iterdir():
        if path.is_dir():
            yield from files(path)
        elif path.suffix == ".py":
            yield path


def inside(room: str) -> dict[str, set[str]]:
    """Give what each module and folder of a room imports of the others."""
    found: dict[str, set[str]] = {}
    for path in sorted(files(SOURCE / room)):
        part = path.relative_to(SOURCE / room).with_suffix("").parts[0]
        if part not in {"__init__", "__main__"}:
            names = {name.split(".")[1] for name in imported(path) if name.startswith(f"{room}.")}
            found.setdefault(part, set()).update(names - {part})
    return found


def room_of(module: str) -> str:
    """Give the room of a module, by its name below `lmul`: small modules beside the rooms are `common`."""
    first = module.partition(".")[0]
    if first in {"__init__", "__main__"}:
        return "cli"
    known = {name for row in FLOW for name in row}
    return first if first in known or (SOURCE / first).is_dir() else "common"


def modules() -> dict[str, set[str]]:
    """Give every module below `lmul`, and the modules that it imports."""
    paths = {_name(path): path for path in files(SOURCE)}
    return {name: {*imported(path)} - {name} for name, path in paths.items()}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


@cache
def imported(path: Path) -> frozenset[str]:
    """Give the modules below `lmul` that a module imports, without that; a folder's is its `__init__`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = (name.split(".")[1:] for name in names if name.startswith("lmul."))
    return frozenset(_module(parts) for parts in ours)


def _module(parts: list[str]) -> str:
    """Give the module that a dotted name is in, or is."""
    place = SOURCE.joinpath(*parts)
    if (place / "__init__.py").is_file():
        return ".".join([*parts, "__init__"])
    return ".".join(parts) if place.with_suffix(".py").is_file() else _module(parts[:-1])


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Give the modules that import themselves by way of others."""
    left = {name: set(names) for name, names in graph.items()}
    while free := [name for name, names in left.items() if not names & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def needed(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out what is imported by another import too, and `common`: so that a picture can be read."""

    def reached(room: str) -> set[str]:
        return graph[room].union(*(reached(other) for other in graph[room]))

    return {
        room: {name for name in names - {"common"} if not any(name in reached(o) for o in names - {name})}
        for room, names in graph.items()
    }


def picture(graph: dict[str, set[str]]) -> str:
    """Draw the rooms, each below what it imports."""
    places = {name: _place(row, index) for row, names in enumerate(FLOW) for index, name in enumerate(names)}
    lines = [
        _line(places[room], places[name])
        for room, names in sorted(needed(graph).items())
        for name in sorted(names)
    ]
    boxes = [_box(name, *place) for name, place in places.items()]
    width, height = COLUMNS * COLUMN, len(FLOW) * ROW
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" text-anchor="middle">'
    )
    arrow = (
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#557"/></marker></defs>'
    )
    back = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join([head, arrow, back, *lines, *boxes, "</svg>", ""])


def _place(row: int, index: int) -> tuple[float, float]:
    """Give the middle of a box's upper edge."""
    return COLUMN * (COLUMNS / 2 + index - (len(FLOW[row]) - 1) / 2), ROW * row + 14


def _line(below: tuple[float, float], above: tuple[float, float]) -> str:
    """Draw an arrow from a room to one that it imports, aside of the boxes between them."""
    (x, y), (to_x, to_y) = below, above
    end = to_y + HEIGHT
    path = f"M{x:g} {y:g} C{x:g} {y - 30:g} {to_x:g} {end + 30:g} {to_x:g} {end + 1:g}"
    return f'<path d="{path}" fill="none" stroke="#557" marker-end="url(#arrow)"/>'


def _box(name: str, x: float, y: float) -> str:
    frame = f'x="{x - WIDTH / 2:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6"'
    return (
        f'<rect {frame} fill="#eef2f8" stroke="#557"/>'
        f'<text x="{x:g}" y="{y + 18:g}" font-size="14" font-weight="bold">{name}</text>'
        f'<text x="{x:g}" y="{y + 35:g}" font-size="11">{escape(TEXTS[name])}</text>'
    )


def page() -> str:
    """Give the page with the table of what is in each room between its marks."""
    lines = ["| room | part | what it is for |", "|---|---|---|"]
    lines += [row for names in FLOW for room in sorted(names) for row in _room_rows(room)]
    marks = "(<!-- rooms -->\n).*?(<!-- end -->)"
    table = "\n".join(lines)
    return re.sub(
        marks, lambda mark: f"{mark[1]}{table}\n{mark[2]}", PAGE.read_text(encoding="utf-8"), flags=re.S
    )


def _room_rows(room: str) -> Iterator[str]:
    """Give a row for each part of a room and each module in it, parts below those that they import."""
    folder = SOURCE if room == "common" else SOURCE / room
    if not folder.is_dir():
        yield f"| `src/lmul/{room}.py` | | {_purpose(folder)} |"
        return
    if room == "common":
        parts = [path.stem for path in sorted(SOURCE.glob("*.py")) if room_of(path.stem) == "common"]
    else:
        parts = [name for row in INSIDE.get(room, (sorted(inside(room)),)) for name in row]
    # Most rooms are links to folders at the top.
    shown = f"`{folder.resolve().relative_to(SOURCE.parent.parent.resolve())}/`"
    for number, row in enumerate(row for name in parts for row in _part_rows(folder / name, name)):
        yield f"| {'' if number else shown} {row}"


def _part_rows(place: Path, name: str) -> Iterator[str]:
    """Give the row of a module, or those of a folder and its modules."""
    if not _is_folder(place):
        yield f"| `{name}.py` | {_purpose(place)} |"
        return
    yield f"| `{name}/` | {_purpose(place)} |"
    for path in sorted(place.glob("*.py")):
        if path.stem[0] != "_":
            yield f"| `{name}/{path.name}` | {_purpose(path.with_suffix(''))} |"


def _is_folder(place: Path) -> bool:
    return (place / "__init__.py").is_file()


def _purpose(place: Path) -> str:
    """Give the first line of the docstring of a folder or a module."""
    path = place / "__init__.py" if _is_folder(place) else place.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].rstrip(".")


if __name__ == "__main__":
    PICTURE.write_text(picture(rooms()), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
