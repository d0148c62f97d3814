"""Matrix operands from files: the captured tiles of the package, and a user's own."""

import hashlib
import importlib.resources
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lmul.errors import UserError, printable
from lmul.files import open_input
from lmul.golden import Codes, Format, quantise

TILE_FOLDER = "smollm2"
SUFFIX = ".npz"
WANTED = f"wanted an {SUFFIX} file with arrays a (M x K) and b (K x N), as numpy.savez writes it"

LARGEST_ARRAY = 1 << 29
"""Bytes of an array, unpacked: 8192 x 16384 numbers of float32."""


@dataclass(frozen=True)
class Operands:
    """The two factors of one matrix product.

    Attributes
    ----------
    name : str
        Where they come from, such as ``layer15.q_proj``.
    a : ndarray of float32, (M, K)
        Left factor, finite.
    b : ndarray of float32, (K, N)
        Right factor, finite.
    """

    name: str
    a: npt.NDArray[np.float32]
    b: npt.NDArray[np.float32]

    @property
    def checksum(self) -> str:
        """SHA-256 of name, shapes and numbers."""
        content = hashlib.sha256()
        for matrix in (self.a, self.b):
            content.update(f"{self.name} {matrix.shape} ".encode())
            content.update(matrix.tobytes())
        return content.hexdigest()

    def codes(self, format_a: Format, format_b: Format) -> tuple[Codes, Codes]:
        """Quantise both factors, one scale a tensor.

        Parameters
        ----------
        format_a, format_b : Format
            What the codes are of.

        Returns
        -------
        tuple of two ndarrays of codes, (M, K) and (K, N)
        """
        return quantise(self.a, format_a).codes, quantise(self.b, format_b).codes


def load_operands(path: str | Path) -> Operands:
    """Read the operands of one matrix product from a ``.npz`` file.

    Parameters
    ----------
    path : str or Path
        File with arrays ``a`` (M x K) and ``b`` (K x N) of floats or integers; numbers that float32 cannot
        hold exactly are rounded to nearest.

    Returns
    -------
    Operands
        Named after the file.

    Raises
    ------
    UserError
        If the file cannot be read, or does not hold two finite matrices that can be multiplied.
    """
    path = Path(path)
    with open_input(path, WANTED) as file:
        return _read(file, printable(path.name.removesuffix(SUFFIX)), str(path))


def tile_names() -> tuple[str, ...]:
    """List the captured tiles, which `lmul.workloads.capture` describes.

    Returns
    -------
    tuple of str
        Names such as ``layer15.q_proj``, sorted.
    """
    files = (file.name for file in importlib.resources.files(__package__).joinpath(TILE_FOLDER).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX)))


def default_operands() -> tuple[Operands, ...]:
    """Read all captured tiles.

    Returns
    -------
    tuple of Operands
        In the order of `tile_names`; every number is also a float16.
    """
    folder = importlib.resources.files(__package__).joinpath(TILE_FOLDER)
    operands = []
    for name in tile_names():
        with folder.joinpath(name + SUFFIX).open("rb") as file:
            operands.append(_read(file, name, name))
    return tuple(operands)


def _read(file: IO[bytes], name: str, source: str) -> Operands:
    """Read and check operands; `source` names the file in messages."""
    arrays = _read_arrays(file, source)
    a, b = (_as_matrix(arrays[key], f"{source!r}: array {key}") for key in "ab")
    if a.shape[1] != b.shape[0]:
        raise UserError(
            f"{source!r}: a is {a.shape[0]} x {a.shape[1]} and b is {b.shape[0]} x {b.shape[1]}: "
            "a must have as many columns as b has rows"
        )
    return Operands(name, a, b)


def _read_arrays(file: IO[bytes], source: str) -> dict[str, npt.NDArray[Any]]:
    """Read arrays a and b, whatever they hold except pickles."""
    if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
        raise UserError(f"{source!r} is a single array (.npy): {WANTED}")
    file.seek(0)
    try:
        archive = np.lib.npyio.NpzFile(file, allow_pickle=False)
    # A damaged file makes NumPy and its unpackers raise almost anything.
    except Exception as error:
        raise UserError(f"{source!r} is not a whole {SUFFIX} file: {WANTED}") from error
    missing = [key for key in "ab" if key not in archive]
    if missing:
        raise UserError(f"{source!r} lacks {' and '.join(missing)}; it holds {archive.files[:8]}: {WANTED}")
    with zipfile.ZipFile(file) as members:
        _check_sizes(members, source)
    return {key: _read_array(archive, key, source) for key in "ab"}


def _check_sizes(archive: zipfile.ZipFile, source: str) -> None:
    """Refuse what would fill the memory once it is unpacked."""
    for member in archive.infolist():
        if member.file_size > LARGEST_ARRAY:
            raise UserError(
                f"{source!r}: {member.filename!r} unpacks to {member.file_size:,} bytes: "
                f"wanted {LARGEST_ARRAY:,} at most"
            )


def _read_array(archive: "np.lib.npyio.NpzFile", key: str, source: str) -> npt.NDArray[Any]:
    """Read one array of the archive."""
    try:
        with warnings.catch_warnings():
            # Of headers that Python 2 wrote, and that are read all the same.
            warnings.simplefilter("ignore")
            return np.asarray(archive[key])
    except Exception as error:
        raise UserError(
            f"{source!r}: array {key} is damaged or holds Python objects: wanted a matrix of numbers"
        ) from error


def _as_matrix(array: npt.NDArray[Any], what: str) -> npt.NDArray[np.float32]:
    """Check that an array is a finite matrix and round it to float32."""
    if array.dtype.kind not in "fiu":
        raise UserError(f"{what} is of type {array.dtype}: wanted float16, float32, float64 or integers")
    if array.ndim != 2:
        dimensions = "1 dimension" if array.ndim == 1 else f"{array.ndim} dimensions"
        raise UserError(f"{what} has {dimensions}: wanted 2")
    if array.size == 0:
        raise UserError(f"{what} is {array.shape[0]} x {array.shape[1]}: wanted at least 1 x 1")
    _refuse(np.isnan(array), what, "is not a number (NaN)")
    _refuse(np.isinf(array), what, "is infinite")
    with np.errstate(over="ignore"):
        rounded = array.astype(np.float32)
    _refuse(np.isinf(rounded), what, "is beyond the range of float32, 3.4e38")
    return rounded


def _refuse(bad: npt.NDArray[np.bool_], what: str, complaint: str) -> None:
    """Raise if any entry is bad, naming the first."""
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise UserError(
            f"{what}: entry [{row}, {column}] {complaint}, {np.count_nonzero(bad)} of {bad.size} are: "
            "wanted finite numbers"
        )
