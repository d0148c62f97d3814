// An e4m3 multiplier with fields on ports of their own; the fault: ties are rounded away from zero.
module split (
  input  logic [2:0]  mx,
  input  logic [3:0]  ex,
  input  logic        sx,
  input  logic [15:0] ui,
  output logic [7:0]  z_body,
  output logic        z_sign
);
  function automatic logic [6:0] rounded(input logic [7:0] product, input logic [4:0] exponent);
    int field;
    field = 8 * int'(exponent) - 56 + (product[7] ? int'(product[6:4]) + 8 : int'(product[5:3]));
    if (product[7] ? product[3] : product[2]) field = field + 1;
    if (field < 8) return 7'd0;
    if (field > 126) return 7'd126;
    return field[6:0];
  endfunction
  wire [7:0] y = ui[15:8];
  wire nan = &{ex, mx} || &y[6:0];
  assign z_sign = !nan && (sx ^ y[7]);
  assign z_body[7] = ui[0];
  assign z_body[6:0] = nan ? 7'h7f : ex == 0 || y[6:3] == 0 ? 7'd0
                       : rounded({1'b1, mx} * {1'b1, y[2:0]}, 5'(ex) + 5'(y[6:3]));
endmodule
