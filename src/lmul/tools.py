"""What the command lines beside `lmul` have in common, such as that of `python -m lmul.formal`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from lmul.errors import UserError, one_line


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments."""
        raise UserError(f"{message}; see `{self.prog} --help`")


class PageFormatter(argparse.RawDescriptionHelpFormatter):
    """Fills descriptions and leaves the lines of examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


def run_tool(main: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None = None) -> int:
    """Run a command line and tell what cannot be used in one line.

    Parameters
    ----------
    main : callable
        Takes the arguments, by default those of the process, and gives the exit status.
    arguments : sequence of str, optional

    Returns
    -------
    int
        Exit status: that of `main`; 2 for input that cannot be used; 130 after Ctrl-C.
    """
    try:
        return main(arguments)
    except UserError as error:
        print(f"lmul: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
