"""Reading what a user names, and writing files whole or not at all."""

import fcntl
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import IO

from lmul.errors import UserError, printable

STALE_SECONDS = 600
"""Age of a temporary file that nobody can be writing any more."""

ROOM = 1 << 20
"""Bytes that a directory must take for programs not to have failed for lack of room."""

PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")
"""Paths that make and shells take as they are."""


def folder(text: str) -> Path:
    """Make the absolute path of a directory that a user named: programs that work elsewhere get it too."""
    return Path(text).absolute()


@contextmanager
def open_input(path: Path, wanted: str) -> Iterator[IO[bytes]]:
    """Open a file that a user named.

    Parameters
    ----------
    path : Path
    wanted : str
        What should have been named, for the message.

    Raises
    ------
    UserError
        There is no such file, or it is none: a pipe might keep us waiting for ever, and a device has no end.
    """
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"cannot read {str(path)!r}: it is a directory, a pipe or a device; {wanted}")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise UserError(f"cannot read {str(path)!r}: {reason(error)}; {wanted}") from None


def read_input(path: Path, wanted: str, limit: int) -> bytes:
    """Read a file that a user named.

    Parameters
    ----------
    path : Path
    wanted : str
        What should have been named, for the message.
    limit : int
        Bytes that it has at most.

    Raises
    ------
    UserError
        It cannot be read, or is larger.
    """
    with open_input(path, wanted) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise UserError(f"cannot read {str(path)!r}: it has more than {limit:,} bytes; {wanted}")
    return data


def reason(error: BaseException) -> str:
    """Say in a few words what went wrong with a file."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def check_output(path: Path, *, directory: bool = False) -> None:
    """Refuse a path that cannot be written, before any work is done for it.

    Parameters
    ----------
    path : Path
    directory : bool
        Files are to be written into it; it need not be there.

    Raises
    ------
    UserError
        It is something else, such as a device, or lies in what is no directory or must not be written.
    """
    try:
        if not directory and path.exists() and not path.is_file():
            raise UserError(f"cannot write {str(path)!r}: it is a directory, a pipe or a device; name a file")
        parent = path if directory else path.parent
        while not parent.exists() and not parent.is_symlink() and parent != parent.parent:
            parent = parent.parent
    except OSError as error:
        raise UserError(f"cannot write {str(path)!r}: {reason(error)}; name another") from None
    if not parent.is_dir():
        raise UserError(f"cannot write {str(path)!r}: {str(parent)!r} is no directory; name one")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(
            f"cannot write {str(path)!r}: {str(parent)!r} must not be written; name another directory"
        )


def write_files(directory: Path, contents: Mapping[str, str | bytes]) -> list[Path]:
    """Write files under temporary names, then rename them.

    A file that already holds its content is left alone, so that what was built from it stays valid.
    Temporary files that an earlier run left behind when it was killed are removed.

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
        The directory cannot be made or written, or a name is taken by something that is no file.
    """
    paths = [directory / name for name in contents]
    for path in paths:
        check_output(path)
    parts: dict[Path, Path] = {}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _remove_stale(directory)
        for path, content in zip(paths, contents.values(), strict=True):
            data = content.encode() if isinstance(content, str) else content
            if path.is_file() and path.read_bytes() == data:
                continue
            parts[path] = directory / f".lmul-{secrets.token_hex(8)}.part"
            with parts[path].open("xb") as file:
                file.write(data)
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        raise UserError(
            f"cannot write to {str(directory)!r}: {reason(error)}; name a directory that can be written"
        ) from None
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink(missing_ok=True)
    return paths


def write_json(path: Path, content: object) -> None:
    """Write plain values as an indented JSON file, as `write_files` writes.

    Parameters
    ----------
    path : Path
    content : object
        What `json.dumps` takes.

    Raises
    ------
    UserError
        The file cannot be written.
    """
    write_files(path.parent, {path.name: json.dumps(content, indent=2) + "\n"})


def user_cache() -> Path:
    """Give the directory for what serves all of a user's builds and can be made again.

    That is ``$LMUL_CACHE``, or ``lmul`` in ``$XDG_CACHE_HOME`` or in ``~/.cache``; where that cannot be
    written, a directory of the user's own among the temporary ones.

    Raises
    ------
    UserError
        None of them can be written.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    chosen = Path(os.environ.get("LMUL_CACHE") or base / "lmul")
    with suppress(OSError, RuntimeError):  # There may be no home.
        chosen = chosen.expanduser()
        chosen.mkdir(parents=True, exist_ok=True)
        if os.access(chosen, os.W_OK | os.X_OK):
            return chosen.resolve()
    temporary = Path(tempfile.gettempdir())
    if own := _own_folder(temporary):
        return own
    raise UserError(
        f"cannot write {str(chosen)!r} or {str(temporary)!r}: "
        "set LMUL_CACHE to a directory that can be written"
    )


def _own_folder(temporary: Path) -> Path | None:
    """Give a directory of the user's own among temporary ones, if it can be had."""
    own = temporary / f"lmul-{os.getuid()}"
    with suppress(OSError):
        own.mkdir(mode=0o700, exist_ok=True)
        # What others could write there would be linked into our programs.
        if own.lstat().st_uid == os.getuid() and not own.is_symlink():
            return own
    return None


def plain_path(path: Path) -> Path:
    """Give a path by which make and shells find a directory: its own, or that of a link in the user's cache.

    Parameters
    ----------
    path : Path
        Of a directory, absolute.

    Raises
    ------
    UserError
        The path holds a space or another character that they take for their own, and so do those of the
        cache and of the temporary directory.
    """
    if PLAIN.fullmatch(str(path)):
        return path
    store = _plain_store()
    if store is None:
        raise UserError(f"make cannot build in {str(path)!r}: set LMUL_CACHE to a directory without spaces")
    link = store / "links" / sha256(os.fsencode(path)).hexdigest()[:16]
    if not link.is_symlink():
        link.parent.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            link.symlink_to(path)
    return link


def _plain_store() -> Path | None:
    """Give a directory of the user's own whose path make, shells and ABC take as it is."""
    temporary = (_own_folder(Path(place)) for place in (tempfile.gettempdir(), "/tmp"))  # noqa: S108
    return next((own for own in chain([user_cache()], temporary) if own and PLAIN.fullmatch(str(own))), None)


@contextmanager
def scratch(place: Path | None = None) -> Iterator[Path]:
    """Have a directory for files that nobody needs afterwards.

    Those that killed runs have left behind are removed.

    Parameters
    ----------
    place : Path, optional
        The directory around it; by default that of temporary files, or another one where ABC, which reads
        no path with a space in it, could not work there.
    """
    if place is None:
        place = Path(tempfile.gettempdir())
        if not PLAIN.fullmatch(str(place)):
            place = _plain_store() or place
    _remove_abandoned(place)
    prefix = f"lmul-{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place, ignore_cleanup_errors=True) as name:
        own = os.open(name, os.O_RDONLY)
        try:
            fcntl.flock(own, fcntl.LOCK_SH)
            yield Path(name)
        finally:
            os.close(own)


@cache
def _remove_abandoned(temporary: Path) -> None:
    """Remove the scratch directories of processes that are gone."""
    for path in temporary.glob("lmul-*-*"):
        named = re.match(r"lmul-(\d+)-", path.name)
        if named and not _lives(int(named[1])):
            with suppress(OSError):
                abandoned = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
                try:
                    # It may be in use by a process of another machine or container.
                    fcntl.flock(abandoned, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
                finally:
                    os.close(abandoned)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def check_room(directory: Path) -> None:
    """Refuse to go on where nothing more can be written: programs that fail there do not always say why.

    Raises
    ------
    OSError
        A file of `ROOM` bytes cannot be written.
    """
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(ROOM))
    except OSError as error:
        error.filename = str(directory)
        raise


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Have a directory to ourselves: whoever else asks for it waits, and says so.

    Programs started with ``close_fds=False`` keep the lock as long as they run, even if we are killed.

    Parameters
    ----------
    directory : Path
        Made if it is not there.

    Raises
    ------
    UserError
        The directory cannot be made or written.
    """
    check_output(directory, directory=True)
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("wb") as lock:
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another run in {printable(directory)} ...", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_stale(directory: Path) -> None:
    """Remove temporary files of runs that were killed."""
    for part in directory.glob(".lmul-*.part"):
        with suppress(OSError):
            if part.lstat().st_mtime < time.time() - STALE_SECONDS:
                part.unlink()
