"""Waveforms: from Verilator's VCD to the compressed FST that GTKWave and Surfer open.

Verilator could write FST itself, but to compile that it needs headers that a machine with a bare
C++ compiler does not have. pyvcd refuses the scope `$rootio` that Verilator writes, so the few
kinds of line there are in its files are read here.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from pylibfst import ffi, lib  # type: ignore[import-untyped]

from lmul.errors import UserError


def vcd_to_fst(vcd: Path, fst: Path) -> None:
    """Convert a waveform file that Verilator wrote.

    Parameters
    ----------
    vcd, fst : Path
        Source and target; the target is replaced.

    Raises
    ------
    UserError
        The target cannot be written.
    """
    writer = lib.fstWriterCreate(os.fsencode(fst), 1)
    if writer == ffi.NULL:
        raise UserError(f"cannot write {fst}: name a file in a directory that can be written")
    try:
        with vcd.open("rb") as lines:
            handles = _declare(writer, lines)
            _emit(writer, lines, handles)
    finally:
        lib.fstWriterClose(writer)


def _declare(writer: object, lines: Iterable[bytes]) -> dict[bytes, int]:
    """Copy the header: give the handle of each identifier code; variables that share one are aliases."""
    handles: dict[bytes, int] = {}
    for line in lines:
        match line.split():
            case [b"$timescale", scale, b"$end"]:
                lib.fstWriterSetTimescaleFromString(writer, scale)
            case [b"$scope", _, name, b"$end"]:
                lib.fstWriterSetScope(writer, lib.FST_ST_VCD_MODULE, name, ffi.NULL)
            case [b"$upscope", b"$end"]:
                lib.fstWriterSetUpscope(writer)
            case [b"$var", _, size, code, *name, b"$end"]:
                alias = handles.get(code, 0)
                kind = lib.FST_VT_VCD_WIRE, lib.FST_VD_IMPLICIT
                handle = lib.fstWriterCreateVar(writer, *kind, int(size), b" ".join(name), alias)
                handles.setdefault(code, handle)
            case [b"$enddefinitions", b"$end"]:
                break
    return handles


def _emit(writer: object, lines: Iterable[bytes], handles: dict[bytes, int]) -> None:
    """Copy the value changes."""
    for line in lines:
        if line.startswith(b"#"):
            lib.fstWriterEmitTimeChange(writer, int(line[1:]))
        elif line.startswith(b"b"):
            value, code = line[1:].split()
            lib.fstWriterEmitValueChange(writer, handles[code], value)
        elif line.strip():
            lib.fstWriterEmitValueChange(writer, handles[line[1:-1]], line[:1])
