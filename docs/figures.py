"""Figures in the documents: tables and sentences made from what commands have recorded.

`make figures` measures them anew, `python docs/figures.py` only writes the documents. A table stands between
`<!-- figures: NAME -->` and `<!-- end -->`. A sentence is found by its words, and its numbers are replaced.
Records are in docs/recorded, those of a language model in report/recorded, those of the tests in
tests/support/times.json if it is there. What needs a record that is not there stays as it is.
"""

import re
import sys
from contextlib import suppress
from pathlib import Path

from figures_records import RECORDS, ROOT, NotRecordedError
from figures_sentences import README, SENTENCES, Sentence, counts_of_tests
from figures_tables import BLOCKS

NUMBER = r"([+-]?\d[\d,]*(?:\.\d+)?)"


def numbers_of(text: str, sentence: Sentence) -> list[str]:
    """Give the numbers of a sentence as a document has them; raises what `fill` raises."""
    return list(_find(text, sentence).groups())


def fill(text: str, sentence: Sentence) -> str:
    """Put the numbers of a sentence into a document.

    Raises
    ------
    LookupError
        The document does not have it, or several times.
    """
    found = _find(text, sentence)
    holes = [found.span(group + 1) for group in range(len(found.groups()))]
    for (start, end), number in reversed(list(zip(holes, sentence.numbers(), strict=True))):
        text = text[:start] + number + text[end:]
    return text


def _find(text: str, sentence: Sentence) -> re.Match[str]:
    parts = (r"\s+".join(map(re.escape, re.split(r"\s+", part))) for part in sentence.words.split("{}"))
    found = list(re.finditer(NUMBER.join(parts), text))
    if len(found) != 1:
        raise LookupError(f"{sentence.document} has {len(found)} times, not once: {sentence.words}")
    return found[0]


def documents() -> dict[Path, str]:
    """Give every document as it should be.

    Raises
    ------
    LookupError
        A mark names no table, or a sentence is not where it should be.
    """
    paths = [ROOT / README, *sorted((ROOT / "docs").glob("*.md"))]
    texts = {path: with_tables(path.read_text(encoding="utf-8")) for path in paths}
    for sentence in (*SENTENCES, *counts_of_tests()):
        path = ROOT / sentence.document
        with suppress(NotRecordedError):
            texts[path] = fill(texts[path], sentence)
    return texts


def with_tables(text: str) -> str:
    """Put every table of a document between its marks; raises what `documents` raises."""

    def block(match: re.Match[str]) -> str:
        if match[2] not in BLOCKS:
            raise LookupError(f"{match[1]} names no table: there are {', '.join(BLOCKS)}")
        try:
            return "\n".join(filter(None, [match[1], BLOCKS[match[2]](), "<!-- end -->"]))
        except NotRecordedError:
            return match[0]

    return re.sub(r"(?ms)^(<!-- figures: (.*?) -->)\n.*?<!-- end -->$", block, text)


def missing() -> list[str]:
    """Name the records that are not there, whose figures stay as they are."""
    return [name for name, place in RECORDS.items() if not (place / f"{name}.json").exists()]


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
    for name in missing():
        print(f"left as it is: what needs {name}.json; run `make figures`", file=sys.stderr)
    sys.exit(bool(missing()))
