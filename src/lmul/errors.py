"""The one exception that the command line turns into a line for people, and how that line is made."""

LONGEST_LINE = 400
"""Characters of an error that people are shown."""


class UserError(ValueError):
    """Input that cannot be used: the message says what is wrong and what would be right."""


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
