// Sends the beats of a.hex and b.hex, pausing at random, and compares the results with c.hex.
`default_nettype none

module testbench;
  // Lines of the files: tlast above tdata, and for results tuser above tlast.
  parameter OPERANDS = 1;
  parameter RESULTS = 1;

  reg [32:0] a [0:OPERANDS-1];
  reg [32:0] b [0:OPERANDS-1];
  reg [68:0] c [0:RESULTS-1];
  integer sent_a = 0, sent_b = 0, received = 0, cycles = 0, seed = 1;

  reg clk = 0, rst = 1;
  reg a_valid = 0, b_valid = 0, c_ready = 0;
  wire a_ready, b_ready, c_valid, c_last;
  wire [63:0] c_data;
  wire [3:0] c_user;

  array_between_fifos #(.DEPTH(4)) dut (
    .clk(clk), .rst(rst),
    .s_axis_a_tdata(a[sent_a][31:0]), .s_axis_a_tvalid(a_valid), .s_axis_a_tready(a_ready),
    .s_axis_a_tlast(a[sent_a][32]),
    .s_axis_b_tdata(b[sent_b][31:0]), .s_axis_b_tvalid(b_valid), .s_axis_b_tready(b_ready),
    .s_axis_b_tlast(b[sent_b][32]),
    .m_axis_c_tdata(c_data), .m_axis_c_tvalid(c_valid), .m_axis_c_tready(c_ready),
    .m_axis_c_tlast(c_last), .m_axis_c_tuser(c_user)
  );

  always #5 clk = !clk;

  initial begin
    $readmemh("a.hex", a);
    $readmemh("b.hex", b);
    $readmemh("c.hex", c);
    repeat (2) @(negedge clk);
    rst = 0;
  end

  // Inputs change between two rising edges; a beat that was offered stays until it is taken.
  reg took_a = 0, took_b = 0;
  always @(posedge clk) begin
    took_a <= a_valid && a_ready && !rst;
    took_b <= b_valid && b_ready && !rst;
  end
  always @(negedge clk) if (!rst) begin
    if (took_a) sent_a = sent_a + 1;
    if (took_b) sent_b = sent_b + 1;
    if (took_a || !a_valid) a_valid = sent_a < OPERANDS && $random(seed) % 4 != 0;
    if (took_b || !b_valid) b_valid = sent_b < OPERANDS && $random(seed) % 4 != 0;
    c_ready = $random(seed) % 3 != 0;
  end

  always @(posedge clk) if (!rst) begin
    cycles = cycles + 1;
    if (c_valid && c_ready) begin
      if ({c_user, c_last, c_data} !== c[received]) begin
        $display("FAIL: row %0d is %h, not %h", received, {c_user, c_last, c_data}, c[received]);
        $finish;
      end
      received = received + 1;
    end
    if (received == RESULTS) begin
      $display("PASS: %0d rows in %0d cycles", received, cycles);
      $finish;
    end
    if (cycles == 100000) begin
      $display("FAIL: %0d rows, then nothing", received);
      $finish;
    end
  end
endmodule

`default_nettype wire
