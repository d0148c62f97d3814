create_clock [get_ports clk] -period 6
