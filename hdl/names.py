"""Names that Verilog, SystemVerilog and the C++ of simulators have not taken."""

import re
from collections.abc import Iterable

from lmul.errors import UserError

_VERILOG = """
always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default
defparam design disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive
endspecify endtable endtask event for force forever fork function generate genvar highz0 highz1 if ifnone
incdir include initial inout input instance integer join large liblist library localparam macromodule medium
module nand negedge nmos nor noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive
pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent rcmos real realtime reg release repeat
rnmos rpmos rtran rtranif0 rtranif1 scalared showcancelled signed small specify specparam strong0 strong1
supply0 supply1 table task time tran tranif0 tranif1 tri tri0 tri1 triand trior trireg unsigned use uwire
vectored wait wand weak0 weak1 while wire wor xnor xor
"""
_SYSTEM_VERILOG = """
accept_on alias always_comb always_ff always_latch assert assume before bind bins binsof bit break byte
chandle checker class clocking const constraint context continue cover covergroup coverpoint cross dist do
endchecker endclass endclocking endgroup endinterface endpackage endprogram endproperty endsequence enum
eventually expect export extends extern final first_match foreach forkjoin global iff ignore_bins
illegal_bins implements implies import inside int interconnect interface intersect join_any join_none let
local logic longint matches modport nettype new nexttime null package packed priority program property
protected pure rand randc randcase randsequence ref reject_on restrict return s_always s_eventually
s_nexttime s_until s_until_with sequence shortint shortreal soft solve static string strong struct super
sync_accept_on sync_reject_on tagged this throughout timeprecision timeunit type typedef union unique
unique0 until until_with untyped var virtual void wait_order weak wildcard with within
"""
_CPP = """
alignas alignof and_eq asm auto bitand bitor bool catch char class compl concept const_cast constexpr
decltype delete double dynamic_cast explicit false float friend goto inline long mutable namespace noexcept
not_eq nullptr operator or_eq private public register reinterpret_cast requires short sizeof static_assert
static_cast switch template thread_local throw true try typeid typename using volatile wchar_t xor_eq
"""

RESERVED = frozenset(f"{_VERILOG} {_SYSTEM_VERILOG} {_CPP}".split())


def check_module_name(name: object) -> None:
    """Refuse what cannot be the name of a module.

    Raises
    ------
    UserError
    """
    right = "take letters, digits and _, no digit first, in --name-prefix too"
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise UserError(f"{name!r} names no Verilog module: {right}")
    if name in RESERVED:
        raise UserError(f"{name!r} is a keyword, which names no Verilog module: take another name")


def check_port_name(name: str) -> None:
    """Refuse what cannot be the name of a port.

    Raises
    ------
    UserError
    """
    if name in RESERVED or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise UserError(
            f"port {name!r} has no name of Verilog: give it one of letters, digits and _, no keyword"
        )


class Names:
    """The names of one module, each given once.

    Parameters
    ----------
    taken : iterable of str
        Names that are its own already.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken) | RESERVED

    def new(self, wish: str) -> str:
        """Give a name that is as near to the one wished for as can be."""
        base = re.sub(r"\W", "_", wish, flags=re.ASCII)
        base = base if not base[:1].isdigit() else f"n{base}"
        name, number = base, 0
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name
