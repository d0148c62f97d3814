// A pipeline of two stages for e4m3 without NaN; the fault: what is too large wraps around.
module piped (input ck, input rst_n, input [7:0] x, input [7:0] y, output reg [7:0] z);
  reg sign, zero;
  reg [7:0] product;
  reg [4:0] exponent;
  wire [6:0] normal = product[7] ? product[6:0] : {product[5:0], 1'b0};
  wire [9:0] field = {2'b0, exponent, normal[6:4]} + (product[7] ? 10'd8 : 10'd0)
                     + {9'b0, normal[3] & (normal[4] | |normal[2:0])};
  always @(posedge ck or negedge rst_n)
    if (!rst_n) begin
      sign <= 0;
      zero <= 0;
      product <= 0;
      exponent <= 0;
      z <= 0;
    end else begin
      sign <= x[7] ^ y[7];
      zero <= x[6:3] == 0 || y[6:3] == 0;
      product <= {1'b1, x[2:0]} * {1'b1, y[2:0]};
      exponent <= x[6:3] + y[6:3];
      z[7] <= sign;
      z[6:0] <= zero || field < 10'd64 ? 7'd0 : field[6:0] - 7'd56;
    end
endmodule
