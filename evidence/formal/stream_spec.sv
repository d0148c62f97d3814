// What an array's results are, in terms of the beats on its three streams, as in SPEC.md, section 4.
//
// One entry (output-stationary: a tile; weight-stationary: a beat of `a`) is picked by the free input `pick`:
// its rows are known when it enters, and must come out after all that are owed before it.
module stream_spec #(
  parameter WS = 0,
  parameter ROWS = 1,
  parameter COLS = 1,
  parameter LANES = 1,
  parameter E = 2,
  parameter M = 1,
  parameter C = 1,
  parameter BITS = 10,
  parameter LSB = 0,
  parameter SATURATES = 0,
  parameter A = 8,            // widths of tdata
  parameter B = 8
) (
  input clk,
  input rst,
  input pick,
  input [A-1:0] s_axis_a_tdata,
  input s_axis_a_tvalid,
  input s_axis_a_tready,
  input s_axis_a_tlast,
  input [B-1:0] s_axis_b_tdata,
  input s_axis_b_tvalid,
  input s_axis_b_tready,
  input s_axis_b_tlast,
  input m_axis_c_tvalid,
  input m_axis_c_tready,
  output accepted_rightly,    // no beat is taken that should wait, none dropped that should not
  output a_expected,          // a beat of `a` needs nothing but room to be taken
  output b_expected,
  output reg [5:0] owed,      // rows that have not come out yet
  output watched,             // the row that is offered is one of the picked entry
  output last,                // and its tlast
  output mismatch,
  output defined,             // its operands are known
  output [COLS*BITS-1:0] sums,
  output [COLS-1:0] overflow,
  output reg picked
);
  localparam W = E + M + 1;
  localparam ENTRY_ROWS = WS ? 1 : ROWS;
  localparam SUMS = WS ? COLS : ROWS * COLS;

  wire a_taken = s_axis_a_tvalid && s_axis_a_tready;
  wire b_taken = s_axis_b_tvalid && s_axis_b_tready;
  wire c_taken = m_axis_c_tvalid && m_axis_c_tready;
  wire a_last = s_axis_a_tlast, b_last = s_axis_b_tlast;

  // The rest of a tile that is longer than it should be: its beats are taken and have no effect.
  reg a_rest, b_rest;
  // The next step is the first one of a tile.
  reg first;

  wire step, entry, entry_mismatch, entry_defined;
  wire [SUMS*BITS-1:0] entry_sums;
  wire [SUMS-1:0] entry_overflow;
  genvar r, c;

  generate
    if (!WS) begin
      // A step is a beat of both; a tile ends with the first of them that ends.
      assign step = a_taken && b_taken && !a_rest && !b_rest;
      assign entry = step && (a_last || b_last);
      assign entry_mismatch = a_last != b_last;
      assign entry_defined = 1;
      assign a_expected = a_rest || (s_axis_b_tvalid && !b_rest);
      assign b_expected = b_rest || (s_axis_a_tvalid && !a_rest);
      assign accepted_rightly = a_rest ? !b_taken : b_rest ? !a_taken : a_taken == b_taken;
      always @(posedge clk)
        if (rst) {a_rest, b_rest, first} <= 3'b001;
        else begin
          if (a_taken && a_last) a_rest <= 0;
          if (b_taken && b_last) b_rest <= 0;
          if (entry) {a_rest, b_rest} <= {!a_last, !b_last};
          if (step) first <= entry;
        end
      for (r = 0; r < ROWS; r = r + 1)
        for (c = 0; c < COLS; c = c + 1)
          accumulation_spec #(.E(E), .M(M), .C(C), .LANES(LANES), .BITS(BITS), .LSB(LSB), .SATURATES(SATURATES)) element (
            .clk(clk), .rst(rst), .in_valid(step), .in_first(first), .in_last(entry),
            .a(s_axis_a_tdata[r*LANES*W +: LANES*W]), .b(s_axis_b_tdata[c*LANES*W +: LANES*W]),
            .sum(entry_sums[(r*COLS+c)*BITS +: BITS]), .overflow(entry_overflow[r*COLS+c])
          );
    end else begin
      // Weights are of the tile that comes next, and of the one that runs.
      reg [5:0] beat;
      reg loaded, next_marked, marked;
      reg [ROWS-1:0] next_written, written;
      reg [ROWS*B-1:0] next_weights, weights;
      wire start = a_taken && first;
      wire write = b_taken && !b_rest;
      wire complete = write && (b_last || beat == ROWS - 1);
      wire [ROWS*B-1:0] in_use = first ? next_weights : weights;
      assign step = a_taken;
      assign entry = a_taken;
      assign entry_mismatch = first ? next_marked : marked;
      assign entry_defined = first ? &next_written : &written;
      assign a_expected = !first || loaded;
      assign b_expected = b_rest || !loaded;
      assign accepted_rightly = (!start || loaded) && (!write || !loaded || start);
      always @(posedge clk)
        if (rst) begin
          {loaded, b_rest, first} <= 3'b001;
          beat <= 0;
          next_written <= 0;
        end else begin
          if (start) begin
            loaded <= 0;
            weights <= next_weights;
            written <= next_written;
            marked <= next_marked;
          end
          if (a_taken) first <= a_last;
          if (b_taken && b_rest && b_last) b_rest <= 0;
          if (write) begin
            next_weights[beat*B +: B] <= s_axis_b_tdata;
            next_written[beat] <= 1;
            beat <= complete ? 0 : beat + 1;
          end
          if (complete) begin
            loaded <= 1;
            next_marked <= !b_last || beat != ROWS - 1;
            b_rest <= !b_last;
          end
        end
      for (c = 0; c < COLS; c = c + 1) begin
        wire [ROWS*LANES*W-1:0] column;
        for (r = 0; r < ROWS; r = r + 1)
          assign column[r*LANES*W +: LANES*W] = in_use[r*B + c*LANES*W +: LANES*W];
        accumulation_spec #(.E(E), .M(M), .C(C), .LANES(ROWS*LANES), .BITS(BITS), .LSB(LSB), .SATURATES(SATURATES)) element (
          .clk(clk), .rst(rst), .in_valid(step), .in_first(1'b1), .in_last(1'b1),
          .a(s_axis_a_tdata[ROWS*LANES*W-1:0]), .b(column),
          .sum(entry_sums[c*BITS +: BITS]), .overflow(entry_overflow[c])
        );
      end
    end
  endgenerate

  wire picks = pick && entry && !picked;
  reg picks_before;
  reg [5:0] ahead, row;
  reg entered_mismatch, entered_last, entered_defined;
  reg [SUMS*BITS-1:0] kept_sums;
  reg [SUMS-1:0] kept_overflow;

  always @(posedge clk) begin
    if (rst) owed <= 0;
    else owed <= owed + (entry ? ENTRY_ROWS : 0) - c_taken;
    picked <= !rst && (picked || picks);
    picks_before <= !rst && picks;
    if (picks) begin
      ahead <= owed - c_taken;
      row <= 0;
      entered_mismatch <= entry_mismatch;
      entered_last <= a_last;
      entered_defined <= entry_defined;
    end else if (c_taken) begin
      if (ahead != 0) ahead <= ahead - 1;
      else if (row != ENTRY_ROWS) row <= row + 1;
    end
    if (picks_before) {kept_sums, kept_overflow} <= {entry_sums, entry_overflow};
  end

  assign watched = picked && m_axis_c_tvalid && ahead == 0 && row != ENTRY_ROWS;
  assign last = WS ? entered_last : row == ROWS - 1;
  assign mismatch = entered_mismatch;
  assign defined = entered_defined;
  assign sums = kept_sums >> (row * COLS * BITS);
  assign overflow = kept_overflow >> (row * COLS);
endmodule
