"""`lmul completion`: a script for a shell, made from the options of the commands."""

import argparse
from pathlib import Path

import shtab

from lmul.host.files import folder
from lmul.terminal.parser import with_commands


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Write the script that completes commands, options and names of files.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command line; its options for paths are marked as such.
    shell : str
        ``bash``, ``zsh`` or ``fish``.
    """
    for command in with_commands(parser):
        for action in command._actions:
            if action.type in {Path, folder} or action.dest == "output":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    text: str = shtab.complete(parser, shell)
    return text.rstrip("\n") + "\n"
