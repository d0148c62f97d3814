"""`lmul compare`: what changed between two reports."""

import argparse
import sys

from lmul.errors import UserError
from lmul.explore.compare import compare_reports
from lmul.explore.markdown import comparison_text

MOST_PERCENT = 100


def run_compare(options: argparse.Namespace) -> int:
    """Print what changed; the status is 1 if a figure is worse.

    Parameters
    ----------
    options : argparse.Namespace
        `before`, `after`, `tolerance` and `quiet`.

    Raises
    ------
    UserError
        A file is no report, or the two have no design in common.
    """
    if not 0 <= options.tolerance <= MOST_PERCENT:
        raise UserError(f"--tolerance must be from 0 to {MOST_PERCENT} %, not {options.tolerance:g}")
    comparison = compare_reports(options.before, options.after, options.tolerance / 100)
    if not options.quiet:
        sys.stdout.write(comparison_text(comparison))
    return int(comparison.worse)
