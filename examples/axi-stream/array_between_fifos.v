// A 2 x 2 array of 2-lane elements between FIFOs: one for each operand, one for the results.
`default_nettype none

module array_between_fifos #(
  parameter DEPTH = 16
) (
  input  wire        clk,
  input  wire        rst,
  input  wire [31:0] s_axis_a_tdata,
  input  wire        s_axis_a_tvalid,
  output wire        s_axis_a_tready,
  input  wire        s_axis_a_tlast,
  input  wire [31:0] s_axis_b_tdata,
  input  wire        s_axis_b_tvalid,
  output wire        s_axis_b_tready,
  input  wire        s_axis_b_tlast,
  output wire [63:0] m_axis_c_tdata,
  output wire        m_axis_c_tvalid,
  input  wire        m_axis_c_tready,
  output wire        m_axis_c_tlast,
  output wire [3:0]  m_axis_c_tuser
);
  wire [31:0] a_tdata, b_tdata;
  wire        a_tvalid, a_tready, a_tlast, b_tvalid, b_tready, b_tlast;
  wire [63:0] c_tdata;
  wire        c_tvalid, c_tready, c_tlast;
  wire [3:0]  c_tuser;

  axis_fifo #(.DATA_WIDTH(32), .DEPTH(DEPTH)) fifo_a (
    .clk(clk), .rst(rst),
    .s_axis_tdata(s_axis_a_tdata), .s_axis_tvalid(s_axis_a_tvalid), .s_axis_tready(s_axis_a_tready),
    .s_axis_tlast(s_axis_a_tlast), .s_axis_tuser(1'b0),
    .m_axis_tdata(a_tdata), .m_axis_tvalid(a_tvalid), .m_axis_tready(a_tready),
    .m_axis_tlast(a_tlast), .m_axis_tuser()
  );

  axis_fifo #(.DATA_WIDTH(32), .DEPTH(DEPTH)) fifo_b (
    .clk(clk), .rst(rst),
    .s_axis_tdata(s_axis_b_tdata), .s_axis_tvalid(s_axis_b_tvalid), .s_axis_tready(s_axis_b_tready),
    .s_axis_tlast(s_axis_b_tlast), .s_axis_tuser(1'b0),
    .m_axis_tdata(b_tdata), .m_axis_tvalid(b_tvalid), .m_axis_tready(b_tready),
    .m_axis_tlast(b_tlast), .m_axis_tuser()
  );

  lmul_e4m3_array2x2x2 array (
    .clk(clk), .rst(rst),
    .s_axis_a_tdata(a_tdata), .s_axis_a_tvalid(a_tvalid), .s_axis_a_tready(a_tready), .s_axis_a_tlast(a_tlast),
    .s_axis_b_tdata(b_tdata), .s_axis_b_tvalid(b_tvalid), .s_axis_b_tready(b_tready), .s_axis_b_tlast(b_tlast),
    .m_axis_c_tdata(c_tdata), .m_axis_c_tvalid(c_tvalid), .m_axis_c_tready(c_tready), .m_axis_c_tlast(c_tlast),
    .m_axis_c_tuser(c_tuser)
  );

  axis_fifo #(.DATA_WIDTH(64), .USER_WIDTH(4), .DEPTH(DEPTH)) fifo_c (
    .clk(clk), .rst(rst),
    .s_axis_tdata(c_tdata), .s_axis_tvalid(c_tvalid), .s_axis_tready(c_tready),
    .s_axis_tlast(c_tlast), .s_axis_tuser(c_tuser),
    .m_axis_tdata(m_axis_c_tdata), .m_axis_tvalid(m_axis_c_tvalid), .m_axis_tready(m_axis_c_tready),
    .m_axis_tlast(m_axis_c_tlast), .m_axis_tuser(m_axis_c_tuser)
  );
endmodule

`default_nettype wire
