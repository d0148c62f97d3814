"""What the command lines beside `lmul` have in common, such as that of `python -m lmul.evidence.formal`."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from lmul.errors import UserError, one_line
from lmul.options import option


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    more_help: Callable[[], Mapping[str, str]] | None = None
    """Gives what is to be added to the help of options, by their names: found where help is asked for."""

    def format_help(self) -> str:
        """Give the page of the manual."""
        more, self.more_help = self.more_help, None
        for name, text in more().items() if more else ():
            self._option_string_actions[name].help = f"{self._option_string_actions[name].help}{text}"
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments."""
        raise UserError(f"{message}; see `{self.prog} --help`")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse arguments, of a command of this parser too; refuse what is unknown where it is written."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            known = [text for action in self._actions for text in action.option_strings]
            close = _close(unknown[0].partition("=")[0], known)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{close}")
        return found, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in (*action.choices, argparse.SUPPRESS):
            choices = ", ".join(map(str, action.choices))
            close = _close(str(value), list(map(str, action.choices)))
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}{close} (choose from {choices})")


def _close(word: str, known: Sequence[str]) -> str:
    """Ask whether another word was meant, if one is close."""
    close = get_close_matches(word, known, 1)
    return f", did you mean {close[0]}?" if close else ""


def given(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> frozenset[str]:
    """Name the options and arguments that are on a command line, those left at their defaults aside.

    Parameters
    ----------
    parser : ArgumentParser
        It has no defaults afterwards.
    arguments : sequence of str or None
        As `parse_args` takes them, and has taken them before.
    """
    for one in with_commands(parser):
        one._defaults.clear()
        for action in one._actions:
            action.default = argparse.SUPPRESS
    return frozenset(vars(parser.parse_args(arguments))) - {"command"}


def with_commands(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Give a parser and those of its commands."""
    groups = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return [parser, *(command for group in groups for command in group.choices.values())]


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
        print(f"lmul: {one_line(error.told(option))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
