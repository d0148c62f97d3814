"""The cocotb benches: one for each kind of design, run inside the simulator's process."""
