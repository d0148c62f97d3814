// What one step of a fused sum gives, as in SPEC.md, sections 6 and 7. Exponents are integers.

// A product as a term, not yet of a sum: it is 2^exponent times its significand, of 2 + FRACTION bits.
module product_spec #(
  parameter E = 4,
  parameter M = 3,
  parameter SPECIALS = 1,   // 0: finite only; 1: fn, all ones is NaN; 2: IEEE
  parameter EXACT = 0,      // else integer addition
  parameter C = 1,          // of the integer addition, in units of the last place
  parameter KEPT = 0,       // subnormal operands are numbers, else zeros
  parameter FRACTION = EXACT ? 2 * M : M
) (
  input [E+M:0] a,
  input [E+M:0] b,
  output sign,
  output nan,
  output infinite,
  output counts,            // finite and not zero
  output reg [FRACTION+1:0] significand,
  output reg signed [31:0] exponent
);
  localparam signed [31:0] BIAS = (1 << (E - 1)) - 1;
  localparam [E+M-1:0] ONES = {(E + M){1'b1}}, INF = {{E{1'b1}}, {M{1'b0}}};

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
  function signed [31:0] exponent_of(input [E+M-1:0] x);
    exponent_of = (x[E+M-1:M] == 0 ? 1 : x[E+M-1:M]) - BIAS;
  endfunction

  function [M:0] significand_of(input [E+M-1:0] x);
    significand_of = {x[E+M-1:M] != 0, x[M-1:0]};
  endfunction

  wire [E+M-1:0] x = a, y = b;
  wire signed [31:0] field = x + y + C;
  assign sign = a[E+M] ^ b[E+M];
  assign nan = is_nan(x) || is_nan(y) || (is_inf(x) && is_zero(y)) || (is_zero(x) && is_inf(y));
  assign infinite = !nan && (is_inf(x) || is_inf(y));
  assign counts = !(nan || infinite || is_zero(x) || is_zero(y));

  always @* begin
    if (EXACT) begin
      significand = significand_of(x) * significand_of(y);
      exponent = exponent_of(x) + exponent_of(y);
    end else begin
      significand = (1 << M) + field[M-1:0];
      exponent = (field >> M) - 2 * BIAS;
    end
  end
endmodule

// The products of a step as terms, each of them times the scales of its operands.
module fused_spec #(
  parameter E = 4,
  parameter M = 3,
  parameter SPECIALS = 1,
  parameter EXACT = 0,
  parameter C = 1,
  parameter KEPT = 0,
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
  localparam signed [31:0] FLOOR = -108 - F < -126 ? -108 - F : -126;
  localparam FRACTION = EXACT ? 2 * M : M;
  localparam S = FRACTION + 2;

  wire signed [31:0] shift = SCALED ? a_scale + b_scale - 254 : 0;
  wire scale_nan = SCALED && (a_scale == 255 || b_scale == 255);
  wire [LANES-1:0] signs, counts, nan, infinite;
  wire [LANES*S-1:0] significands;
  wire [LANES*32-1:0] exponents;

  genvar lane;
  for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
    wire signed [31:0] exponent;
    product_spec #(
      .E(E), .M(M), .SPECIALS(SPECIALS), .EXACT(EXACT), .C(C), .KEPT(KEPT)
    ) product (
      .a(a[lane*W +: W]), .b(b[lane*W +: W]), .sign(signs[lane]), .nan(nan[lane]),
      .infinite(infinite[lane]), .counts(counts[lane]), .significand(significands[lane*S +: S]),
      .exponent(exponent)
    );
    assign exponents[lane*32 +: 32] = exponent + shift;
  end

  fused_sum #(
    .TERMS(LANES), .S(S), .FRACTION(FRACTION), .F(F), .BITS(BITS), .NEAREST(NEAREST), .FLOOR(FLOOR)
  ) added (
    .signs(signs), .counts(counts), .significands(significands), .exponents(exponents),
    .nan(scale_nan || nan != 0), .plus((infinite & ~signs) != 0), .minus((infinite & signs) != 0),
    .first(first), .running(running), .sum(sum)
  );
endmodule

// The products of a group as whole numbers of the least bit of a product.
module products_spec #(
  parameter E = 2,
  parameter M = 1,
  parameter SPECIALS = 0,
  parameter EXACT = 0,
  parameter C = 1,
  parameter KEPT = 0,
  parameter LANES = 16
) (
  input [LANES*(E+M+1)-1:0] a,
  input [LANES*(E+M+1)-1:0] b,
  output [LANES*32-1:0] numbers
);
  localparam W = E + M + 1;
  localparam S = (EXACT ? 2 * M : M) + 2;
  localparam signed [31:0] LEAST = 4 - (1 << E);

  genvar lane;
  for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
    wire sign, counts;
    wire [S-1:0] significand;
    wire signed [31:0] exponent;
    product_spec #(
      .E(E), .M(M), .SPECIALS(SPECIALS), .EXACT(EXACT), .C(C), .KEPT(KEPT)
    ) product (
      .a(a[lane*W +: W]), .b(b[lane*W +: W]), .sign(sign), .counts(counts),
      .significand(significand), .exponent(exponent)
    );
    wire [31:0] magnitude = counts ? significand << (exponent - LEAST) : 0;
    assign numbers[lane*32 +: 32] = sign ? -magnitude : magnitude;
  end
endmodule

// The exact sum of a group, times the scales of its block, as a term.
module group_spec #(
  parameter E4M3 = 0,       // scales are numbers whose sign does not count, else 2^(code - 127), 255 is NaN
  parameter WIDTH = 13,     // of the sum, two's complement
  parameter S = 20          // of the significand
) (
  input [WIDTH-1:0] total,
  input [7:0] a_scale,
  input [7:0] b_scale,
  output nan,
  output sign,
  output [S-1:0] significand,
  output signed [31:0] exponent
);
  function is_nan(input [7:0] scale);
    is_nan = E4M3 ? scale[6:0] == 127 : scale == 255;
  endfunction

  // Of e4m3 a subnormal's is that of the smallest normal number, and that of zero is -126.
  function signed [31:0] exponent_of(input [7:0] scale);
    if (!E4M3) exponent_of = scale - 127;
    else exponent_of = scale[6:0] == 0 ? -126 : scale[6:3] == 0 ? -6 : scale[6:3] - 7;
  endfunction

  // In eighths, of e4m3.
  function [3:0] significand_of(input [7:0] scale);
    significand_of = E4M3 ? {scale[6:3] != 0, scale[2:0]} : 1;
  endfunction

  wire [WIDTH-2:0] magnitude = sign ? -total : total;
  wire [7:0] factor = significand_of(a_scale) * significand_of(b_scale);
  assign nan = is_nan(a_scale) || is_nan(b_scale);
  assign sign = total[WIDTH-1];
  assign significand = magnitude * factor;
  assign exponent = exponent_of(a_scale) + exponent_of(b_scale);
endmodule

// Groups as terms; their significands are given.
module grouped_spec #(
  parameter GROUPS = 1,
  parameter BLOCKS = 1,     // as many groups in each
  parameter E4M3 = 0,
  parameter S = 20,
  parameter FRACTION = 8,
  parameter F = 35,
  parameter BITS = 23,
  parameter NEAREST = 0
) (
  input [GROUPS-1:0] signs,
  input [GROUPS*S-1:0] significands,
  input [BLOCKS*8-1:0] a_scale,
  input [BLOCKS*8-1:0] b_scale,
  input first,
  input [31:0] running,
  output [31:0] sum
);
  wire [GROUPS-1:0] nan;
  wire [GROUPS*32-1:0] exponents;

  genvar group;
  for (group = 0; group < GROUPS; group = group + 1) begin : groups
    group_spec #(.E4M3(E4M3)) scaled (
      .total(13'd0), .a_scale(a_scale[8 * (group * BLOCKS / GROUPS) +: 8]),
      .b_scale(b_scale[8 * (group * BLOCKS / GROUPS) +: 8]),
      .nan(nan[group]), .exponent(exponents[group*32 +: 32])
    );
  end

  // A group counts though its sum is zero, and so does a running sum of zero, with -126.
  fused_sum #(
    .TERMS(GROUPS), .S(S), .FRACTION(FRACTION), .F(F), .BITS(BITS), .NEAREST(NEAREST), .FLOOR(-126)
  ) added (
    .signs(signs), .counts({GROUPS{1'b1}}), .significands(significands), .exponents(exponents),
    .nan(nan != 0), .plus(1'b0), .minus(1'b0), .first(first), .running(running), .sum(sum)
  );
endmodule

// The terms of a step and the running sum, added at once.
module fused_sum #(
  parameter TERMS = 2,
  parameter S = 8,          // bits of a significand
  parameter FRACTION = 6,   // of them behind the binary point
  parameter F = 13,
  parameter BITS = 13,
  parameter NEAREST = 0,
  parameter signed [31:0] FLOOR = -126
) (
  input [TERMS-1:0] signs,
  input [TERMS-1:0] counts,
  input [TERMS*S-1:0] significands,
  input [TERMS*32-1:0] exponents,
  input nan,                // of the terms, as both below
  input plus,               // infinity
  input minus,
  input first,
  input [31:0] running,
  output [31:0] sum
);
  localparam WIDE = F + (S > BITS + 1 ? S : BITS + 1);
  localparam TOTAL = F + S - FRACTION + 1 + TERMS;
  localparam [BITS+7:0] SUM_INF = {8'd255, {BITS{1'b0}}};

  integer term, bits;
  reg signed [31:0] top, lead, last, places, exponent;
  // The running sum's.
  reg signed [31:0] own_exponent;
  reg [BITS:0] own_significand;
  reg own_counts;
  reg [WIDE-1:0] unit;
  reg half;
  reg [BITS+8:0] c, code;
  reg signed [TOTAL-1:0] total;
  reg [TOTAL-1:0] magnitude;
  reg [TOTAL+BITS-1:0] kept;
  reg [BITS+12:0] rounded;

  always @* begin
    // 1. The running sum is a term too.
    c = first ? 0 : running[31:23-BITS];
    own_counts = c[BITS+7:0] != 0 && c[BITS+7:0] < SUM_INF;
    own_significand = {c[BITS+7:BITS] != 0, c[BITS-1:0]};
    own_exponent = (c[BITS+7:BITS] == 0 ? 1 : c[BITS+7:BITS]) - 127;

    // 2. The largest exponent.
    top = FLOOR;
    if (own_counts && own_exponent > top) top = own_exponent;
    for (term = 0; term < TERMS; term = term + 1) begin
      exponent = exponents[term*32 +: 32];
      if (counts[term] && exponent > top) top = exponent;
    end

    // 3. Whole multiples of 2^(top - F), toward zero, added exactly.
    total = 0;
    for (term = 0; term < TERMS; term = term + 1) begin
      exponent = exponents[term*32 +: 32];
      unit = ({{WIDE{1'b0}}, significands[term*S +: S]} << F) >> (FRACTION + top - exponent);
      if (counts[term]) total = signs[term] ? total - $signed({1'b0, unit}) : total + $signed({1'b0, unit});
    end
    unit = ({{WIDE{1'b0}}, own_significand} << F) >> (BITS + top - own_exponent);
    if (own_counts) total = c[BITS+8] ? total - $signed({1'b0, unit}) : total + $signed({1'b0, unit});

    // 4. BITS behind the leading one, or behind the smallest normal number's: whole multiples of 2^last.
    magnitude = total < 0 ? -total : total;
    lead = 0;
    for (bits = 0; bits < TOTAL; bits = bits + 1) if (magnitude[bits]) lead = bits;
    last = (lead + top - F > -126 ? lead + top - F : -126) - BITS;
    places = last - (top - F);
    kept = places > 0 ? magnitude >> places : magnitude << -places;
    half = 0;
    if (NEAREST && places > 0) begin
      half = (magnitude >> (places - 1)) & 1;
      if (half && (kept[0] || ((kept << places) | ({{(TOTAL - 1){1'b0}}, 1'b1} << (places - 1))) != magnitude))
        kept = kept + 1;
    end
    // The leading one counts as one of the exponent's field.
    rounded = magnitude == 0 ? 0 : kept + ((last + BITS + 126) << BITS);
    code = {total < 0 && kept != 0, rounded >= SUM_INF ? SUM_INF : rounded[BITS+7:0]};
    if (nan || c[BITS+7:0] > SUM_INF || ((plus || c == {1'b0, SUM_INF}) && (minus || c == {1'b1, SUM_INF})))
      code = {1'b0, SUM_INF} | (1 << (BITS - 1));
    else if (plus || minus || c[BITS+7:0] == SUM_INF) code = {minus || c == {1'b1, SUM_INF}, SUM_INF};
  end

  assign sum = code << (23 - BITS);
endmodule
