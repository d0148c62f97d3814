"""The files of a unit under plain names: programs that read Verilog have no quoting that covers all."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lmul.host.files import scratch, write_files
from lmul.sim.rtl.unit import Unit

WRAPPER = "lmul_rtl.sv"
"""The last of the sources: a module around the unit."""


@dataclass(frozen=True)
class Sources:
    """A directory with links to the files and folders of a unit.

    Parameters
    ----------
    unit : Unit
    directory : Path
    files : tuple of str
        Links to the unit's files, in their order.
    folders : tuple of str
        Links to the folders of included files.
    """

    unit: Unit
    directory: Path
    files: tuple[str, ...]
    folders: tuple[str, ...]

    def wrap(self, text: str) -> Path:
        """Write the module around the unit."""
        (path,) = write_files(self.directory, {WRAPPER: text})
        return path

    @property
    def options(self) -> list[str]:
        """Defines and folders, as Yosys and Verilator take them."""
        defines = [f"-D{name}={value}" for name, value in self.unit.defines.items()]
        return [*defines, *(f"-I{folder}" for folder in self.folders)]

    def told(self, message: str) -> str:
        """Name the unit's files in a message as the user did."""
        for link, path in zip(self.files, self.unit.files, strict=True):
            # slang follows links, and counts from where it runs.
            followed = os.path.relpath(path.resolve(), self.directory.resolve())
            message = re.sub(
                rf"(?<![\w/])(\./)?({re.escape(link)}|{re.escape(followed)})(?!\w)", str(path), message
            )
        return message

    @property
    def modules(self) -> list[str]:
        """Names of the modules that the files define."""
        texts = (path.read_text(encoding="utf-8", errors="replace") for path in self.unit.files)
        return [name for text in texts for name in re.findall(r"^\s*module\s+(\w+)", text, re.MULTILINE)]


@contextmanager
def linked(unit: Unit) -> Iterator[Sources]:
    """Have a directory with the sources of a unit, for as long as they are needed.

    Parameters
    ----------
    unit : Unit
        Its files are read as SystemVerilog, but those whose names end in ``.v`` by Verilator as it likes.
    """
    with scratch() as directory:
        folders = dict.fromkeys([*unit.include, *(path.parent for path in unit.files)])
        files = [f"source{number}{_suffix(path)}" for number, path in enumerate(unit.files)]
        _link(directory, files, unit.files)
        names = [f"folder{number}" for number in range(len(folders))]
        _link(directory, names, list(folders))
        yield Sources(unit, directory, tuple(files), tuple(names))


def _suffix(path: Path) -> str:
    return ".v" if path.suffix == ".v" else ".sv"


def _link(directory: Path, names: Sequence[str], paths: Sequence[Path]) -> None:
    for name, path in zip(names, paths, strict=True):
        (directory / name).symlink_to(path.absolute())
