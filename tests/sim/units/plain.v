// An e4m3 multiplier without infinity as OFP8 has it: subnormals become zero, what is too above becomes 448.
module plain (
  input  [7:0] x,
  input  [7:0] y,
  output [7:0] z,
  output       inexact
);
  wire nan = &x[6:0] | &y[6:0];
  wire zero = x[6:3] == 0 | y[6:3] == 0;
  wire [7:0] product = {1'b1, x[2:0]} * {1'b1, y[2:0]};
  wire [6:0] normal = product[7] ? product[6:0] : {product[5:0], 1'b0};
  wire up = normal[3] & (normal[4] | |normal[2:0]);
  // The exponent above the mantissa, so that rounding may carry into it.
  wire signed [9:0] field = {2'b0, x[6:3], normal[6:4]} + {2'b0, y[6:3], 3'b0} + (product[7] ? 10'd8 : 10'd0)
                            + {9'b0, up} - 10'd56;
  wire below = field < 10'sd8;
  wire above = field > 10'sd126;
  wire [6:0] finite = below ? 7'd0 : above ? 7'd126 : field[6:0];
  assign inexact = |normal[3:0];
  assign z = nan ? 8'h7f : {x[7] ^ y[7], zero ? 7'd0 : finite};
endmodule
