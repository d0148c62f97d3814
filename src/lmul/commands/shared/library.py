"""The cell library that the options of a command name."""

import argparse
import shlex

from lmul.cost.library.reader import LibraryFiles


def library_files(options: argparse.Namespace) -> LibraryFiles:
    """Give the files of `liberty` and the patterns of `dont_use`, both possibly None."""
    return LibraryFiles(tuple(options.liberty or ()), tuple(options.dont_use or ()))


def library_options(files: LibraryFiles) -> str:
    """Write the options that name a library, each behind a space."""
    words = [("--liberty", str(path)) for path in files.paths]
    words += [("--dont-use", pattern) for pattern in files.dont_use]
    return "".join(f" {option} {shlex.quote(word)}" for option, word in words)
