"""`lmul eval`: any model of transformers under arithmetics, by lm-evaluation-harness."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lmul.errors import UserError
from lmul.host.files import check_output, write_files
from lmul.options import option
from lmul.scheme import Scheme, parse_scheme
from lmul.terminal.console import console, say, write_figures
from lmul.terminal.progress import working

if TYPE_CHECKING:
    from lmul.torch.evaluation.measure import Evaluation, Plan

DEFAULTS = ("exact,e4m3,row", "lmul,e4m3,row")
"""Arithmetics that are evaluated where none are named."""

LEAST = {"neighbours": 0, "limit": 1, "batch_size": 1}
"""What options have at least."""


def run_eval(options: argparse.Namespace) -> int:
    """Evaluate a model in full precision and under each arithmetic, and show the differences.

    Parameters
    ----------
    options : argparse.Namespace
        `model`, `arithmetic`, `tasks`, `neighbours`, `limit`, `batch_size`, `output`, `build` and `json`.

    Raises
    ------
    UserError
        An option cannot be used, or the model or a task's data cannot be had; nothing has then been written.
    """
    with working("Loading lm-evaluation-harness"):
        plan = _plan(options)
        from lmul.torch.evaluation.measure import compare, evaluate
        from lmul.torch.evaluation.table import evaluation_tables
    with working(f"Evaluating {', '.join(plan.tasks)}") as progress:
        found = evaluate(plan, options.build / "eval", progress)
    rows = compare(found)
    console().print(evaluation_tables(rows))
    if options.output:
        _write_results(options.output, found)
    write_figures(
        options.json,
        {
            "model": plan.model,
            "tasks": list(plan.tasks),
            "limit": plan.limit,
            "batch_size": plan.batch_size,
            "neighbours": plan.neighbours,
            "rows": [row.as_plain() for row in rows],
        },
    )
    return 0


def _plan(options: argparse.Namespace) -> "Plan":
    """Refuse what cannot be used before anything is loaded."""
    for name, smallest in LEAST.items():
        value = getattr(options, name)
        if value is not None and value < smallest:
            raise UserError(f"{option(name)} must be {smallest} or more, not {value}")
    if options.output:
        check_output(options.output, directory=True)
    schemes = _schemes(options.arithmetic or DEFAULTS)
    from lmul.torch import models
    from lmul.torch.evaluation import tasks
    from lmul.torch.evaluation.measure import Plan

    models.find(options.model)
    words = ",".join(tasks.LOCAL) if options.tasks is None else options.tasks
    names = tasks.names([word for word in words.split(",") if word])
    if not names:
        raise UserError(
            f"--tasks {options.tasks!r} names no task: name some, such as {','.join(tasks.LOCAL)}"
        )
    return Plan(
        model=options.model,
        schemes=schemes,
        tasks=tuple(names),
        neighbours=options.neighbours,
        limit=options.limit,
        batch_size=options.batch_size,
    )


def _schemes(words: Sequence[str]) -> tuple[Scheme, ...]:
    """Read arithmetics, each once; full precision is there anyway."""
    for text in words:
        if not text:
            raise UserError("--arithmetic has no words: name one, such as lmul,e4m3,row")
    read = [parse_scheme(text) for text in words]
    return tuple(dict.fromkeys(scheme for scheme in read if scheme))


def _write_results(folder: Path, found: Sequence["Evaluation"]) -> None:
    """Write the harness's results as they are: a folder for each arithmetic, a file for each pass."""
    for one in found:
        task = one.task.replace("/", "_")
        names = [
            f"{task}.neighbour{number}.json" if number else f"{task}.json"
            for number in range(len(one.passes))
        ]
        texts = [json.dumps(results, indent=2) + "\n" for results in one.passes]
        write_files(folder / one.arithmetic, dict(zip(names, texts, strict=True)))
    say(f"Results of the harness: {folder}")
