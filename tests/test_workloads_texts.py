"""The passage, and (with the extra `llm`) its tokens."""

import hashlib
import importlib.resources
import json
from pathlib import Path

from lmul.workloads import smollm2
from lmul.workloads.texts import FOLDER, passage
from tests.llm import needs_llm

STORED = Path(str(importlib.resources.files("lmul.workloads"))) / FOLDER
PROVENANCE = json.loads((STORED / "provenance.json").read_text())


def test_provenance_describes_every_file_as_it_is() -> None:
    files = {file.name: file for file in STORED.iterdir() if file.name != "provenance.json"}
    assert files.keys() == PROVENANCE.keys()
    for name, file in files.items():
        assert hashlib.sha256(file.read_bytes()).hexdigest() == PROVENANCE[name]["sha256"]


def test_passage_is_short_and_made_of_whole_clean_paragraphs() -> None:
    text = passage()
    assert len(text.encode()) <= 60_000
    assert text.isascii()
    assert text.endswith(".)\n")
    paragraphs = text.removesuffix("\n").split("\n\n")
    assert len(paragraphs) > 30
    for paragraph in paragraphs:
        assert paragraph.isprintable()
        assert paragraph.strip() == paragraph
        assert "  " not in paragraph


@needs_llm
def test_tokens_are_as_many_as_wanted() -> None:
    model = smollm2.load_model()
    assert len(smollm2.encode(model, passage())) == PROVENANCE["brother_jacob.txt"]["tokens"] >= 9000
