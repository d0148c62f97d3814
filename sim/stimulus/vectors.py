"""Steps of tensor cores, measured on GPUs or of a model: their files, and how the units were called."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.errors import UserError
from lmul.golden import FP32, Arithmetic, Format, encode, find_format, fused_step
from lmul.golden.accumulators import FP8, UNITS, tensor_core
from lmul.golden.formats.codec import Overflow
from lmul.golden.formats.format import as_codes
from lmul.golden.sums.blocks.scales import Scales
from lmul.host.files import open_input, read_input

WANTED = (
    "wanted an .npz file with arrays NAME/FORMAT/a, b, c and d, or a folder with texts such as "
    "H100/E4M3/a_H100_E4M3.txt"
)

GPUS = {
    **{unit: unit for unit in UNITS},
    **dict.fromkeys(("a2", "a30", "a40"), "a100"),
    "l40s": "ada",
    "h200": "h100",
}
"""Names of GPUs in files, and whose units they have."""

SCALED = {"mxfp8": ("mx", "b200", 32), "mxfp4": ("mxfp4", "fused:35", 64), "nvfp4": ("nvfp4", "fused:35", 64)}
"""Units with block scales by the second half of their names: the kind of scale, the sum, and lanes."""

LONGEST_TEXT = 1 << 27
"""Bytes of a text: twelve million words."""

Codes32 = NDArray[np.uint32]


@dataclass(frozen=True)
class Steps:
    """Steps of a unit.

    Parameters
    ----------
    name : str
        Such as `h100/e4m3`, `b200-fp8/e4m3xe5m2` or `a100/tf32`.
    a, b : ndarray of codes, shape (steps, K)
        With more products than the unit has lanes it takes several steps, one after the other.
    c, d : ndarray of codes of fp32, shape (steps,)
        What was added, and what came out.
    scales : Scales or None
        Of a unit with block scales: those of every block, of shape (steps, blocks) both.
    """

    name: str
    a: NDArray[Any]
    b: NDArray[Any]
    c: Codes32
    d: Codes32
    scales: Scales | None = None

    @property
    def added_afterwards(self) -> bool:
        """Whether the unit began from 0 and c was added in fp32, as was measured of B200 in fp8."""
        unit, _, format_ = self.name.partition("/")
        return unit == "b200" and format_ in FP8

    @property
    def start(self) -> Codes32:
        """What the unit's sums began with."""
        return np.zeros_like(self.c) if self.added_afterwards else self.c

    def modelled(self, unit: Arithmetic) -> Codes32:
        """Give the sums of the golden model, of as many steps of a unit's lanes as there are products."""
        total = self.start
        for number, first in enumerate(range(0, self.a.shape[1], unit.lanes)):
            part = slice(first, first + unit.lanes)
            total = fused_step(self.a[:, part], self.b[:, part], total, unit, *self._scales(number, unit))
        return total

    def _scales(self, step: int, unit: Arithmetic) -> list[NDArray[Any]]:
        """Give the scales of a step of both operands, none without any."""
        part = slice(step * unit.scales_a_step, (step + 1) * unit.scales_a_step)
        return [codes[:, part] for codes in self.scales] if self.scales else []

    def results(self, sums: Codes32) -> Codes32:
        """Make of a unit's sums what is to be compared with `d`: NaN is the canonical one.

        Parameters
        ----------
        sums : ndarray of codes of fp32, shape (steps,)
        """
        if self.added_afterwards:
            with np.errstate(over="ignore", invalid="ignore"):
                sums = (sums.view(np.float32) + self.c.view(np.float32)).view(np.uint32)
        return canonical(sums)


def arithmetic(name: str, mul: str = "exact") -> Arithmetic:
    """Give the arithmetic of the unit that a combination is of.

    Raises
    ------
    UserError
        There is no such unit.
    """
    unit, _, formats = name.partition("/")
    gpu, _, kind = unit.partition("-")
    if gpu not in GPUS:
        raise UserError(f"{name!r} is of no unit that is known: it must be one of {', '.join(GPUS)}")
    first, *others = (find_format("e8m10" if word == "tf32" else word) for word in formats.split("x"))
    second = others[0] if others else first
    scale, acc, lanes = SCALED.get(kind, ("none", GPUS[gpu], 0))
    return Arithmetic(
        format=first,
        format_b=None if first == second else second,
        mul=mul,
        acc=acc,
        lanes=lanes or tensor_core(acc, (first, second))[2],
        out="raw",
        subnormals="full",
        scale=scale,
    )


def canonical(codes: Codes32) -> Codes32:
    """Give codes of fp32 with one NaN."""
    nan = (codes & 0x7FFFFFFF) > 0x7F800000
    return np.where(nan, np.uint32(0x7FC00000), codes)


def combinations(path: Path) -> list[str]:
    """Name the units and formats that there are steps of.

    Parameters
    ----------
    path : Path
        An .npz file, or a folder of texts as north-numerical-computing/MATLAB-tensor-core has them.

    Raises
    ------
    UserError
        It is neither, or has none.
    """
    if path.is_dir():
        names = sorted(_texts(path))
    else:
        arrays = _arrays(path)
        names = sorted({key.rpartition("/")[0] for key in arrays if key.count("/") == 2})
    if not names:
        raise UserError(f"{str(path)!r} has no steps of tensor cores: {WANTED}")
    return names


def read_steps(path: Path, name: str) -> Steps:
    """Read the steps of one of the `combinations`.

    Raises
    ------
    UserError
        Something is missing, damaged, or of another shape.
    """
    read = _read_texts if path.is_dir() else _read_arrays
    a, b, c, d, *scales = read(path, name)
    if a.ndim != 2 or a.shape != b.shape or not c.shape == d.shape == (len(a),):
        shapes = ", ".join(f"{part.shape}" for part in (a, b, c, d))
        raise UserError(f"{str(path)!r}: {name} has shapes {shapes}: wanted (S, K) twice, then (S,)")
    unit = arithmetic(name)
    try:
        codes = [as_codes(part, format_) for part, format_ in zip((a, b), unit.formats, strict=True)]
        return Steps(name, codes[0], codes[1], _fp32(c), _fp32(d), _scales_of(a, scales, unit))
    except ValueError as error:
        raise UserError(f"{str(path)!r}: {name} has no such codes: {error}") from None


def _scales_of(a: NDArray[Any], scales: list[NDArray[Any]], unit: Arithmetic) -> Scales | None:
    """Give the scales of every block of steps, None of a unit without any."""
    if unit.block_scale is None:
        return None
    shape = len(a), -(-a.shape[1] // unit.block_scale.block)
    first, second = (
        unit.block_scale.as_codes(codes, name, shape)
        for codes, name in zip(scales, ("sa", "sb"), strict=True)
    )
    return Scales(first, second)


def _fp32(codes: NDArray[Any]) -> Codes32:
    return as_codes(codes, FP32).astype(np.uint32)


def _arrays(path: Path) -> list[str]:
    with open_input(path, WANTED) as file:
        try:
            return [*np.lib.npyio.NpzFile(file, allow_pickle=False)]
        # A damaged file makes NumPy and its unpackers raise almost anything.
        except Exception as error:
            raise UserError(f"{str(path)!r} is not a whole .npz file: {WANTED}") from error


def _read_arrays(path: Path, name: str) -> list[NDArray[Any]]:
    parts = ["a", "b", "c", "d", *(["sa", "sb"] if arithmetic(name).block_scale else [])]
    with open_input(path, WANTED) as file:
        try:
            archive = np.lib.npyio.NpzFile(file, allow_pickle=False)
            return [np.asarray(archive[f"{name}/{part}"]) for part in parts]
        except Exception as error:
            raise UserError(f"{str(path)!r}: {name} lacks an array, or one is damaged: {WANTED}") from error


def _texts(folder: Path) -> dict[str, tuple[str, str]]:
    """Give the folders of GPUs and of formats by the names of what they have."""
    found = {}
    for path in folder.glob("*/*/d_*_fp32.txt"):
        gpu, format_ = path.parts[-3:-1]
        if gpu.lower() in GPUS:
            found[f"{gpu}/{format_}".lower()] = gpu, format_
    return found


def _read_texts(folder: Path, name: str) -> list[NDArray[Any]]:
    """Read a line a step: of a and b fp32 in hexadecimal, which was converted; of c and d one, in binary."""
    gpu, format_ = _texts(folder)[name]
    formats = arithmetic(name).formats
    inside = folder / gpu / format_
    sides = [
        _converted(_numbers(inside / f"{part}_{gpu}_{format_}.txt", 16), own)
        for part, own in zip("ab", formats, strict=True)
    ]
    d = _numbers(inside / f"d_{gpu}_fp32.txt", 2)[:, 0]
    # In fp8 these were called without c, whatever its file says.
    without = GPUS[gpu.lower()] == "h100" and format_.lower() in FP8
    c = np.zeros_like(d) if without else _numbers(inside / f"c_{gpu}_fp32.txt", 2)[:, 0]
    steps = min(len(part) for part in (*sides, c, d))
    return [part[:steps] for part in (*sides, c, d)]


def _numbers(path: Path, base: int) -> Codes32:
    """Read the numbers of a text, as many in each line."""
    lines = [
        line.split()
        for line in read_input(path, WANTED, LONGEST_TEXT).decode("ascii", "replace").splitlines()
    ]
    rows = [line for line in lines if line]
    digits = re.compile("(0x)?[0-9a-fA-F]{1,8}" if base == 16 else "[01]{32}")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]) or not all(map(digits.fullmatch, row)):
            what = "hexadecimal" if base == 16 else "32 binary digits"
            raise UserError(
                f"{str(path)!r}: line {number} is {' '.join(row)[:40]!r}: wanted {what}, as in the first"
            )
    if not rows:
        raise UserError(f"{str(path)!r} is empty: {WANTED}")
    return np.array([[int(word, base) for word in row] for row in rows], dtype=np.uint32)


def _converted(bits: Codes32, format_: Format) -> NDArray[Any]:
    """Convert fp32 as the GPUs' programs did: tf32 cut, others to nearest even, fp8 saturated."""
    if format_.name == "e8m10":
        return bits >> (FP32.mantissa_bits - format_.mantissa_bits)
    overflow: Overflow = "saturate" if format_.name in FP8 else "ieee"
    return np.asarray(encode(bits.view(np.float32), format_, "nearest", overflow))
