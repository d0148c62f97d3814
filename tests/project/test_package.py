"""What is installed from the wheel and the sdist: one name, everything inside, and no compiler needed."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from tests.support.paths import ROOT

IMPORT_ALL = """
import importlib, json, pkgutil, sys
import lmul
for module in pkgutil.walk_packages(lmul.__path__, "lmul."):
    if not module.name.endswith("__main__") and not module.name.startswith("lmul.workloads.capture"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            assert not error.name.startswith("lmul"), error
from importlib.metadata import packages_distributions
known = packages_distributions()
names = {name.partition(".")[0] for name in sys.modules}
print(json.dumps(sorted({package for name in names for package in known.get(name, [])})))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build the sdist, a wheel from it, and a wheel from the tree."""
    directory = tmp_path_factory.mktemp("built")
    options = ["--no-isolation", "--outdir"]

    def build(source: Path, kind: str, *what: str) -> Path:
        command = [sys.executable, "-m", "build", *options, directory / kind, *what, source]
        subprocess.run(command, check=True, capture_output=True, cwd=directory)
        (found,) = (directory / kind).iterdir()
        return found

    # Without what builds before this one left in the tree.
    left = shutil.ignore_patterns("build", "_build", ".venv", ".git", "*.egg-info", "__pycache__")
    tree = shutil.copytree(ROOT, directory / "tree_of_sources", symlinks=True, ignore=left)
    sdist = build(tree, "sdist", "--sdist")
    shutil.unpack_archive(sdist, directory / "unpacked")
    (unpacked,) = (directory / "unpacked").iterdir()
    return {
        "sdist": sdist,
        "tree": build(tree, "tree", "--wheel"),
        "of sdist": build(unpacked, "of", "--wheel"),
    }


def files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_has_one_name_in_site_packages(built: dict[str, Path]) -> None:
    names = {name.partition("/")[0] for name in files(built["tree"])}
    assert {re.sub(r"-.*\.dist-info", "", name) for name in names} == {"lmul"}


def test_wheel_has_every_file_of_the_rooms(built: dict[str, Path]) -> None:
    found = files(built["tree"])
    if not (ROOT / ".git").exists():
        pytest.skip("needs a clone")
    listed = subprocess.run(
        ["git", "ls-files", "-s", "src/lmul"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    links = [line.split("\t")[1] for line in listed.stdout.splitlines() if line.startswith("120000")]
    rooms = {link: (ROOT / link).resolve() for link in links} | {"src/lmul": ROOT / "src/lmul"}
    for link, room in rooms.items():
        tracked = subprocess.run(["git", "ls-files"], cwd=room, capture_output=True, text=True, check=True)
        for name in tracked.stdout.splitlines():
            if (room / name).is_file():
                assert f"{link.removeprefix('src/')}/{name}" in found, name


def test_wheel_of_the_sdist_is_the_same(built: dict[str, Path]) -> None:
    first, second = files(built["tree"]), files(built["of sdist"])
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_installed_wheel_works_without_a_compiler(built: dict[str, Path], tmp_path: Path) -> None:
    for name, content in files(built["of sdist"]).items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PATH": str(tmp_path)}

    def run(*arguments: str) -> str:
        options: dict[str, Any] = {"cwd": tmp_path, "env": environment, "capture_output": True}
        return subprocess.run([sys.executable, *arguments], check=True, text=True, **options).stdout

    assert run("-c", "import lmul; print(lmul.__file__)").strip() == str(tmp_path / "site/lmul/__init__.py")
    assert "module lmul_e4m3_mul (" in run("-m", "lmul", "verilog", "mul", "-o", "-")
    assert "mitchell" in run("-m", "lmul", "list", "multipliers")
    # Multipliers of more than 16 bits are mapped with few scripts.
    assert "Area" in run(
        "-m", "lmul", "cost", "mul", "--format", "e2m15", "--seeds", "1", "--precision", "20"
    )
    run("-m", "lmul", "doctor", "--json", "doctor.json")
    findings = json.loads((tmp_path / "doctor.json").read_text())["findings"]
    assert {row["name"]: row["found"] for row in findings}["g++"] is None


def licences() -> list[tuple[str, str, str]]:
    """Give name, version and licence of each package in the document."""
    text = (ROOT / "docs/licences.md").read_text()
    return re.findall(r"^\| (\S+) \| (\S+) \| (.+) \| .+ \|$", text, re.MULTILINE)


def test_citation_is_of_this_version_and_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited.keys() >= {"cff-version", "message", "title", "abstract", "authors", "references"}
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])


def test_licences_of_all_requirements_are_told() -> None:
    told = {name.lower().replace("_", "-"): (version, licence) for name, version, licence in licences()}
    lines = (ROOT / "constraints.txt").read_text().lower().replace("_", "-").splitlines()
    pinned = dict(line.split("==") for line in lines)
    wanted = {Requirement(text).name.lower().replace("_", "-") for text in requires("lmul") or []} - {"lmul"}
    assert wanted <= told.keys()
    for name, (version, licence) in told.items():
        assert licence != "UNKNOWN"
        assert version.lower() == pinned.get(name, version.lower())
        try:
            found = distribution(name).metadata.get("License-Expression")
        except PackageNotFoundError:
            continue
        assert found in {None, licence}, name


def test_nothing_under_the_gpl_is_imported(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    imported = json.loads(result.stdout)
    assert {"numpy", "amaranth", "cocotb"} <= set(imported)
    gpl = {name for name, _, licence in licences() if re.search(r"\bA?GPL", licence)}
    assert "scapy" in gpl
    assert gpl & set(imported) == set()
