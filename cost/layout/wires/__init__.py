"""Wires of placed netlists: how long, what they load and delay, and the buffers that they ask for."""
