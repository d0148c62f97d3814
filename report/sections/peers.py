"""What others published about L-Mul in hardware, and about fp8 multipliers, with their conditions."""

from lmul.report.sections.tables import Table

_ROWS = (
    (
        "ninjakaib/hardware-accelerators (PyRTL)",
        "fp8: L-Mul 112.8 um2, multiplier 236.2, adder 466",
        "0.48 (multiplier alone), 0.82 (with the adder)",
        "OpenROAD, 45 nm, combinational; 284 finite e4m3 pairs give a NaN code",
    ),
    (
        "the same",
        "bf16: L-Mul 255.6 um2, multiplier 1,102.6, adder 1,032.9",
        "0.23, with the adder 0.60",
        "the same; its exact multiplier misrounds 2,664 of 41,916 normal results",
    ),
    (
        "the same",
        "fp32: L-Mul 702.5 um2, multiplier 6,353, adder 3,230",
        "0.11, with the adder 0.41",
        "the same",
    ),
    (
        "VUB, arXiv 2412.18948",
        "e4m3 L-Mul 22 LUT, 617 MHz, 1.34 mW; exact int8 multiplier 69 LUT, 2.32 mW",
        "0.32 of the LUTs, 0.58 of the power",
        "UltraScale+; another operation as the baseline; its errors are the formula's. "
        "In a CNN accelerator the LUTs rise by 23 %",
    ),
    (
        "FP8ApproxLib (J. Syst. Arch. 173, 2026)",
        "library of approximate fp8 multipliers",
        "",
        "FPGA; average error 53 % below plain approximation",
    ),
    (
        "Lindberg and Gustafsson, arXiv 2406.18441",
        "fp8 operations by integer operations",
        "",
        "a conditional carry makes integer addition correctly rounded: `addc` here",
    ),
    (
        "AxCore (MICRO 2025), UniCore (ISCA 2026)",
        "matrix engines of integer additions",
        "",
        "subnormal numbers and compensation of the error matter for language models",
    ),
    (
        "chatelao/ttihp-fp8-mul",
        "OCP MX multiply-accumulate: 850 cells exact, 402 by Mitchell",
        "0.47 of the cells",
        "Tiny Tapeout",
    ),
    (
        "RTLDesignSherpa math_fp8_e4m3",
        "exact e4m3 multiplier, 248 generic cells, 1,628 transistors",
        "",
        "flush to zero, NaN, flags; mapped to Nangate 45 nm: 89.9 um2, 638 ps",
    ),
)


def peers_table() -> Table:
    """Give the published figures; none of them is ours."""
    return Table(
        "peers",
        "Published by others, not measured here",
        ("who", "figures", "approximate / exact", "conditions"),
        _ROWS,
    )
