"""Delays of a netlist: analysis over all paths, delays between pins, SDF."""
