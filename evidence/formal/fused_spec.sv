// What one step of a fused sum gives, as in SPEC.md, section 6. Exponents are integers.
module fused_spec #(
  parameter E = 4,
  parameter M = 3,
  parameter SPECIALS = 1,   // 0: finite only; 1: fn, all ones is NaN; 2: IEEE
  parameter EXACT = 0,      // else integer addition
  parameter C = 1,          // of the integer addition, in units of the last place
  parameter KEPT = 0,       // subnormal operands are numbers, else zeros
  parameter LANES = 2,
  parameter F = 13,
  parameter BITS = 13,      // of the running sum's mantissa
  parameter NEAREST = 0,    // ties to even, else toward zero
  parameter SCALED = 0      // operands have a scale in common, 2^(code - 127); 255 is NaN
) (
  input [LANES*(E+M+1)-1:0] a,
  input [LANES*(E+M+1)-1:0] b,
  input [7:0] a_scale,
  input [7:0] b_scale,
  input first,              // the running sum is +0 in place of `running`
  input [31:0] running,     // codes of fp32
  output [31:0] sum
);
  localparam W = E + M + 1;
  localparam signed [31:0] BIAS = (1 << (E - 1)) - 1;
  localparam signed [31:0] FLOOR = -108 - F < -126 ? -108 - F : -126;
  // Of a significand: below 4, or of the running sum below 2.
  localparam FRACTION = EXACT ? 2 * M : M;
  localparam TERM = F + (FRACTION > BITS ? FRACTION : BITS) + 2;
  localparam TOTAL = F + 3 + LANES;
  localparam [E+M-1:0] ONES = {(E + M){1'b1}}, INF = {{E{1'b1}}, {M{1'b0}}};
  localparam [BITS+7:0] SUM_INF = {8'd255, {BITS{1'b0}}};

  function is_nan(input [E+M-1:0] x);
    is_nan = SPECIALS == 2 ? x > INF : SPECIALS == 1 ? x == ONES : 0;
  endfunction

  function is_inf(input [E+M-1:0] x);
    is_inf = SPECIALS == 2 && x == INF;
  endfunction

  function is_zero(input [E+M-1:0] x);
    is_zero = KEPT ? x == 0 : x < (1 << M);
  endfunction

  // A subnormal's exponent is that of the smallest normal number.
  function signed [31:0] exponent(input [E+M-1:0] x);
    exponent = (x[E+M-1:M] == 0 ? 1 : x[E+M-1:M]) - BIAS;
  endfunction

  function [M:0] significand(input [E+M-1:0] x);
    significand = {x[E+M-1:M] != 0, x[M-1:0]};
  endfunction

  integer lane, bits;
  reg [E+M-1:0] x, y;
  reg signed [31:0] field, top, lead, last, places, shift;
  // Of the terms; the running sum is the last one.
  reg signed [31:0] exponents [0:LANES];
  reg [TERM-1:0] significands [0:LANES], unit;
  reg [LANES:0] signs, counts;
  reg nan, plus, minus, half;
  reg [BITS+8:0] c, code;
  reg signed [TOTAL-1:0] total;
  reg [TOTAL-1:0] magnitude;
  reg [TOTAL+BITS-1:0] kept;
  reg [BITS+12:0] rounded;

  always @* begin
    // 1. The terms.
    c = first ? 0 : running[31:23-BITS];
    nan = c[BITS+7:0] > SUM_INF || (SCALED && (a_scale == 255 || b_scale == 255));
    shift = SCALED ? a_scale + b_scale - 254 : 0;
    plus = c == {1'b0, SUM_INF};
    minus = c == {1'b1, SUM_INF};
    for (lane = 0; lane < LANES; lane = lane + 1) begin
      x = a[lane*W +: E+M];
      y = b[lane*W +: E+M];
      signs[lane] = a[lane*W+W-1] ^ b[lane*W+W-1];
      if (is_nan(x) || is_nan(y) || (is_inf(x) && is_zero(y)) || (is_zero(x) && is_inf(y))) nan = 1;
      else if (is_inf(x) || is_inf(y)) begin
        if (signs[lane]) minus = 1;
        else plus = 1;
      end
      counts[lane] = !(is_nan(x) || is_nan(y) || is_inf(x) || is_inf(y) || is_zero(x) || is_zero(y));
      if (EXACT) begin
        significands[lane] = significand(x) * significand(y);
        exponents[lane] = exponent(x) + exponent(y) + shift;
      end else begin
        field = x + y + C;
        significands[lane] = (1 << M) + field[M-1:0];
        exponents[lane] = (field >> M) - 2 * BIAS + shift;
      end
    end
    signs[LANES] = c[BITS+8];
    counts[LANES] = c[BITS+7:0] != 0 && c[BITS+7:0] < SUM_INF;
    significands[LANES] = {c[BITS+7:BITS] != 0, c[BITS-1:0]};
    exponents[LANES] = (c[BITS+7:BITS] == 0 ? 1 : c[BITS+7:BITS]) - 127;

    // 2. The largest exponent.
    top = FLOOR;
    for (lane = 0; lane <= LANES; lane = lane + 1)
      if (counts[lane] && $signed(exponents[lane]) > top) top = exponents[lane];

    // 3. Whole multiples of 2^(top - F), toward zero, added exactly.
    total = 0;
    for (lane = 0; lane <= LANES; lane = lane + 1) begin
      unit = (significands[lane] << F) >> ((lane == LANES ? BITS : FRACTION) + top - exponents[lane]);
      if (counts[lane]) total = signs[lane] ? total - $signed({1'b0, unit}) : total + $signed({1'b0, unit});
    end

    // 4. BITS behind the leading one, or behind the smallest normal number's: whole multiples of 2^last.
    magnitude = total < 0 ? -total : total;
    lead = 0;
    for (bits = 0; bits < TOTAL; bits = bits + 1) if (magnitude[bits]) lead = bits;
    last = (lead + top - F > -126 ? lead + top - F : -126) - BITS;
    places = last - (top - F);
    kept = places > 0 ? magnitude >> places : magnitude << -places;
    if (NEAREST && places > 0) begin
      half = (magnitude >> (places - 1)) & 1;
      if (half && (kept[0] || ((kept << places) | ({{(TOTAL - 1){1'b0}}, 1'b1} << (places - 1))) != magnitude))
        kept = kept + 1;
    end
    // The leading one counts as one of the exponent's field.
    rounded = magnitude == 0 ? 0 : kept + ((last + BITS + 126) << BITS);
    code = {total < 0 && kept != 0, rounded >= SUM_INF ? SUM_INF : rounded[BITS+7:0]};
    if (nan || (plus && minus)) code = {1'b0, SUM_INF} | (1 << (BITS - 1));
    else if (plus || minus) code = {minus, SUM_INF};
  end

  assign sum = code << (23 - BITS);
endmodule
