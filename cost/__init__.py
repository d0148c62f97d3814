"""Cost: area, delay and energy of a design in the cells of a real library, under real operands.

The chain: `liberty` reads the `library`, `mapping` turns Verilog into a netlist of its cells, `netlist` holds
it, `activity` simulates it, `timing` finds its slowest path and `energy` adds up what it takes.
"""
