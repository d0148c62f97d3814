"""What the documents show."""

import re
from collections.abc import Sequence
from pathlib import Path

from tests.support.paths import DOCS, ROOT

DOCUMENTS = [
    ROOT / "README.md",
    *sorted(DOCS.glob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]


def commands(documents: Sequence[Path] = DOCUMENTS) -> list[str]:
    """Give the command lines of `lmul` in code blocks and in running text, without their comments."""
    found = []
    for document in documents:
        text = document.read_text().replace("\\\n", " ")
        blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) + re.findall(
            r"((?:^    .*\n)+)", text, re.M
        )
        lines = [line.strip() for block in blocks for line in block.splitlines()]
        spans = re.findall(r"`((?:\.venv/bin/)?lmul [^`\n]+)`", text)
        for line in [*lines, *spans]:
            if re.match(r"(\.venv/bin/)?lmul [a-z-]", line):
                found.append(re.split(r"\s+#\s", line)[0].removeprefix(".venv/bin/"))
    return sorted(set(found))


SECONDS = 600.0
