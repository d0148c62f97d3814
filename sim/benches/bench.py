"""What every bench shares: the design and operands that it was started with, its report."""

import atexit
import gc
import json
import os
import resource
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge
from numpy.typing import NDArray

from lmul.design import Design, make_design
from lmul.golden.sums.blocks.scales import Scales
from lmul.sim.coverage.products import Group
from lmul.sim.stimulus.scales import seeded_scales

PERIOD_NS = 2

SETTLING_CYCLES = 4
"""Latencies of a design to wait after the last result for one that nobody asked for."""

CONTROL = {
    "mul": ("a", "b"),
    "dot": ("in_valid",),
    "dot_stream": ("s_axis_tvalid", "m_axis_tready"),
    "array": ("s_axis_a_tvalid", "s_axis_b_tvalid", "m_axis_c_tready"),
}
"""The inputs that count in every cycle, by `Design.bench`."""

OUTPUTS = {
    "mul": ("p",),
    "dot": ("c", "c_valid", "c_flags"),
    "dot_stream": ("s_axis_tready", "m_axis_tdata", "m_axis_tvalid", "m_axis_tuser"),
    "array": (
        "s_axis_a_tready",
        "s_axis_b_tready",
        "m_axis_c_tdata",
        "m_axis_c_tvalid",
        "m_axis_c_tlast",
        "m_axis_c_tuser",
    ),
}
"""The outputs by `Design.bench`."""

PROGRESS_SECONDS = 0.2
"""Between reports of progress: files are slow."""

_reported = {"at": 0.0}

MUTANT_CPU_SECONDS = 60
"""A simulation with a fault hangs if it takes longer."""


@cache
def design() -> Design:
    """Give the design under test."""
    return make_design(**json.loads(os.environ["LMUL_DESIGN"]))


def matrices() -> Iterator[tuple[NDArray[Any], NDArray[Any], Scales | None]]:
    """Give the matrix products to compute, as codes: (M, K) and (K, N), and the scales of their steps."""
    with np.load(os.environ["LMUL_STIMULUS"]) as arrays:
        for index in range(sum(name.startswith("a") for name in arrays.files)):
            a, b = arrays[f"a{index}"], arrays[f"b{index}"]
            if f"scales_a{index}" in arrays:
                yield a, b, Scales(arrays[f"scales_a{index}"], arrays[f"scales_b{index}"])
            else:
                yield a, b, seeded_scales(design(), a, b)


def starts() -> NDArray[Any]:
    """Give what the dot products of rows and columns of one place begin with, codes of fp32."""
    with np.load(os.environ["LMUL_STIMULUS"]) as arrays:
        return np.asarray(arrays["starts"])


def seed() -> int:
    """Give the seed of whatever a test case draws."""
    return int(cocotb.RANDOM_SEED)


def clock_of(dut: Any) -> Any:
    """Give the port of the clock."""
    return getattr(dut, design().clock_name)


class Reset:
    """The port of the reset, whatever its name and level.

    Parameters
    ----------
    dut : Any
    """

    def __init__(self, dut: Any) -> None:
        self.port = getattr(dut, design().reset_name)
        self.level = design().reset_level

    def put(self, on: bool) -> None:
        """Turn it on or off."""
        self.port.value = self.level if on else 1 - self.level

    @property
    def is_on(self) -> bool:
        """Whether it is on."""
        return bool(self.port.value == self.level)


async def start_clock_and_reset(dut: Any) -> None:
    """Start the clock and hold the reset for a cycle, or for as many as a multiplier has stages.

    In a simulation with unknown values no output may be unknown from then on.
    """
    # Imported modules and operands stay: the garbage collector would walk through them again and again.
    gc.freeze()
    fork_mutants(dut)
    reset = Reset(dut)
    reset.put(True)
    for name in CONTROL[design().bench]:
        getattr(dut, name).value = 0
    Clock(clock_of(dut), PERIOD_NS, unit="ns").start(start_high=False)
    await ClockCycles(clock_of(dut), design().pipeline if design().kind == "mul" else 1)
    reset.put(False)
    if os.environ["LMUL_FOUR_STATE"]:
        cocotb.start_soon(refuse_unknown(dut))


async def refuse_unknown(dut: Any) -> None:
    """Fail as soon as an output has an unknown bit in the middle of a cycle."""
    outputs = {name: getattr(dut, name) for name in OUTPUTS[design().bench]}
    edge = FallingEdge(clock_of(dut))
    while True:
        await edge
        for name, port in outputs.items():
            if not port.value.is_resolvable:
                raise AssertionError(f"{name} gave {port.value}, which is unknown, after the reset")


def fork_mutants(dut: Any) -> None:
    """In a netlist with faults, go on in one process for each of them, and here with none.

    Whatever a fault does, it stays in its process; what was imported and computed before is shared.
    """
    mutants = json.loads(os.environ.pop("LMUL_MUTANTS", "[]"))
    results = Path(os.environ["COCOTB_RESULTS_FILE"])
    running = 0
    for done, number in enumerate(mutants):
        if running == os.cpu_count():
            os.wait()
            running -= 1
        if os.fork() == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (MUTANT_CPU_SECONDS, MUTANT_CPU_SECONDS))
            os.environ["COCOTB_RESULTS_FILE"] = str(results.with_name(f"mutant{number}.xml"))
            os.environ["LMUL_PROGRESS"] = os.devnull
            # Verilator's own end would wait for a thread that only the parent has.
            atexit.register(os._exit, 0)
            dut.mutant.value = number
            return
        running += 1
        report_progress(done, len(mutants))
    for _ in range(running):
        os.wait()
    if mutants:
        dut.mutant.value = 0


def report_progress(done: int, total: int) -> None:
    """Tell the parent process how far the bench is, not more often than it looks."""
    now = time.monotonic()
    if done == total or now >= _reported["at"] + PROGRESS_SECONDS:
        _reported["at"] = now
        Path(os.environ["LMUL_PROGRESS"]).write_text(f"{done} {total}")


def report_result(
    *,
    compared: int,
    products: int,
    cycles: int = 0,
    busy: int = 0,
    window: int = 0,
    stimulus: str = "",
    coverage: Sequence[Group] = (),
) -> None:
    """Tell the parent process what was counted; the fields are those of `lmul.sim.simulate.Simulation`."""
    result: dict[str, Any] = {}
    result |= {"compared": compared, "products": products, "cycles": cycles, "busy": busy, "window": window}
    result |= {"stimulus": stimulus, "coverage": [group.as_plain() for group in coverage]}
    Path(os.environ["LMUL_RESULT"]).write_text(json.dumps(result))
