"""The one exception that the command line turns into a line for people, and how that line is made."""

from collections.abc import Callable
from dataclasses import dataclass

LONGEST_LINE = 400
"""Characters of an error that people are shown."""


@dataclass(frozen=True)
class Parameter:
    """The name of a parameter in a message, which everyone reads as he has to write it.

    Parameters
    ----------
    name : str
        As Python has it, such as ``reset_name``.
    """

    name: str


class UserError(ValueError):
    """Input that cannot be used: the message says what is wrong and what would be right.

    Parameters
    ----------
    *words : str or Parameter
        The message, in pieces that are put together as they are.
    """

    def __init__(self, *words: str | Parameter) -> None:
        super().__init__(*words)

    def __str__(self) -> str:
        return self.told(str)

    @property
    def parameter(self) -> str | None:
        """The first parameter that the message names."""
        return next((word.name for word in self.args if isinstance(word, Parameter)), None)

    def told(self, spell: Callable[[str], str]) -> str:
        """Give the message to someone who writes parameters in a way of his own.

        Parameters
        ----------
        spell : callable
            Gives how he writes a parameter, from its name in Python: `lmul.options` has some.
        """
        return "".join(spell(word.name) if isinstance(word, Parameter) else word for word in self.args)

    def behind(self, words: str) -> "UserError":
        """Give the same message with a text before it, such as what it is about."""
        return UserError(words, *self.args)


def printable(text: object) -> str:
    """Escape what a terminal would act on or cannot show, so that names out of files change nothing there.

    Parameters
    ----------
    text : object
        A text, or what can be made one, such as a path.

    Returns
    -------
    str
        One line; line ends, control characters and bytes that are no characters stand as backslash escapes.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(text)
    )


def one_line(text: object) -> str:
    """Give a text as one printable line, cut in its middle where it is longer than `LONGEST_LINE`."""
    line = printable(text)
    if len(line) <= LONGEST_LINE:
        return line
    half = (LONGEST_LINE - 5) // 2
    return f"{line[:half]} ... {line[-half:]}"
