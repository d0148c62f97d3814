"""The rules of AXI4-Stream, watched while a bench does something else."""

from typing import Any

from cocotb.triggers import RisingEdge

from lmul.sim.benches import bench


async def watch_rows(dut: Any) -> None:
    """See that a row which waits for the sink stays there, as it is, until it is taken; not in a reset."""
    edge, reset = RisingEdge(bench.clock_of(dut)), bench.Reset(dut)
    valid, ready = dut.m_axis_c_tvalid, dut.m_axis_c_tready
    payload = dut.m_axis_c_tdata, dut.m_axis_c_tuser, dut.m_axis_c_tlast
    held = None
    while True:
        await edge
        if reset.is_on:
            held = None
            continue
        found = [int(signal.value) for signal in payload] if valid.value else None
        if held and found != held:
            raise AssertionError(f"a row that waited came as {found}, and was {held} before")
        held = None if ready.value else found
