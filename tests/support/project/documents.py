"""What the documents show."""

import re
import shlex
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from lmul.cli import _parser
from lmul.errors import UserError
from lmul.terminal.ignored import refuse_ignored
from lmul.terminal.parser import given
from tests.support.paths import DOCS, ROOT

DOCUMENTS = [
    ROOT / "README.md",
    *sorted(DOCS.glob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]


PYTORCH = DOCS / "pytorch.md"
"""The page whose blocks of Python go on from each other, and need PyTorch."""


BROUGHT = {
    "AFTER.json",
    "AFTER/report.json",
    "ARITHMETICS.toml",
    "BEFORE.json",
    "BEFORE/report.json",
    "CELLS.lib",
    "CELLS.lib.gz",
    "MEMORY.toml",
    "OPERANDS.npz",
    "SPACE.toml",
    "STEPS.npz",
    "UNIT.toml",
    "UNIT.v",
}
"""The files that readers bring, of which the tests make their own."""


NAMED = "lmul cost"
"""A command that the parser takes without all that it needs, for options stand in for a design."""


def whole(line: str) -> bool:
    """Say whether a command has all that it needs: running text names commands and options without."""
    if line == NAMED:
        return False
    words = [word.rstrip(",") for word in shlex.split(re.split(r"\s>\s|\s\|\s", line)[0])][1:]
    try:
        with redirect_stdout(StringIO()):  # Of the help that a command asks for.
            _parser().parse_args(words)
        refuse_ignored(words[0], given(_parser(), words))
    except UserError as error:
        if not re.search(r"required|expected (one|at least one) argument", str(error)):
            raise
        return False
    except SystemExit as end:
        return end.code == 0
    return True


def blocks(document: Path) -> list[str]:
    """Give the blocks of Python of a document."""
    return re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL)


def needs_torch(document: Path, block: str) -> bool:
    """Say whether a block needs PyTorch: `tests/torch/test_documents.py` runs those."""
    return document == PYTORCH or "lmul.torch" in block


def commands(documents: Sequence[Path] = DOCUMENTS, *, running: bool = True) -> list[str]:
    """Give the command lines of `lmul` in code blocks and in running text, without their comments."""
    found = []
    for document in documents:
        text = document.read_text().replace("\\\n", " ")
        blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) + re.findall(
            r"((?:^    .*\n)+)", text, re.M
        )
        lines = [line.strip() for block in blocks for line in block.splitlines()]
        spans = re.findall(r"`((?:\.venv/bin/)?lmul [^`\n]+)`", text) if running else []
        for line in [*lines, *spans]:
            if re.match(r"(\.venv/bin/)?lmul [a-z-]", line):
                found.append(re.split(r"\s+#\s", line)[0].removeprefix(".venv/bin/"))
    return sorted(set(found))


SECONDS = 600.0
