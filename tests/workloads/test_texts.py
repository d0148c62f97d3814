"""The passage and the questions, and (with the extra `llm`) their tokens."""

import hashlib
import importlib.resources
import json
from collections import Counter
from pathlib import Path

import numpy as np

from lmul.workloads import smollm2
from lmul.workloads.texts import FOLDER, passage, questions
from tests.support.llm import needs_llm

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


def test_questions_are_well_formed() -> None:
    for question in questions():
        assert len(question.choices) == len(set(question.choices)) == 4
        for text in (question.prompt, *question.choices):
            assert text
            assert text.isascii()
            assert text.isprintable()
            assert text.strip() == text


def test_questions_differ_and_every_place_is_right_as_often() -> None:
    assert len({question.prompt for question in questions()}) == 160
    assert Counter(question.answer for question in questions()) == dict.fromkeys(range(4), 40)


@needs_llm
def test_tokens_are_as_many_as_wanted_and_choices_begin_tokens_of_their_own() -> None:
    model = smollm2.load_model()
    assert len(smollm2.encode(model, passage())) == PROVENANCE["brother_jacob.txt"]["tokens"] >= 9000
    for question in questions():
        prompt = smollm2.encode(model, question.prompt)
        assert 6 <= len(prompt) <= 25
        for choice in question.choices:
            whole = smollm2.encode(model, f"{question.prompt} {choice}")
            assert np.array_equal(whole[: len(prompt)], prompt)
            assert 1 <= len(whole) - len(prompt) <= 3
