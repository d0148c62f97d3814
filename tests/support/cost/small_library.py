"""A library of six cells in any units, for what depends on the library and on nothing else."""

from collections.abc import Mapping

_NS = {"1ns": 1.0, "1ps": 1e-3, "10ps": 1e-2}
_FF = {"1pf": 1e3, "1ff": 1.0, "100ff": 100.0}

_THRESHOLDS = "delay_model : table_lookup; " + " ".join(
    f"{name}_threshold_pct_{edge} : {share};"
    for name, share in (("input", 50), ("output", 50), ("slew_lower", 20), ("slew_upper", 80))
    for edge in ("rise", "fall")
)

GATES: Mapping[str, tuple[str, str, float, str]] = {
    "INV": ("A", "!A", 0.9, "negative_unate"),
    "BUF": ("A", "A", 1.2, "positive_unate"),
    "NAND2": ("A B", "!(A B)", 1.5, "negative_unate"),
    "NOR2": ("A B", "!(A + B)", 1.6, "negative_unate"),
    "XOR2": ("A B", "A ^ B", 3.0, "non_unate"),
}
"""Inputs, function, area in um2 and sense of the gates by name."""


def small_library(
    time: str = "1ns",
    load: str = "1pf",
    *,
    gates: Mapping[str, tuple[str, str, float, str]] = GATES,
    flip_flop: bool = True,
    senses: bool = True,
    power: bool = True,
    head: str = "nom_process : 1; nom_temperature : 25; nom_voltage : 1.1;",
    marks: Mapping[str, str] | None = None,
    prefix: str = "",
) -> str:
    """Write the library.

    Parameters
    ----------
    time, load : str
        Units.
    gates : mapping
        As `GATES`.
    flip_flop : bool
        Whether it has one.
    senses, power : bool
        Whether timing_sense and internal power are told.
    head : str
        More attributes of the library.
    marks : mapping of str to str
        More attributes by the name of a cell.
    prefix : str
        Of the names of cells.
    """
    ns, ff = _NS[time], _FF[load]
    units = (
        f'time_unit : "{time}"; capacitive_load_unit({load[:-2]}, {load[-2:]}); '
        'leakage_power_unit : "1nW"; voltage_unit : "1V";'
    )
    template = (
        "lu_table_template(t) { "
        "variable_1 : input_net_transition; variable_2 : total_output_net_capacitance; "
        f'index_1("{0.01 / ns:g}, {0.2 / ns:g}"); index_2("{0.5 / ff:g}, {20 / ff:g}"); }}'
    )
    marked = marks or {}
    cells = [
        _gate(prefix + name, *gate, ns, ff, marked.get(name, ""), senses, power)
        for name, gate in gates.items()
    ]
    cells += [_flip_flop(f"{prefix}DFF", ns, ff, marked.get("DFF", ""))] if flip_flop else []
    return "\n".join([f"library(small) {{ {units} {head} {_THRESHOLDS}", template, *cells, "}\n"])


def _gate(
    name: str,
    inputs: str,
    function: str,
    area: float,
    sense: str,
    ns: float,
    ff: float,
    mark: str,
    senses: bool,
    power: bool,
) -> str:
    pins = " ".join(_input(pin, ff) for pin in inputs.split())
    told = f"timing_sense : {sense};" if senses else ""
    arcs = "".join(
        f'timing() {{ related_pin : "{pin}"; {told} {_tables(place, ns)} }} '
        for place, pin in enumerate(inputs.split())
    )
    energy = f'internal_power() {{ related_pin : "{inputs}"; power(scalar) {{ values("{1.2 / ff:g}"); }} }}'
    output = f'pin(Y) {{ direction : output; function : "{function}"; {arcs}{energy if power else ""} }}'
    return f"cell({name}) {{ area : {area}; cell_leakage_power : 2; {mark} {pins} {output} }}"


def _flip_flop(name: str, ns: float, ff: float, mark: str) -> str:
    setup = (
        'timing() { related_pin : "CK"; timing_type : setup_rising; '
        f'rise_constraint(scalar) {{ values("{0.03 / ns:g}"); }} '
        f'fall_constraint(scalar) {{ values("{0.04 / ns:g}"); }} }}'
    )
    return (
        f"cell({name}) {{ area : 6; cell_leakage_power : 5; {mark} "
        'ff(IQ, IQN) { clocked_on : "CK"; next_state : "D"; } '
        f"{_input('D', ff, setup)} {_input('CK', ff, 'clock : true;')} "
        'pin(Q) { direction : output; function : "IQ"; '
        f'timing() {{ related_pin : "CK"; timing_type : rising_edge; {_tables(3, ns)} }} }} }}'
    )


def _input(name: str, ff: float, more: str = "") -> str:
    return f"pin({name}) {{ direction : input; capacitance : {1.5 / ff:g}; {more} }}"


def _tables(place: int, ns: float) -> str:
    """Write tables of an arc, later pins being slower, and rises slower than falls."""
    parts = []
    for names, base in (
        (("cell_rise", "rise_transition"), 0.02 + 0.004 * place),
        (("cell_fall", "fall_transition"), 0.012 + 0.003 * place),
    ):
        low, high = base / ns, 5 * base / ns
        values = f'"{low:g}, {high:g}", "{1.5 * low:g}, {1.4 * high:g}"'
        parts += [f"{name}(t) {{ values({values}); }}" for name in names]
    return " ".join(parts)
