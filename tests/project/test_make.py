"""Every target of the Makefile starts, the long ones with a few of their cases.

They run in a copy of the sources, in a directory with a space in its name: some write into what is tracked.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.project.documents import SECONDS

MAKEFILE = (ROOT / "Makefile").read_text()

IN_CI = set(re.findall(r"^make ([\w-]+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE))
"""Targets that run there as they are."""

SMALL = {
    "all": ["ARGS=--seeds 1 --precision 20"],
    "demo": [],  # What `all` does.
    "test-long": ["ARGS=-n 0 -k directory_of_any_name[space]"],
    "test-full": ["ARGS=-n 0 -k every_policy_and_pipeline[e2m1-0]"],
    "test-exhaustive": ["ARGS=--format e2m1 --mul lmul"],
    "coverage": ["MULTIPLIERS=exact", "DOT_ACCUMULATORS=", "DATAFLOWS="],
    "formal": ["ARGS=--only 'as specified lmul_e2m1_dot2_acc_fixed5p1'"],
    "mutants": ["ARGS=--only 'multiplier: lmul' --most 3"],
    "accuracy": ["SUITES=bias", "TOKENS=32", "ARGS=--compare lmul"],
    "bench": ["BENCHES=simulation"],
    "figures": ["ARGS=products"],
    "format": [],
    "clean": [],
    "distclean": [],
}
"""What is said to each other target."""


def test_every_target_is_started() -> None:
    (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    targets = set(phony.replace("\\\n", " ").split())
    assert IN_CI | SMALL.keys() == targets
    assert IN_CI.isdisjoint(SMALL)


@pytest.mark.commands
@pytest.mark.parametrize("target", [target for target in SMALL if target != "demo"])
def test_a_target_starts(target: str, tmp_path: Path) -> None:
    if target == "accuracy" and not Path(sys.prefix, "llm").exists():
        pytest.skip("needs make .venv/llm")
    place = tmp_path / "a b"
    left = shutil.ignore_patterns("build", "_build", ".venv", ".git", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, place, symlinks=True, ignore=left)
    (place / ".venv").symlink_to(sys.prefix)
    # Variables of the make that runs this test are not meant for that one.
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", target, *SMALL[target]]
    found = subprocess.run(
        command, cwd=place, env=ours, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert found.returncode == 0, (found.stdout + found.stderr)[-2000:]
    assert "Traceback" not in found.stderr
