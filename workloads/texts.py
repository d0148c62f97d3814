"""What a language model's accuracy is measured on: a passage of prose.

It is a file in ``passages/``, and ``passages/provenance.json`` says where it is from.
"""

import importlib.resources

FOLDER = "passages"


def passage() -> str:
    """Read the passage: the middle of George Eliot's *Brother Jacob*, about 10,000 tokens of SmolLM2.

    Returns
    -------
    str
        One line a paragraph, with an empty line between two.
    """
    return _read("brother_jacob.txt")


def _read(name: str) -> str:
    """Read one file of the folder."""
    return importlib.resources.files(__package__).joinpath(FOLDER, name).read_text("utf-8")
