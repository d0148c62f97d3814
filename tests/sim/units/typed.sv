// An e4m3 multiplier with infinities, whose NaN is not the canonical one.
`include "typed_defs.svh"
module typed
  import typed_pkg::*;
#(
  parameter overflow_e OVERFLOW = SATURATE,
  parameter int unsigned W = 4
) (
  input  fp_t          x,
  input  fp_t          y,
  input  wire  [W-1:0] opcode,
  output fp_t          z,
  output logic [3:0]   flags
);
  localparam logic [6:0] BEYOND = OVERFLOW == KNOWN[1] ? 7'h78 : 7'h77;
  logic [7:0] product;
  logic [6:0] normal;
  logic signed [9:0] field;
  logic nan, infinite, zero, odd;
  always_comb begin
    product = {1'b1, x.mantissa} * {1'b1, y.mantissa};
    normal = product[7] ? product[6:0] : {product[5:0], 1'b0};
    field = 10'(normal[6:4]) + (10'(x.exponent) << 3) + (10'(y.exponent) << 3) - 10'd56;
    if (product[7]) field += 10'd8;
    if (normal[3] && (normal[4] || normal[2:0] != 0)) field++;
    nan = `IS_NAN(x) || `IS_NAN(y);
    infinite = `IS_INFINITE(x) || `IS_INFINITE(y);
    zero = x.exponent == 0 || y.exponent == 0;
    unique case (1'b1)
      nan || (infinite && zero): z = `NAN_CODE;
      default: begin
        z.sign = x.sign ^ y.sign;
        if (infinite) {z.exponent, z.mantissa} = 7'h78;
        else if (zero || field < 8) {z.exponent, z.mantissa} = '0;
        else if (field > 'h77) {z.exponent, z.mantissa} = BEYOND;
        else {z.exponent, z.mantissa} = field[6:0];
      end
    endcase
    // Another operation, to be tied away.
    if (opcode != W'(5)) z = ~z;
    flags = {nan, infinite, zero, odd};
    odd = field[0];
  end
endmodule
