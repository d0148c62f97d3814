"""A library of five gates, for what needs no more."""

TIMES = "".join(
    f'{name}(t) {{ values("0.01, 0.02"); }}\n'
    for name in ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
)


CELLS = {
    "INV": ("A", "!A", 1.0),
    "BUF": ("A", "A", 1.5),
    "NAND": ("AB", "!(A * B)", 1.5),
    "NOR": ("AB", "!(A + B)", 1.5),
    "XOR": ("AB", "A ^ B", 3.0),
}


INPUT = "pin({}) {{ direction : input; capacitance : 0.002; }}"


LIBRARY = (
    """library(small) {
  time_unit : "1ns"; leakage_power_unit : 1nW; capacitive_load_unit(1, pf); nom_voltage : 1.1;
  default_wire_load : w; wire_load(w) { capacitance : 0.1; slope : 5; fanout_length(1, 1.5); }
  lu_table_template(t) { variable_1 : input_net_transition; index_1("0.1, 0.2"); }
"""
    + "".join(
        f"""cell({name}) {{ area : {area};
      leakage_power() {{ when : "A"; value : 3.5; }}
      {"".join(map(INPUT.format, pins))}
      pin(Y) {{ direction : output; function : "{function}";
        timing() {{ related_pin : "{" ".join(pins)}"; timing_sense : non_unate;
        {TIMES} }}
        internal_power() {{ related_pin : "A"; power(scalar) {{ values("0.5"); }} }} }} }}
    """
        for name, (pins, function, area) in CELLS.items()
    )
    + "}"
)
