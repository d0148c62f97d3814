`default_nettype none
package typed_pkg;
  typedef enum logic [1:0] {SATURATE, INFINITE, WRAP} overflow_e;
  localparam overflow_e KNOWN [0:1] = '{SATURATE, INFINITE};
  typedef struct packed {
    logic sign;
    logic [3:0] exponent;
    logic [2:0] mantissa;
  } fp_t;
endpackage
