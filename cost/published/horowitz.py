"""Energy of arithmetic operations and of memory in 45 nm at 0.9 V, as Horowitz published it.

M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014. The figures are rounded and
come without the circuits, their speed or their operands. There is no fp8, no bf16 and no 16-bit integer.
"""

from dataclasses import dataclass

VOLTAGE = 0.9
"""Supply of the figures, in V."""

SEEN = "seen"
MEMORY = "memory"
PROVENANCE = {
    SEEN: "read in papers that quote the table",
    MEMORY: "widely quoted; quoted here from memory, no source at hand",
}


@dataclass(frozen=True)
class Entry:
    """A figure of the table.

    Parameters
    ----------
    picojoules : float
        Energy of one operation in pJ.
    provenance : str
        A key of `PROVENANCE`.
    """

    picojoules: float
    provenance: str


TABLE = {
    "int8 add": Entry(0.03, MEMORY),
    "int32 add": Entry(0.1, SEEN),
    "int8 mul": Entry(0.2, MEMORY),
    "int32 mul": Entry(3.1, SEEN),
    "fp16 add": Entry(0.4, MEMORY),
    "fp16 mul": Entry(1.1, MEMORY),
    "fp32 add": Entry(0.9, SEEN),
    "fp32 mul": Entry(3.7, SEEN),
}
"""Operations of the table by name."""

SRAM_PJ_PER_BYTE = 20 / 8
"""Reading a byte from an SRAM of 32 KB, of 64 bits that take 20 pJ, in pJ; from memory."""

DRAM_PJ_PER_BYTE = 1300 / 8
"""Reading a byte from DRAM, of 64 bits that take 1.3 nJ at least, in pJ; from memory."""
