"""`lmul llm`: accuracy of a language model whose matrix products are those of the hardware."""

import argparse
from pathlib import Path

from lmul.design import make_design
from lmul.errors import UserError
from lmul.host.files import read_input
from lmul.llm.accuracy import measure_arithmetics
from lmul.llm.readers.models import open_model
from lmul.llm.suites import SUITES
from lmul.llm.table import accuracy_table
from lmul.scheme import parse_scheme
from lmul.terminal.console import console, write_figures
from lmul.terminal.progress import working
from lmul.workloads import smollm2
from lmul.workloads.texts import passage, questions

LARGEST_TEXT = 1 << 24
"""Bytes of a text."""

CAPTURED = 128
"""Tokens that are read for operands to measure energies under."""

BATCHES = (1, 256)
"""Tokens that share the weights that are read: one user, and a busy server."""

DEFAULTS = ("full", "exact,e4m3,attention", "lmul,e4m3,attention", "exact,e4m3,all", "lmul,e4m3,all")


def run_llm(options: argparse.Namespace) -> int:
    """Measure and show the accuracy under each arithmetic.

    Parameters
    ----------
    options : argparse.Namespace
        `model`, `arithmetic`, `suite`, `tokens`, `text`, `questions`, `build` and `json`.

    Raises
    ------
    UserError
        An option cannot be used, or there is no such model; nothing has then been written.
    """
    if options.tokens < 2:
        raise UserError(f"--tokens must be 2 or more, not {options.tokens}")
    words = SUITES[options.suite]() if options.suite else list(options.arithmetic or DEFAULTS)
    schemes = [parse_scheme(text) for text in words]
    asked = questions() if options.questions else ()
    text = _text(options.text) if options.text else passage()
    model, kept = open_model(options.model), options.build / "llm"
    with working(f"Reading {options.tokens:,} tokens in {len(schemes)} ways") as progress:
        found = measure_arithmetics(schemes, text, options.tokens, asked, kept, progress, model)
    console().print(accuracy_table(found, model))
    write_figures(options.json, [accuracy.as_plain() for accuracy in found])
    return 0


def run_energy(options: argparse.Namespace) -> int:
    """Measure and show the energy of a token.

    Parameters
    ----------
    options : argparse.Namespace
        `compare` or `arithmetic`, `batch`, `context`, `memory_energy`, `build` and `json`.

    Raises
    ------
    UserError
        An option cannot be used, or an extra is not installed; nothing has then been written.
    """
    from lmul.cost.cells.measure import DEFAULT_CONDITIONS
    from lmul.cost.library.reader import default_library
    from lmul.cost.mapping.mapper import CELLS
    from lmul.llm.energy_table import energy_tables
    from lmul.llm.memory_energy import PUBLISHED, read_memory_energy
    from lmul.llm.token_energy import (
        Element,
        Machine,
        captured_operands,
        element_of,
        measure_kinds,
        token_energy,
    )

    batches = BATCHES if options.batch is None else (options.batch,)
    for name, value in (("batch", batches[0]), ("context", options.context)):
        if value < 1:
            raise UserError(f"--{name} must be 1 or more, not {value}")
    memory = read_memory_energy(options.memory_energy) if options.memory_energy else PUBLISHED
    if options.arithmetic:
        elements = [element_of(words) for words in options.arithmetic]
    else:
        elements = [Element(mul, make_design("dot", mul=mul)) for mul in options.compare.split(",")]
    library = default_library()
    with working("Reading with SmolLM2"):
        model = smollm2.load_model()
        operands = captured_operands(model, passage(), CAPTURED)
    measured = []
    for element in elements:
        with working(f"Mapping and measuring {element.design.name}") as progress:
            measured.append(
                measure_kinds(element, operands, library, DEFAULT_CONDITIONS, options.build / CELLS, progress)
            )
    machines = [Machine(batch=batch, context=options.context) for batch in batches]
    found = [
        [token_energy(*pair, model, machine, memory) for pair in zip(elements, measured, strict=True)]
        for machine in machines
    ]
    console().print(energy_tables(found))
    write_figures(options.json, [energy.as_plain() for energies in found for energy in energies])
    return 0


def _text(path: Path) -> str:
    try:
        return read_input(path, "name a text file", LARGEST_TEXT).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{str(path)!r} is no text in UTF-8: {error.reason} at byte {error.start}") from None
