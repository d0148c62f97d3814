"""Notebooks without Jupyter: their cells run in one namespace, as text goes in and text comes out.

`python -m tests.support.project.notebooks FILE.ipynb` runs one and stores what it printed.
"""

import json
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any]:
    """Read a notebook."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the cells that are run."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def stored(cell: dict[str, Any]) -> str:
    """Give what a cell printed when it was stored."""
    return "".join(line for output in cell["outputs"] for line in output["text"])


def run(notebook: dict[str, Any]) -> list[str]:
    """Run all cells in their order, and give what each prints."""
    names: dict[str, Any] = {}
    printed = []
    for cell in code_cells(notebook):
        with redirect_stdout(StringIO()) as shown:
            exec(compile("".join(cell["source"]), "notebook", "exec"), names)  # noqa: S102
        printed.append(shown.getvalue())
    return printed


def main(path: Path) -> None:
    """Run a notebook and store what it printed in it."""
    notebook = read(path)
    for number, (cell, text) in enumerate(zip(code_cells(notebook), run(notebook), strict=True), 1):
        stream = {"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}
        cell |= {"execution_count": number, "outputs": [stream] if text else []}
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
