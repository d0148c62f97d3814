"""Names that Verilog, its simulators and their benches can all take."""

import re

_VERILOG = """
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind
bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config
const constraint context continue cover covergroup coverpoint cross deassign default defparam design disable
dist do edge else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup
endinterface endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask
enum event eventually expect export extends extern final first_match for force foreach forever fork forkjoin
function generate genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import
incdir include initial inout input inside instance int integer interconnect interface intersect join join_any
join_none large let liblist library local localparam logic longint macromodule matches medium modport module
nand negedge nettype new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed
parameter pmos posedge primitive priority program property protected pull0 pull1 pulldown pullup
pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime ref reg
reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime
s_until s_until_with scalared sequence shortint shortreal showcancelled signed small soft solve specify
specparam static string strong strong0 strong1 struct super supply0 supply1 sync_accept_on sync_reject_on
table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior
trireg type typedef union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void
wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""

_CPP = """
alignas alignof and_eq asm auto bitand bitor bool catch char class compl concept const_cast constexpr
decltype delete double dynamic_cast explicit false float friend goto inline long mutable namespace noexcept
not_eq nullptr operator or_eq private public register reinterpret_cast requires short sizeof static_assert
static_cast switch template thread_local throw true try typeid typename using volatile wchar_t xor_eq
"""

_OF_VERILATOR = """
char16_t char32_t char8_t co_await co_return co_yield consteval constinit main NULL
abort clone contextp eval eval_step eventsPending hierName modelName name nextTimeSlot prepareClone rootp
threads trace traceCapable vlSymsp
"""

KEYWORDS = frozenset((_VERILOG + _CPP).split())
"""Words of Verilog, SystemVerilog (IEEE 1800-2017, annex B) and C++, which name nothing in a module."""

RESERVED = KEYWORDS | frozenset(_OF_VERILATOR.split())
"""These, words of newer C++, and members of what Verilator writes, which ports would become."""


def is_port_name(name: str) -> bool:
    """Tell whether a port can have a name: letters, digits and single underscores, a letter first."""
    # Benches keep names with an underscore in front for themselves; Verilator rewrites double ones.
    return bool(re.fullmatch(r"[A-Za-z](?:_?[A-Za-z0-9])*_?", name)) and name not in RESERVED
