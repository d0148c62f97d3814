// An e2m1 multiplier that adds a row a cycle, begins anew with other operands, and keeps its product.
module serial (input ck, input rst, input [3:0] x, input [3:0] y, output reg [3:0] z);
  reg [7:0] held, sum;
  reg [2:0] count;
  // Magnitudes in halves.
  function [3:0] halves(input [2:0] code);
    halves = code < 4 ? {1'b0, code} : code == 4 ? 4'd4 : code == 5 ? 4'd6 : code == 6 ? 4'd8 : 4'd12;
  endfunction
  wire [3:0] first = halves(held[6:4]), second = halves(held[2:0]);
  always @(posedge ck)
    if (rst || held != {x, y}) begin
      held <= {x, y};
      sum <= 0;
      count <= 0;
    end else if (count < 4) begin
      if (first[count[1:0]]) sum <= sum + ({4'b0, second} << count);
      count <= count + 1;
    end else begin
      z[3] <= held[7] ^ held[3];
      z[2:0] <= (sum >= 2) + (sum >= 3) + (sum >= 6) + (sum >= 7) + (sum >= 11) + (sum >= 14) + (sum >= 21);
    end
endmodule
