// What a dot product in fixed point gives, as in SPEC.md, section 3: integers, wide enough for every step.
module accumulation_spec #(
  parameter E = 2,
  parameter M = 1,
  parameter INTEGER = 0,    // two's complement of as many bits
  parameter FN = 0,         // all ones is NaN
  parameter C = 1,          // L-Mul's constant, in units of the last place
  parameter LANES = 2,
  parameter BITS = 10,      // of the register
  parameter LSB = 0,        // its last bit weighs 2^LSB times the last bit of the smallest product
  parameter SATURATES = 0
) (
  input clk,
  input rst,
  input [LANES*(E+M+1)-1:0] a,
  input [LANES*(E+M+1)-1:0] b,
  input in_valid,
  input in_first,
  input in_last,
  output reg done,          // a sum is complete
  output reg defined,       // it began after the reset
  output reg signed [BITS-1:0] sum,
  output reg overflow,
  output reg nan,
  output reg [15:0] products
);
  localparam W = E + M + 1;
  localparam MAGNITUDE = M + (1 << (E + 1));   // bits of a product's magnitude
  localparam signed [BITS+MAGNITUDE+7:0] MAX = {1'b0, {(BITS - 1){1'b1}}}, MIN = -MAX - 1;

  // The magnitude of a product of normal operands, in units of its smallest value's last bit.
  function [MAGNITUDE-1:0] magnitude(input [E+M-1:0] x, input [E+M-1:0] y);
    // Fields whose exponents count from the smallest normal one.
    reg [E+M:0] field;
    begin
      field = (x - (1 << M)) + (y - (1 << M)) + C;
      magnitude = x < (1 << M) || y < (1 << M) ? 0 : ((1 << M) + field[M-1:0]) << field[E+M:M];
    end
  endfunction

  integer lane;
  reg [E+M-1:0] x, y;
  reg [MAGNITUDE-1:0] exact, term;
  reg step_nan, step_overflow;
  reg signed [BITS+MAGNITUDE+7:0] total;

  always @* begin
    total = in_first ? 0 : sum;
    step_nan = !in_first && nan;
    step_overflow = !in_first && overflow;
    for (lane = 0; lane < LANES; lane = lane + 1) begin
      x = a[lane*W +: E+M];
      y = b[lane*W +: E+M];
      exact = INTEGER ? 0 : magnitude(x, y);
      if (FN && (&x || &y)) begin
        step_nan = 1;
        exact = 0;
      end
      term = exact >> LSB;
      if (SATURATES && term > MAX) begin
        step_overflow = 1;
        term = MAX;
      end
      if (INTEGER) total = total + $signed(a[lane*W +: W]) * $signed(b[lane*W +: W]);
      else total = a[lane*W+W-1] ^ b[lane*W+W-1] ? total - $signed({1'b0, term}) : total + $signed({1'b0, term});
    end
    if (total > MAX || total < MIN) step_overflow = 1;
    if (SATURATES && total > MAX) total = MAX;
    if (SATURATES && total < MIN) total = MIN;
  end

  always @(posedge clk) begin
    done <= !rst && in_valid && in_last;
    if (rst) defined <= 0;
    else if (in_valid && in_first) defined <= 1;
    if (in_valid) begin
      sum <= total;
      overflow <= step_overflow;
      nan <= step_nan;
      products <= (in_first ? 0 : products) + LANES;
    end
  end
endmodule
