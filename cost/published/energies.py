"""Energies of operations and of memory, as they were published for 45 nm and for 7 nm.

The figures are rounded and come without the circuits, their speed or their operands. Neither table has fp8
or a 16-bit integer, and that of 45 nm has no bf16.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

INT16_ADD = "int16 add"
"""Name of the operation that is interpolated."""


@dataclass(frozen=True)
class EnergyTable:
    """Published energies of one process node, in pJ.

    Parameters
    ----------
    node : str
        Such as ``45 nm``.
    source : str
        Who published them, and where.
    operations : mapping of str to float
        Of one operation, by its name.
    sram_byte : float
        Of a byte read from an SRAM of 32 KB.
    dram_byte : tuple of float
        Of a byte read from DRAM: low and high end.
    """

    node: str
    source: str
    operations: Mapping[str, float]
    sram_byte: float
    dram_byte: tuple[float, float]

    @property
    def int16_add(self) -> float:
        """An interpolation, in no table: on the line through the additions of 8 and 32 bits."""
        narrow, wide = self.operations["int8 add"], self.operations["int32 add"]
        return narrow + (wide - narrow) * (16 - 8) / (32 - 8)

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain values, what is interpolated apart."""
        return asdict(self) | {"interpolated": {INT16_ADD: self.int16_add}}


HOROWITZ = EnergyTable(
    node="45 nm",
    source="Horowitz, ISSCC 2014, Fig. 1.1.9; 0.9 V",
    operations={
        "int8 add": 0.03,
        "int32 add": 0.1,
        "int8 mul": 0.2,
        "int32 mul": 3.1,
        "fp16 add": 0.4,
        "fp16 mul": 1.1,
        "fp32 add": 0.9,
        "fp32 mul": 3.7,
    },
    # 20 pJ and 1.3 to 2.6 nJ for 64 bits.
    sram_byte=20 / 8,
    dram_byte=(1300 / 8, 2600 / 8),
)
"""Those that the paper takes. Read in copies that agree: universal's cost model `generic_45nm.hpp`, and for
int32 and fp32 Table I of EIE (arXiv 1602.01528), which has half as much for a byte of an SRAM of 32 KB."""

VOLTAGE = 0.9
"""Supply of the figures of `HOROWITZ`, in V; those of 7 nm do not come with theirs."""

TPUV4I = EnergyTable(
    node="7 nm",
    source="Jouppi et al., ISCA 2021 (TPUv4i), Table 2",
    operations={
        "int8 add": 0.007,
        "int32 add": 0.03,
        "int8 mul": 0.07,
        "int32 mul": 1.48,
        "bf16 add": 0.11,
        "bf16 mul": 0.21,
        "fp16 add": 0.16,
        "fp16 mul": 0.34,
        "fp32 add": 0.38,
        "fp32 mul": 1.31,
    },
    # 8.5 pJ and, of HBM2, 250 to 450 pJ for 64 bits.
    sram_byte=8.5 / 8,
    dram_byte=(250 / 8, 450 / 8),
)
"""The same operations in a process of today. Read in copies that agree."""

TABLES = (HOROWITZ, TPUV4I)
