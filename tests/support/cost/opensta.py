"""Runs Debian's OpenSTA."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lmul.cost.library.reader import default_liberty

with_sta = pytest.mark.skipif(shutil.which("sta") is None, reason="needs Debian's opensta")


def run_sta(script: str, directory: Path) -> str:
    """Run a script in OpenSTA and give what it prints."""
    done = subprocess.run(
        ["sta", "-no_splash", "-exit", script],
        cwd=directory,
        env=os.environ | {"LIBERTY": str(default_liberty())},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not re.search("Error|Warning", done.stdout + done.stderr), done.stdout + done.stderr
    return done.stdout
