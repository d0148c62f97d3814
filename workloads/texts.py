"""What a language model's accuracy is measured on: a passage of prose, and questions with four choices each.

Both are files in ``passages/``, and ``passages/provenance.json`` says where they are from.
"""

import importlib.resources
import json
from dataclasses import dataclass

FOLDER = "passages"


@dataclass(frozen=True)
class Question:
    """The start of a sentence, and ways to go on, of which one is right.

    Attributes
    ----------
    prompt : str
        The start; a space comes between it and a choice.
    choices : tuple of str
        Four ways to go on.
    answer : int
        Index of the right one.
    """

    prompt: str
    choices: tuple[str, ...]
    answer: int


def passage() -> str:
    """Read the passage: the middle of George Eliot's *Brother Jacob*, about 10,000 tokens of SmolLM2.

    Returns
    -------
    str
        One line a paragraph, with an empty line between two.
    """
    return _read("brother_jacob.txt")


def questions() -> tuple[Question, ...]:
    """Read the questions, on what everybody knows.

    Returns
    -------
    tuple of Question
        160, mixed, so that the first few are a sample of all.
    """
    return tuple(
        Question(entry["prompt"], tuple(entry["choices"]), entry["answer"])
        for entry in json.loads(_read("questions.json"))
    )


def _read(name: str) -> str:
    """Read one file of the folder."""
    return importlib.resources.files(__package__).joinpath(FOLDER, name).read_text("utf-8")
