`ifndef TYPED_DEFS
`define TYPED_DEFS
`define IS_NAN(n) (n.exponent == '1 && n.mantissa != 0)
`define IS_INFINITE(n) (n.exponent == '1 && n.mantissa == 0)
`endif
