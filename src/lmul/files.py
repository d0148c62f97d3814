"""Writing files whole or not at all."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lmul.errors import UserError


def write_files(directory: Path, contents: Mapping[str, str | bytes]) -> list[Path]:
    """Write files under temporary names, then rename them.

    A file that already holds its content is left alone, so that what was built from it stays valid.

    Parameters
    ----------
    directory : Path
        Made if it is not there.
    contents : mapping of str to str or bytes
        By file name; text is written as UTF-8.

    Returns
    -------
    list of Path

    Raises
    ------
    UserError
        The directory cannot be made or written.
    """
    paths = [directory / name for name in contents]
    written: list[tuple[str, Path]] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, content in zip(paths, contents.values(), strict=True):
            data = content.encode() if isinstance(content, str) else content
            if path.is_file() and path.read_bytes() == data:
                continue
            handle, name = tempfile.mkstemp(dir=directory, prefix=".", suffix=".part")
            written.append((name, path))
            with open(handle, "wb") as file:  # noqa: PTH123
                file.write(data)
            os.chmod(name, 0o644)  # noqa: PTH101
        for name, path in written:
            os.replace(name, path)  # noqa: PTH105
    except OSError as error:
        for name, _ in written:
            Path(name).unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise UserError(
            f"cannot write to {directory}: {reason}; name a directory that can be written"
        ) from None
    return paths
