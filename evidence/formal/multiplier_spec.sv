// What a multiplier gives, case by case as in SPEC.md, section 2. Exponents are unbounded integers.
module multiplier_spec #(
  parameter E = 4,
  parameter M = 3,
  parameter SPECIALS = 1,   // 0: finite only; 1: fn, all ones is NaN; 2: IEEE
  parameter MUL = 0,        // 0: integer addition; 1: addc; 2: exact; 3: addm
  parameter C = 1,          // of the integer addition, in units of the last place
  parameter FULL = 0,       // subnormals: 0 flush, 1 full
  parameter INFINITE = 0    // overflow: 0 saturate, 1 ieee
) (
  input  [E+M:0] a,
  input  [E+M:0] b,
  output reg [E+M:0] specified
);
  localparam signed [63:0] BIAS = (64'sd1 << (E - 1)) - 1;
  localparam signed [63:0] EMIN = 1 - BIAS;
  localparam signed [63:0] ONE = 64'sd1 << M;
  localparam [E+M-1:0] ONES = {(E + M){1'b1}};
  localparam [E+M-1:0] INF = {{E{1'b1}}, {M{1'b0}}};
  localparam [E+M-1:0] NAN = SPECIALS == 2 ? INF | (ONE >> 1) : ONES;
  localparam [E+M-1:0] LARGEST = SPECIALS == 2 ? INF - 1 : SPECIALS == 1 ? ONES - 1 : ONES;

  function is_nan(input [E+M-1:0] x);
    is_nan = SPECIALS == 2 ? x > INF : SPECIALS == 1 ? x == ONES : 0;
  endfunction

  function is_inf(input [E+M-1:0] x);
    is_inf = SPECIALS == 2 && x == INF;
  endfunction

  function is_zero(input [E+M-1:0] x);
    is_zero = FULL ? x == 0 : x < ONE;
  endfunction

  // The value is significand * 2^(exponent - M), with a significand from 2^M to 2^(M+1) - 1.
  function [M:0] significand(input [E+M-1:0] x);
    integer i;
    begin
      significand = {x >= ONE, x[M-1:0]};
      for (i = 0; i < M; i = i + 1) if (!significand[M]) significand = significand << 1;
    end
  endfunction

  function signed [63:0] exponent(input [E+M-1:0] x);
    integer i;
    begin
      exponent = x < ONE ? EMIN : (x >> M) - BIAS;
      for (i = 1; i <= M; i = i + 1) if (x < (ONE >> (i - 1))) exponent = EMIN - i;
    end
  endfunction

  // x / 2^n, ties to even.
  function [63:0] shift_rounded(input [63:0] x, input signed [63:0] n);
    reg [63:0] rest, half;
    begin
      shift_rounded = n > 63 ? 0 : x >> n;
      rest = n > 63 ? 0 : x - (shift_rounded << n);
      half = n > 63 || n == 0 ? 64'd1 << 63 : 64'd1 << (n - 1);
      if (rest > half || (rest == half && shift_rounded[0])) shift_rounded = shift_rounded + 1;
    end
  endfunction

  wire sign = a[E+M] ^ b[E+M];
  wire [E+M-1:0] x = a[E+M-1:0], y = b[E+M-1:0];
  wire signed [63:0] exponents = exponent(x) + exponent(y);
  wire [2*M+1:0] product = significand(x) * significand(y);

  // The result with M bits behind the point and an unbounded exponent: field = (exponent + bias) * 2^M + mantissa.
  wire signed [63:0] x_field = (exponent(x) + BIAS) * ONE + significand(x) - ONE;
  wire signed [63:0] y_field = (exponent(y) + BIAS) * ONE + significand(y) - ONE;
  wire signed [63:0] added = x_field + y_field - (BIAS * ONE - C);
  wire two = product[2*M+1];
  // A mantissa that rounds up to 2 carries into the exponent.
  wire signed [63:0] multiplied = (exponents + two + BIAS) * ONE + shift_rounded(product, M + two) - ONE;
  // Where both significands are from 1.25 to below 1.75: 2^-4 more, or the last place where that is 2^-3.
  wire middle = 4 * significand(x) >= 5 * ONE && 4 * significand(x) < 7 * ONE &&
                4 * significand(y) >= 5 * ONE && 4 * significand(y) < 7 * ONE;
  wire signed [63:0] corrected = added + (M < 3 || !middle ? 0 : M < 5 ? 1 : ONE >> 4);
  wire signed [63:0] field = MUL == 0 ? added : MUL == 3 ? corrected : multiplied;

  // On the subnormal grid, in units of 2^(EMIN - M): `exact` rounds the true product, the others the M-bit result.
  wire signed [63:0] result_exponent = (field >>> M) - BIAS;
  wire [63:0] result_significand = ONE + field[M-1:0];
  wire [63:0] on_grid = MUL == 2 ? shift_rounded(product, M + EMIN - exponents)
                                 : shift_rounded(result_significand, EMIN - result_exponent);

  always @* begin
    if (is_nan(x) || is_nan(y) || (is_inf(x) && is_zero(y)) || (is_zero(x) && is_inf(y))) specified = NAN;
    else if (is_inf(x) || is_inf(y)) specified = {sign, INF};
    else if (is_zero(x) || is_zero(y)) specified = {sign, {(E + M){1'b0}}};
    else if (field < ONE) specified = FULL ? {sign, on_grid[E+M-1:0]} : {sign, {(E + M){1'b0}}};
    else if (field > LARGEST) begin
      if (!INFINITE || SPECIALS == 0) specified = {sign, LARGEST};
      else specified = SPECIALS == 2 ? {sign, INF} : NAN;
    end else specified = {sign, field[E+M-1:0]};
  end
endmodule
