"""Matrix operands from files: the captured tiles of the package, and a user's own."""

import hashlib
import importlib.resources
import io
import math
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lmul.errors import Parameter, UserError, printable
from lmul.golden import BF16, E5M2, Arithmetic, Codes, Format, Integer, decode
from lmul.golden.formats.codec import Rounding
from lmul.golden.formats.quantise import BLOCK_SCALINGS, Quantised
from lmul.golden.scaled import quantise_factor, usual_scaling
from lmul.golden.sums.blocks.scales import Scales, scales_of_steps
from lmul.host.files import open_input

TILE_FOLDER = "smollm2"
SUFFIX = ".npz"
WANTED = f"wanted an {SUFFIX} file with arrays a (M x K) and b (K x N), as numpy.savez writes it"

LARGEST_ARRAY = 1 << 29
"""Bytes of an array, unpacked: 8192 x 16384 numbers of float32."""

MOST_MATRICES = 1 << 12
"""Matrix products of a file."""

DIMENSIONS = range(2, 5)

E5M2_BYTES = np.dtype([("e5m2", "u1")])
"""What stands for ml_dtypes' float8_e5m2, whose name in a file, <f1, NumPy does not read."""


@dataclass(frozen=True)
class Operands:
    """The two factors of one matrix product.

    Attributes
    ----------
    name : str
        Where they come from, such as ``layer15.q_proj``.
    a : ndarray of float32, (M, K)
        Left factor; finite, unless it was given as codes.
    b : ndarray of float32, (K, N)
        Right factor, likewise.
    scaling : str
        A name of `lmul.golden.SCALINGS`.
    given : tuple of two, each codes of the shape of its factor or None
        Factors that were given as codes, and that nothing scales.
    """

    name: str
    a: npt.NDArray[np.float32]
    b: npt.NDArray[np.float32]
    scaling: str = "tensor"
    given: tuple[Codes | None, Codes | None] = (None, None)

    @property
    def checksum(self) -> str:
        """SHA-256 of name, shapes, numbers, and how they become codes."""
        content = hashlib.sha256()
        for matrix in (self.a, self.b):
            content.update(f"{self.name} {matrix.shape} ".encode())
            content.update(matrix.tobytes())
        # Of usual operands nothing more, so that figures of earlier versions are found.
        if self.scaling != "tensor":
            content.update(self.scaling.encode())
        for side, codes in enumerate(self.given):
            if codes is not None:
                content.update(f"codes {side} {codes.dtype}".encode() + codes.tobytes())
        return content.hexdigest()

    @property
    def longest_sum(self) -> int:
        """Products that hardware adds up: K, or those of a block, whose sums are scaled and then added."""
        depth = int(self.a.shape[1])
        return min(depth, BLOCK_SCALINGS.get(self.scaling, depth))

    def quantised(
        self, format_a: Format, format_b: Format, rounding: Rounding = "nearest"
    ) -> tuple[Quantised, Quantised]:
        """Give both factors as codes and their scales; those that were given as codes have scale 1."""
        return self._quantised(
            Arithmetic(format=format_a, format_b=format_b, mul="exact"), rounding, self.scaling
        )

    def _quantised(self, spec: Arithmetic, rounding: Rounding, scaling: str) -> tuple[Quantised, Quantised]:
        x, y = (
            Quantised(codes, np.float64(1.0))
            if codes is not None
            else quantise_factor(reals, side, spec, rounding, scaling)
            for side, (reals, codes) in enumerate(zip((self.a, self.b), self.given, strict=True))
        )
        return x, y

    def codes(self, format_a: Format, format_b: Format) -> tuple[Codes, Codes]:
        """Give both factors as codes.

        Parameters
        ----------
        format_a, format_b : Format
            What the codes are of.

        Returns
        -------
        tuple of two ndarrays of codes, (M, K) and (K, N)
        """
        x, y = self.quantised(format_a, format_b)
        return x.codes, y.codes

    def scaled(self, spec: Arithmetic) -> tuple[Codes, Codes, Scales]:
        """Give both factors as codes, and their scales in every step of an arithmetic with block scales.

        They are quantised as its blocks usually are, unless another scaling than `tensor` is asked for.
        Factors that were given as codes have scales of 1.

        Raises
        ------
        ValueError
            The scaling has no such blocks.
        """
        scale, depth = spec.block_scale, self.a.shape[1]
        if scale is None:
            raise ValueError("spec must have a block scale")
        x, y = self._quantised(
            spec, "nearest", usual_scaling(spec) if self.scaling == "tensor" else self.scaling
        )
        blocks = -(-depth // scale.block)
        first = np.broadcast_to(scale.codes(x.scale, spec.formats[0]), (len(x.codes), blocks))
        second = np.broadcast_to(scale.codes(y.scale, spec.formats[1]), (blocks, y.codes.shape[1]))
        steps = scales_of_steps(first, depth, spec), scales_of_steps(second.T, depth, spec).T
        return x.codes, y.codes, Scales(*steps)

    def products(self, format_a: Format, format_b: Format) -> list[tuple[Codes, Codes]]:
        """Give the matrix products of codes that hardware computes: one, or one for each block along K."""
        a, b = self.codes(format_a, format_b)
        step = self.longest_sum
        return [(a[:, k : k + step], b[k : k + step]) for k in range(0, a.shape[1], step)]


def load_operands(
    path: str | Path,
    *,
    formats: tuple[Format, Format] | None = None,
    codes: bool = False,
    scaling: str = "tensor",
) -> tuple[Operands, ...]:
    """Read the operands of matrix products from a ``.npz`` file.

    Parameters
    ----------
    path : str or Path
        File with arrays ``a`` (M x K) and ``b`` (K x N), or with several pairs such as ``q_a`` and ``q_b``,
        of floats or integers; numbers that float32 cannot hold exactly are rounded to nearest. Up to two
        axes in front, of batches and heads, are broadcast as by `numpy.matmul`; each matrix of them has
        scales of its own. Arrays of ml_dtypes come as bytes without a name: two of them are a bfloat16, one
        is a bit pattern of `formats`.
    formats : tuple of two Format, optional
        Of codes in the file.
    codes : bool
        Arrays hold bit patterns of `formats`, not numbers.
    scaling : str
        How numbers become codes: a name of `lmul.golden.SCALINGS`.

    Returns
    -------
    tuple of Operands
        One for each matrix product, named after the file, the pair and the place in a batch.

    Raises
    ------
    UserError
        If the file cannot be read, or does not hold finite matrices that can be multiplied, or bit patterns.
    """
    path = Path(path)
    with open_input(path, WANTED) as file:
        reader = _Reader(str(path), formats, codes, scaling)
        return reader.read(file, printable(path.name.removesuffix(SUFFIX)))


def tile_names() -> tuple[str, ...]:
    """List the captured tiles, which `lmul.workloads.capture` describes.

    Returns
    -------
    tuple of str
        Names such as ``layer15.q_proj``, sorted.
    """
    files = (file.name for file in importlib.resources.files(__package__).joinpath(TILE_FOLDER).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX)))


def default_operands(scaling: str = "tensor") -> tuple[Operands, ...]:
    """Read all captured tiles.

    Parameters
    ----------
    scaling : str
        A name of `lmul.golden.SCALINGS`.

    Returns
    -------
    tuple of Operands
        In the order of `tile_names`; every number is also a float16.
    """
    folder = importlib.resources.files(__package__).joinpath(TILE_FOLDER)
    operands: list[Operands] = []
    for name in tile_names():
        with folder.joinpath(name + SUFFIX).open("rb") as file:
            operands += _Reader(name, None, False, scaling).read(file, name)
    return tuple(operands)


@dataclass(frozen=True)
class _Reader:
    """How a file's arrays become operands; `source` names the file in messages."""

    source: str
    formats: tuple[Format, Format] | None
    codes: bool
    scaling: str

    def read(self, file: IO[bytes], name: str) -> tuple[Operands, ...]:
        """Read and check all operands of a file."""
        found: list[Operands] = []
        for key, a, b in _read_pairs(file, self.source):
            prefix = f"{key}_" if key else ""
            factors = [
                self._factor(array, side, f"{self.source!r}: array {prefix}{'ab'[side]}")
                for side, array in enumerate((a, b))
            ]
            found += self._matrices(f"{name}.{key}" if key else name, *factors)
            self._check_count(len(found))
        return tuple(found)

    def _matrices(self, name: str, a: "_Factor", b: "_Factor") -> Iterator[Operands]:
        """Cut a pair of stacks into the factors of each matrix product."""
        shapes = a.reals.shape, b.reals.shape
        sizes = "a is {} and b is {}".format(*(" x ".join(map(str, shape)) for shape in shapes))
        if shapes[0][-1] != shapes[1][-2]:
            raise UserError(f"{self.source!r}: {sizes}: a must have as many columns as b has rows")
        try:
            axes = np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2])
        except ValueError:
            raise UserError(f"{self.source!r}: {sizes}: batches must be of one size, or of 1") from None
        self._check_count(math.prod(axes))
        coded = any(factor.codes is not None for factor in (a, b))
        if coded and self.scaling != "tensor":
            unscaled = f"{self.source!r} holds bit patterns, which nothing scales: leave "
            raise UserError(unscaled, Parameter("scaling"), " out")
        a, b = a.stacked(axes), b.stacked(axes)
        for index in np.ndindex(axes):
            place = f"[{','.join(map(str, index))}]" if index else ""
            x, y = a.matrix(index), b.matrix(index)
            yield Operands(name + place, x.reals, y.reals, self.scaling, (x.codes, y.codes))

    def _check_count(self, matrices: int) -> None:
        if matrices > MOST_MATRICES:
            raise UserError(
                f"{self.source!r} holds more than {MOST_MATRICES:,} matrix products: wanted fewer"
            )

    def _factor(self, array: npt.NDArray[Any], side: int, what: str) -> "_Factor":
        """Check one array."""
        _check_type(array, what)
        _check_shape(array, what)
        format_ = self.formats[side] if self.formats else None
        own = E5M2 if array.dtype == E5M2_BYTES else None
        if format_ and (self.codes or own == format_ or _is_bytes(array, 1)):
            if own not in (None, format_):
                raise UserError(
                    f"{what} holds numbers of ml_dtypes' float8_e5m2, no bit patterns of {format_.name}"
                )
            codes = _as_codes(array, format_, what)
            return _Factor(decode(codes, format_), codes)
        if own:
            array = decode(array["e5m2"], own)
        elif _is_bytes(array, 2):
            array = decode(array.view("<u2"), BF16)
        return _Factor(_as_reals(array, what), None)


@dataclass(frozen=True)
class _Factor:
    """One operand of all matrix products of a pair: (..., M, K) or (..., K, N)."""

    reals: npt.NDArray[np.float32]
    codes: Codes | None

    def stacked(self, axes: tuple[int, ...]) -> "_Factor":
        """Give as many matrices as the pair has products."""
        shape = axes + self.reals.shape[-2:]
        codes = None if self.codes is None else np.broadcast_to(self.codes, shape)
        return _Factor(np.broadcast_to(self.reals, shape), codes)

    def matrix(self, index: tuple[int, ...]) -> "_Factor":
        """Give one of them."""
        return _Factor(self.reals[index], None if self.codes is None else self.codes[index])


def _read_pairs(file: IO[bytes], source: str) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]:
    """Read pairs of arrays, whatever they hold but pickles: the name that they have in common, a and b."""
    if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
        raise UserError(f"{source!r} is a single array (.npy): {WANTED}")
    file.seek(0)
    try:
        archive = np.lib.npyio.NpzFile(file, allow_pickle=False)
    # A damaged file makes NumPy and its unpackers raise almost anything.
    except Exception as error:
        raise UserError(f"{source!r} is not a whole {SUFFIX} file: {WANTED}") from error
    names = _pair_names(archive.files)
    missing = [key for pair in names.values() for key in pair if key not in archive]
    if missing:
        raise UserError(f"{source!r} lacks {' and '.join(missing)}; it holds {archive.files[:8]}: {WANTED}")
    with zipfile.ZipFile(file) as members:
        _check_sizes(members, source)
    for name, (a, b) in names.items():
        yield name, _read_array(archive, a, source), _read_array(archive, b, source)


def _pair_names(arrays: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Give the names of the arrays of each pair, by what they have in common; a and b where there is none."""
    stems = [name[:-2] for name in arrays if name[-2:] in ("_a", "_b") and name[:-2]]
    named = {stem: (f"{stem}_a", f"{stem}_b") for stem in stems}
    plain = {"": ("a", "b")} if not named or {"a", "b"}.intersection(arrays) else {}
    return plain | named


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
            return _read_member(archive, key)
    except Exception as error:
        raise UserError(
            f"{source!r}: array {key} is damaged or holds Python objects: wanted a matrix of numbers"
        ) from error


def _read_member(archive: "np.lib.npyio.NpzFile", key: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(archive[key])
    except ValueError:
        # ml_dtypes' float8_e5m2 calls itself <f1, which no reader knows; its header is the same but for that.
        content = archive.zip.read(f"{key}.npy")  # type: ignore[union-attr]
        known = content.replace(b"'<f1'", b"'|u1'", 1)
        if known == content:
            raise
        return np.lib.format.read_array(io.BytesIO(known), allow_pickle=False).view(E5M2_BYTES)


def _as_reals(array: npt.NDArray[Any], what: str) -> npt.NDArray[np.float32]:
    """Check that an array holds finite numbers and round it to float32."""
    if _is_bytes(array, 1):
        raise UserError(
            f"{what} has bytes of no type that NumPy knows, such as ml_dtypes' fp8: "
            "wanted float16, float32, float64 or integers"
        )
    _refuse(np.isnan(array), what, "is not a number (NaN)")
    _refuse(np.isinf(array), what, "is infinite")
    with np.errstate(over="ignore"):
        rounded = array.astype(np.float32)
    _refuse(np.isinf(rounded), what, "is beyond the range of float32, 3.4e38")
    return rounded


def _as_codes(array: npt.NDArray[Any], format_: Format, what: str) -> Codes:
    """Check that an array holds bit patterns of a format."""
    size = format_.dtype.itemsize
    if array.dtype == E5M2_BYTES or _is_bytes(array, size):
        array = np.ascontiguousarray(array).view(format_.dtype)
    elif array.dtype.kind not in "iu":
        raise UserError(
            f"{what} is of type {array.dtype}: bit patterns of {format_.name} are integers, "
            f"or {size} byte{'s' * (size > 1)} each as ml_dtypes saves them"
        )
    # A negative integer stands for its own bit pattern.
    first, last = -format_.sign_mask if isinstance(format_, Integer) else 0, (1 << format_.width) - 1
    _refuse(
        (array < first) | (array > last),
        what,
        f"is no bit pattern of {format_.name}",
        f"integers from {first} to {last}",
    )
    return (array.astype(np.int64) & last).astype(format_.dtype)


def _is_bytes(array: npt.NDArray[Any], size: int) -> bool:
    """Tell whether entries are so many bytes without a meaning, as those of ml_dtypes come out of a file."""
    return array.dtype.kind == "V" and array.dtype.names is None and array.dtype.itemsize == size


def _check_type(array: npt.NDArray[Any], what: str) -> None:
    """Refuse what stands for no numbers."""
    named = array.dtype.kind in "fiu" or array.dtype == E5M2_BYTES
    if not (named or _is_bytes(array, 1) or _is_bytes(array, 2)):
        raise UserError(f"{what} is of type {array.dtype}: wanted float16, float32, float64 or integers")


def _check_shape(array: npt.NDArray[Any], what: str) -> None:
    """Refuse what is neither a matrix nor a stack of them."""
    if array.ndim not in DIMENSIONS:
        plural = "" if array.ndim == 1 else "s"
        raise UserError(
            f"{what} has {array.ndim} dimension{plural}: wanted 2, or up to 4 with batches and heads in front"
        )
    if array.size == 0:
        raise UserError(f"{what} is {' x '.join(map(str, array.shape))}: wanted at least 1 x 1")


def _refuse(bad: npt.NDArray[np.bool_], what: str, complaint: str, wanted: str = "finite numbers") -> None:
    """Raise if any entry is bad, naming the first."""
    if bad.any():
        entry = ", ".join(map(str, np.argwhere(bad)[0]))
        raise UserError(
            f"{what}: entry [{entry}] {complaint}, {np.count_nonzero(bad)} of {bad.size} are: wanted {wanted}"
        )
