"""Edits of a text that may break it."""

from hypothesis import strategies as st

VALID = """/* a small library */
library(small) {
  time_unit : "1ns"; leakage_power_unit : 1nW; capacitive_load_unit(1, pf);
  nom_voltage : 1.1; default_wire_load : "w";
  wire_load("w") { capacitance : 0.1; slope : 5; fanout_length(1, 1.5); fanout_length(2, 3); }
  type(two) { bit_from : 1; bit_to : 0; }
  lu_table_template(t) {
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1("0.1, 0.2"); index_2("1, 2, 3");
  }
  cell(NAND) {
    area : 1.5;
    leakage_power() { when : "A & !B"; value : 3.5; related_pg_pin : VDD; }
    pin(A, B) { direction : input; capacitance : 0.002; }
    pin(Y) {
      direction : output; function : "!(A * B')";
      timing() {
        related_pin : "A B"; when : "A"; timing_sense : negative_unate;
        cell_rise(t) { values("1, 2, 3", \\
          "4, 5, 6"); }
        output_current_rise() { vector(v) { values("1, 2"); } }
      }
      internal_power() { related_pin : "A"; power(scalar) { values("0.5"); } }
    }
  }
  cell(FF) {
    area : 4;
    ff(IQ, IQN) { clocked_on : "CK"; next_state : "D"; clear : "!RN"; }
    pin(D, CK, RN) { direction : input; }
    pin(Q) { direction : output; function : "IQ"; }
  }
  cell(RAM) { area : 9; bus(A) { bus_type : two; direction : input; } bundle(B) { members(C, D); } }
}
"""


CHARACTERS = st.sampled_from("{}()[]\"/*\\;:,.!'&+-0189eAnx_ \n\r\t\x0b\x1c\x7f\x85\xe9")


PLACES = st.integers(0, len(VALID) - 1)


CUTS = st.tuples(st.just("cut"), PLACES, st.integers(1, 40))


COPIES = st.tuples(st.just("copy"), PLACES, st.integers(1, 200))


INSERTS = st.tuples(st.just("insert"), PLACES, st.text(CHARACTERS, min_size=1, max_size=3))


CHANGES = st.tuples(st.just("change"), PLACES, CHARACTERS)


LINES = st.tuples(
    st.sampled_from(["drop line", "repeat line"]), st.integers(0, VALID.count("\n") - 1), st.none()
)


EDITS = st.lists(st.one_of(CUTS, COPIES, INSERTS, CHANGES, LINES), min_size=1, max_size=4)


def mutate(text: str, kind: str, place: int, detail: int | str | None) -> str:
    lines = text.splitlines(keepends=True)
    match kind, detail:
        case "cut", int(length):
            return text[:place] + text[place + length :]
        case "copy", int(length):
            return text[: place + length] + text[place:]
        case "insert", str(characters):
            return text[:place] + characters + text[place:]
        case "change", str(character):
            return text[:place] + character + text[place + 1 :]
        case "drop line", _:
            return "".join(lines[:place] + lines[place + 1 :])
        case _:
            return "".join(lines[: place + 1] + lines[place:])


def edited(text: str, edits: list[tuple[str, int, int | str | None]]) -> str:
    for kind, place, detail in edits:
        text = mutate(text, kind, place, detail)
    return text
