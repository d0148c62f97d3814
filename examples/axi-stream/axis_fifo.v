// A FIFO between two AXI4-Streams, one clock. DEPTH is a power of two.
`default_nettype none

module axis_fifo #(
  parameter DATA_WIDTH = 8,
  parameter USER_WIDTH = 1,
  parameter DEPTH = 16
) (
  input  wire                  clk,
  input  wire                  rst,
  input  wire [DATA_WIDTH-1:0] s_axis_tdata,
  input  wire                  s_axis_tvalid,
  output wire                  s_axis_tready,
  input  wire                  s_axis_tlast,
  input  wire [USER_WIDTH-1:0] s_axis_tuser,
  output wire [DATA_WIDTH-1:0] m_axis_tdata,
  output wire                  m_axis_tvalid,
  input  wire                  m_axis_tready,
  output wire                  m_axis_tlast,
  output wire [USER_WIDTH-1:0] m_axis_tuser
);
  localparam ADDR_WIDTH = $clog2(DEPTH);
  localparam WIDTH = DATA_WIDTH + USER_WIDTH + 1;

  reg [WIDTH-1:0] mem [0:DEPTH-1];
  // One bit more than an address tells full from empty.
  reg [ADDR_WIDTH:0] wr_ptr;
  reg [ADDR_WIDTH:0] rd_ptr;

  wire empty = wr_ptr == rd_ptr;
  wire full = wr_ptr == {~rd_ptr[ADDR_WIDTH], rd_ptr[ADDR_WIDTH-1:0]};

  assign s_axis_tready = !full;
  assign m_axis_tvalid = !empty;
  assign {m_axis_tuser, m_axis_tlast, m_axis_tdata} = mem[rd_ptr[ADDR_WIDTH-1:0]];

  always @(posedge clk) begin
    if (s_axis_tvalid && s_axis_tready) begin
      mem[wr_ptr[ADDR_WIDTH-1:0]] <= {s_axis_tuser, s_axis_tlast, s_axis_tdata};
      wr_ptr <= wr_ptr + 1'b1;
    end
    if (m_axis_tvalid && m_axis_tready)
      rd_ptr <= rd_ptr + 1'b1;
    if (rst) begin
      wr_ptr <= 0;
      rd_ptr <= 0;
    end
  end
endmodule

`default_nettype wire
