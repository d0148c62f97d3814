"""`lmul doctor`: what is installed, what is missing, and the command that mends it."""

import argparse

from rich.box import SIMPLE_HEAD
from rich.table import Table

from lmul.design import make_design
from lmul.errors import one_line
from lmul.programs.installed import BASE, COMMANDS, PROGRAM, Finding, examine, works
from lmul.terminal.console import console, say, write_figures


def run_doctor(options: argparse.Namespace) -> int:
    """Show what was found; the status is 1 if the base does not work.

    Parameters
    ----------
    options : argparse.Namespace
        `json`.
    """
    findings = [*examine(), _export()]
    well = works(findings)
    console().print(_table(findings))
    print("The base works." if well else "The base does not work.")
    mended = {finding.mend: finding.needed_by for finding in findings if finding.mend}
    width = max(map(len, mended), default=0)
    for mend, needed_by in mended.items():
        say(f"{mend:{width}}  for {needed_by}")
    write_figures(options.json, {"base_works": well, "findings": [finding.as_dict() for finding in findings]})
    return 0 if well else 1


def _export() -> Finding:
    """Write the Verilog of a small design."""
    from lmul.hdl import export

    try:
        name = export(make_design("mul")).name
    except Exception as error:
        return Finding("Verilog of a design", BASE, None, COMMANDS[BASE], one_line(error))
    return Finding("Verilog of a design", BASE, name, COMMANDS[BASE])


def _table(findings: list[Finding]) -> Table:
    table = Table("", "of", "found", box=SIMPLE_HEAD)
    kind = findings[0].kind
    for finding in findings:
        if finding.kind != kind:
            table.add_section()
        kind = finding.kind
        missing = "missing" if finding.kind != PROGRAM else "not on PATH"
        table.add_row(finding.name, finding.kind, finding.found or missing)
    return table
