"""AXI4-Stream rules of small arrays, and their results beat for beat.

The environment holds what it offers until it is taken; the sink and the masters are free otherwise,
and so is the reset after the first cycle.
"""

from dataclasses import replace
from functools import partial

from lmul.design import Design, make_design
from lmul.evidence.formal.accumulation import INTERFACES, sum_parameters
from lmul.evidence.formal.claims import DUT, Claim, Fault, cleared, instance, specification
from lmul.hdl.axi_stream import data_bits

SLAVES = [f"s_axis_{side}_{name}" for side in "ab" for name in ("tdata", "tvalid", "tready", "tlast")]
MASTER = [f"m_axis_c_{name}" for name in ("tdata", "tvalid", "tready", "tlast", "tuser")]

HOLD = """
  reg waits = 0, last_before;
  reg [C-1:0] data_before;
  reg [3:0] user_before;
  always @(posedge clk) begin
    waits <= !rst && m_axis_c_tvalid && !m_axis_c_tready;
    {data_before, last_before, user_before} <= {m_axis_c_tdata, m_axis_c_tlast, m_axis_c_tuser};
  end
  always @* if (waits && !cleared) begin
    assert (m_axis_c_tvalid);
    assert ({data_before, last_before, user_before} == {m_axis_c_tdata, m_axis_c_tlast, m_axis_c_tuser});
  end"""

ORDER = """
  always @* if (begun && !cleared) begin
    assert (accepted_rightly);
    assert (!m_axis_c_tvalid || owed != 0);
    assert (owed <= LIMIT);
    if (watched) begin
      assert (m_axis_c_tlast == last);
      assert (m_axis_c_tuser[3] == mismatch);
    end
  end"""

RESULTS = """
  always @* if (begun && watched && defined && !cleared) begin
    assert (m_axis_c_tuser[2:0] == {|overflow, 2'b00});
    if (SATURATES || !overflow) assert (m_axis_c_tdata[COLS*BITS-1:0] == sums);
  end"""

OUTPUT_PROGRESS = """
  reg [4:0] silent = 0;
  always @(posedge clk) silent <= rst || m_axis_c_tvalid || owed == 0 ? 0 : silent + 1;
  always @* assert (!begun || silent <= LIMIT);"""

INPUT_PROGRESS = """
  reg [4:0] stalled = 0;
  wire stalls = (a_expected && s_axis_a_tvalid && !s_axis_a_tready) ||
                (b_expected && s_axis_b_tvalid && !s_axis_b_tready);
  always @(posedge clk) stalled <= !rst && stalls && m_axis_c_tready ? stalled + 1 : 0;
  always @* assert (stalled <= LIMIT);"""

BOUND = 11
"""Cycles of bounded proofs, the one of reset included: room for tiles of one step and of several."""

ROW_READY = r"core_en = (.*);"

MUTANTS = {
    "hold": ("an offered row is overwritten", r"advance = .*;", "advance = 1'h1;"),
    "ready": ("data wait for ready", r"axis_c_tdata = (.*);", r"axis_c_tdata = m_axis_c_tready ? \1 : 0;"),
    "order": ("a full output takes rows", ROW_READY, "core_en = 1'h1;"),
    "results": ("the older row waits", r"<= spare_valid \? spare", "<= ~spare_valid ? spare"),
    "input progress": (
        "a waiting row stays for ever",
        r"spare_valid <= ~advance & \(core_c_valid \| spare_valid\)",
        "spare_valid <= spare_valid | (~advance & core_c_valid)",
    ),
    "output progress": ("a row waits for ready", ROW_READY, r"core_en = (\1) & (c_ready | ~core_c_valid);"),
}
"""What mutants change in the Verilog: what it does, where, and the new text."""

DOT_READY = r"s_axis_tready = .*;"

DOT_MUTANTS = {
    "hold": ("an offered result is overwritten", DOT_READY, "s_axis_tready = 1'h1;"),
    "order": ("a full output takes results", DOT_READY, "s_axis_tready = 1'h1;"),
    "results": ("sums go on after the last beat", r"dot_in_first <= s_axis_tlast", "dot_in_first <= 1'h0"),
    "input progress": ("a taken result stays", DOT_READY, "s_axis_tready = ~m_axis_tvalid;"),
    "output progress": (
        "a result waits for a beat",
        r"\.en\(s_axis_tready\)",
        ".en(s_axis_tready & s_axis_tvalid)",
    ),
}
"""The same for a dot product with stream ports."""


def stream_claims() -> list[Claim]:
    """Claim the rules for small arrays of both dataflows, and for a dot product with stream ports.

    Sums are followed through any number of cycles with a register of three bits, which hold no more than
    saturated multiples of 8, and through `BOUND` cycles with a register for every product.
    """
    sizes = ((1, 1), (2, 1), (2, 2))
    designs = [_array(dataflow, *size) for dataflow in ("os", "ws") for size in sizes]
    narrow = [_array(dataflow, *size, acc="fixed:3:3") for dataflow in ("os", "ws") for size in sizes]
    # An asynchronous reset of other names: the smallest arrays have all registers that are cleared.
    designs += [replace(design, **INTERFACES[1]) for design in designs if design.rows == design.cols == 1]
    narrow.append(dot_with_streams("fixed:3:3"))
    rules = (hold_claim, order_claim, output_progress_claim, input_progress_claim, bounded_results_claim)
    return [
        *(rule(design) for rule in rules for design in designs),
        *(rule(dot_with_streams()) for rule in rules[:-1]),
        *(ready_claim(design) for design in narrow if design.kind == "array"),
        *(results_claim(design) for design in narrow if design.rows == 1),
    ]


def _array(dataflow: str, rows: int, cols: int, acc: str = "exact") -> Design:
    options = {"format": "e2m1", "lanes": 1, "depth": 4, "out": "raw", "share": 1}
    return make_design("array", dataflow=dataflow, rows=rows, cols=cols, acc=acc, **options)  # type: ignore[arg-type]


def dot_with_streams(acc: str = "exact") -> Design:
    """Give a dot product with stream ports, of the size of an array of one element."""
    options = {"format": "e2m1", "lanes": 1, "depth": 4, "out": "raw", "pipeline": 1, "stream": True}
    # The specification has a sum two cycles after its last step, so a result may not be there earlier.
    return replace(make_design("dot", acc=acc, **options), rows=1, cols=1)  # type: ignore[arg-type]


def hold_claim(design: Design) -> Claim:
    """Claim that an offered row stays as it is until it is taken."""
    return _claim(design, "valid, data, last, user hold until ready", HOLD, "hold")


def order_claim(design: Design) -> Claim:
    """Claim that beats are taken when they should be, and that every row comes once, in its place."""
    says = "no row lost, doubled or out of order"
    return _claim(design, says, ORDER, "order", limit=design.rows * (design.latency + 2))


def results_claim(design: Design) -> Claim:
    """Claim that every row has the sums of its own operands, and their flags."""
    return _claim(design, "rows have their sums", RESULTS, "results")


def bounded_results_claim(design: Design) -> Claim:
    """Claim the same for the first cycles."""
    return replace(results_claim(design), method="bmc", cycles=BOUND)


def output_progress_claim(design: Design) -> Claim:
    """Claim that a row which is owed is offered within some cycles, though ready may stay low."""
    cycles = design.latency + 1
    says = f"owed rows offered in {cycles} cycles, ready or not"
    return _claim(design, says, OUTPUT_PROGRESS, "output progress", limit=cycles)


def input_progress_claim(design: Design) -> Claim:
    """Claim that of two offered beats one is taken within some cycles, if the sink stays ready."""
    cycles = design.rows + 1
    says = f"beats taken in {cycles} cycles of a ready sink"
    return _claim(design, says, INPUT_PROGRESS, "input progress", limit=cycles)


def ready_claim(design: Design) -> Claim:
    """Claim that outputs do not follow ready within a cycle: two copies agree when it differs at last."""
    return Claim.with_fault(
        Fault(*MUTANTS["ready"]),
        says="valid, data, last, user do not see ready",
        design=design,
        sources=partial(_two_copies, design),
    )


def _two_copies(design: Design, verilog: str) -> dict[str, str]:
    inputs = ["clk", "rst", *(name for name in SLAVES if not name.endswith("tready"))]
    bits = data_bits(design)
    copies = []
    for copy, ready in enumerate(("m_axis_c_tready", "m_axis_c_tready ^ differs")):
        pins = ", ".join(f".{name}({name})" for name in inputs)
        names = ("tvalid", "tlast", "tuser", "tdata")
        outputs = ", ".join(f".m_axis_c_{name}({name}{copy})" for name in names)
        copies.append(f"{DUT} copy{copy} ({pins}, .m_axis_c_tready({ready}), {outputs});")
    claim = f"""
module claim (
  input clk, rst, differs, m_axis_c_tready,
  input [{bits["a"] - 1}:0] s_axis_a_tdata,
  input [{bits["b"] - 1}:0] s_axis_b_tdata,
  input s_axis_a_tvalid, s_axis_a_tlast, s_axis_b_tvalid, s_axis_b_tlast
);
  wire [{bits["c"] - 1}:0] tdata0, tdata1;
  wire [3:0] tuser0, tuser1;
  wire tvalid0, tvalid1, tlast0, tlast1;
  {copies[0]}
  {copies[1]}
  reg begun = 0, differed = 0;
  always @(posedge clk) {{begun, differed}} <= {{1'b1, differed || differs}};
  always @* assume (begun || rst);
  always @* if (begun && !differed) begin
    assert (tvalid0 == tvalid1);
    if (tvalid0) assert ({{tlast0, tuser0[3]}} == {{tlast1, tuser1[3]}});
    // Missing weights may be those that the copies began with.
    if (tvalid0 && !tuser0[3]) assert ({{tuser0, tdata0}} == {{tuser1, tdata1}});
  end
endmodule
"""
    return {"dut.v": verilog, "claim.sv": claim}


def _claim(design: Design, says: str, properties: str, rule: str, limit: int = 0) -> Claim:
    return Claim.with_fault(
        Fault(*(DOT_MUTANTS if design.stream else MUTANTS)[rule]),
        says=says,
        design=design,
        sources=lambda verilog: _sources(design, verilog, properties, limit),
    )


def _sources(design: Design, verilog: str, properties: str, limit: int) -> dict[str, str]:
    widths = data_bits(design)
    parameters = sum_parameters(design) | {
        "A": widths["a"],
        "B": widths["b"],
        "WS": int(design.weight_stationary),
        "ROWS": design.rows,
        "COLS": design.cols,
    }
    observed = [*SLAVES, "m_axis_c_tvalid", "m_axis_c_tready"]
    model = [
        "accepted_rightly",
        "a_expected",
        "b_expected",
        "owed",
        "watched",
        "last",
        "mismatch",
        "defined",
        "sums",
        "overflow",
        "picked",
    ]
    claim = f"""
module claim (
  input clk, rst, pick, m_axis_c_tready,
  input [{widths["a"] - 1}:0] s_axis_a_tdata,
  input [{widths["b"] - 1}:0] s_axis_b_tdata,
  input s_axis_a_tvalid, s_axis_a_tlast, s_axis_b_tvalid, s_axis_b_tlast
);
  localparam C = {widths["c"]}, COLS = {design.cols}, BITS = {design.accumulator_bits}, LIMIT = {limit};
  localparam SATURATES = {int(design.saturates)};
  wire cleared = {cleared(design)};
  wire s_axis_a_tready, s_axis_b_tready;
  wire m_axis_c_tvalid, m_axis_c_tlast;
  wire [C-1:0] m_axis_c_tdata;
  wire [3:0] m_axis_c_tuser;
  wire accepted_rightly, a_expected, b_expected, watched, last, mismatch, defined, picked;
  wire [5:0] owed;
  wire [COLS*BITS-1:0] sums;
  wire [COLS-1:0] overflow;
  {instance("joined" if design.stream else DUT, "dut", ["clk", "rst", *SLAVES, *MASTER])}
  {instance("stream_spec", "spec", ["clk", "rst", "pick", *observed, *model], parameters)}
  reg begun = 0;
  always @(posedge clk) begun <= 1;
  always @* assume (begun || rst);
{_master("a", widths["a"])}
{_master("b", widths["b"])}
{properties}
endmodule
"""
    specs = specification("accumulation_spec.sv") + specification("stream_spec.sv")
    joined = {"joined.v": _joined(design)} if design.stream else {}
    return {"dut.v": verilog, "spec.sv": specs, "claim.sv": claim} | joined


def _joined(design: Design) -> str:
    """Write a dot product as an array of one element: beats of `a` and `b` are one, and so are their ends."""
    a, b, c = data_bits(design).values()
    return f"""
module joined (
  input clk, rst, input [{a - 1}:0] s_axis_a_tdata, input [{b - 1}:0] s_axis_b_tdata,
  input s_axis_a_tvalid, s_axis_a_tlast, s_axis_b_tvalid, s_axis_b_tlast, m_axis_c_tready,
  output s_axis_a_tready, s_axis_b_tready, m_axis_c_tvalid, m_axis_c_tlast,
  output [{c - 1}:0] m_axis_c_tdata, output [3:0] m_axis_c_tuser
);
  wire ready;
  {DUT} dut (
    .clk(clk), .rst(rst), .s_axis_tdata({{s_axis_b_tdata, s_axis_a_tdata}}), .s_axis_tlast(s_axis_a_tlast),
    .s_axis_tvalid(s_axis_a_tvalid && s_axis_b_tvalid), .s_axis_tready(ready),
    .m_axis_tdata(m_axis_c_tdata), .m_axis_tuser(m_axis_c_tuser[2:0]),
    .m_axis_tvalid(m_axis_c_tvalid), .m_axis_tready(m_axis_c_tready)
  );
  assign s_axis_a_tready = ready && s_axis_b_tvalid, s_axis_b_tready = ready && s_axis_a_tvalid;
  assign m_axis_c_tlast = 1, m_axis_c_tuser[3] = 0;
  always @* assume (s_axis_a_tlast == s_axis_b_tlast);
endmodule
"""


def _master(side: str, bits: int) -> str:
    """Assume that what a master offers stays as it is until it is taken, but for a reset."""
    offer = f"s_axis_{side}_tdata, s_axis_{side}_tlast"
    return f"""
  reg {side}_waits = 0;
  reg [{bits}:0] {side}_offer;
  always @(posedge clk) begin
    {side}_waits <= !rst && s_axis_{side}_tvalid && !s_axis_{side}_tready;
    {side}_offer <= {{{offer}}};
  end
  always @* assume (!{side}_waits || (s_axis_{side}_tvalid && {side}_offer == {{{offer}}}));"""
