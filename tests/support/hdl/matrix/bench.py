"""cocotb bench of many designs side by side: every cycle's inputs and outputs are known beforehand."""

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge

INPUTS = ("a", "b", "valid", "first", "last", "c_in")


@cocotb.test
async def outputs_are_those_of_the_models_in_every_cycle(dut: Any) -> None:
    cycles = json.loads(Path(os.environ["LMUL_CYCLES"]).read_text())
    dut.rst.value = 1
    Clock(dut.clk, 2, unit="ns").start()
    for port in INPUTS:
        getattr(dut, port).value = 0
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    edge = FallingEdge(dut.clk)
    await edge
    inputs = [getattr(dut, port) for port in INPUTS]
    for cycle, (sent, expected) in enumerate(zip(cycles["inputs"], cycles["outputs"], strict=True)):
        for handle, value in zip(inputs, sent, strict=True):
            handle.value = int(value, 16)
        await edge
        valid, c, c_mask, flags, flags_mask = (int(value, 16) for value in expected)
        wrong = [
            (int(dut.c_valid.value) ^ valid, [1] * len(cycles["names"])),
            ((int(dut.c.value) ^ c) & c_mask, cycles["out_widths"]),
            ((int(dut.c_flags.value) ^ flags) & flags_mask, [3] * len(cycles["names"])),
        ]
        for what, (difference, widths) in zip(("c_valid", "c", "c_flags"), wrong, strict=True):
            if difference:
                design = _first(difference, widths, cycles["names"])
                raise AssertionError(f"cycle {cycle}: {what} of {design} is wrong")


def _first(difference: int, widths: list[int], names: list[str]) -> str:
    """Give the name of the first design whose bits differ."""
    place = (difference & -difference).bit_length() - 1
    for width, name in zip(widths, names, strict=True):
        if place < width:
            return name
        place -= width
    raise IndexError(place)
