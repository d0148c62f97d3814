"""Scripts of technology mapping: how Yosys builds adders and what ABC does with the rest.

A library's full adders are several gates in one cell, which ABC's mappers seldom see. Yosys finds them among
the gates and puts the cell in their place; ABC then maps what is left around them. Clock gates take the place
of the multiplexers that would hold the value of a register.

`&deepsyn` takes most of the time, so it has to be earned: a script may come after a cheaper one, and is tried
only where that one came close to the best.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from lmul.cost.library.cells import Cell, Library, Pin
from lmul.cost.library.functions import Words, input_combinations

CLOSE = 1.1
"""How many times the least product of area and energy a script may have for those after it to be tried."""

GATED_FLIP_FLOPS = 4
"""Fewest flip-flops that a clock gate is worth."""

_ALU = """
(* techmap_celltype = "$alu" *)
module alu (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  input CI, BI;
  output [Y_WIDTH-1:0] X, Y, CO;
  wire [Y_WIDTH-1:0] first, second;
  // An operand without bits, as optimisation leaves of a zero, is no signal of width 0. Blocks of `generate`
  // would give wires other names, on which ABC's maps depend.
  \\$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH ? A_WIDTH : 1), .Y_WIDTH(Y_WIDTH))
    a_conv (.A(A_WIDTH ? A[(A_WIDTH ? A_WIDTH : 1)-1:0] : 1'b0), .Y(first));
  \\$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH ? B_WIDTH : 1), .Y_WIDTH(Y_WIDTH))
    b_conv (.A(B_WIDTH ? B[(B_WIDTH ? B_WIDTH : 1)-1:0] : 1'b0), .Y(second));
  wire [Y_WIDTH-1:0] other = second ^ {Y_WIDTH{BI}};
  wire [Y_WIDTH:0] carry;
  assign carry[0] = CI;
  assign CO = carry[Y_WIDTH:1];
  assign X = first ^ other;
"""

RIPPLE_ADDER = (
    _ALU
    + """
  genvar i;
  for (i = 0; i < Y_WIDTH; i = i + 1)
    \\$fa #(.WIDTH(1)) fa (.A(first[i]), .B(other[i]), .C(carry[i]), .X(carry[i+1]), .Y(Y[i]));
endmodule
"""
)
"""Adders as chains of full adders, in place of Yosys' Brent-Kung trees: small, and slow."""

PREFIX_ADDER = (
    _ALU
    + """
  assign Y = X ^ carry[Y_WIDTH-1:0];
  \\$lcu #(.WIDTH(Y_WIDTH)) lcu (.P(X), .G(first & other), .CI(CI), .CO(carry[Y_WIDTH:1]));
endmodule
"""
)
"""Adders with carries from a tree that another map chooses."""

GATED_RESETS = "".join(
    f"""
module \\$_SDFFE_P{level}{value}P_ (input D, C, E, R, output Q);
  wire on = {reset};
  \\$_DFFE_PP_ _TECHMAP_REPLACE_ (.D({data}), .C(C), .E(E | on), .Q(Q));
endmodule
"""
    for level, reset in (("P", "R"), ("N", "~R"))
    for value, data in enumerate(("D & ~on", "D | on"))
)
"""Registers with a reset and an enable as registers with an enable: a gate passes the clock for both."""

_PREFIX = ("synth {flatten} -top {top}",)
_RIPPLE_BEGIN = ("synth {flatten} -top {top} -run begin:fine", "maccmap", "techmap -map ripple.v")
_RIPPLE = (*_RIPPLE_BEGIN, "synth -run fine:")
# Without ABC's first pass, which would rewrite full adders until nothing finds them.
_RIPPLE_PLAIN = (*_RIPPLE_BEGIN, "synth -noabc -run fine:", "opt -full -purge")
_TREE_BEGIN = (
    "synth {flatten} -top {top} -run begin:fine",
    "maccmap",
    "techmap -map prefix.v",
    "techmap -map +/choices/sklansky.v",
)
_TREE = (*_TREE_BEGIN, "synth -run fine:")
_TREE_PLAIN = (*_TREE_BEGIN, "synth -noabc -run fine:", "opt -full -purge")
_EXTRACT = ("extract_fa -fa", "techmap -map full_adder.v", "simplemap", "opt -fast")

_OPTIMISE = "strash; ifraig; scorr; dc2"
_RESUBSTITUTE = (
    "balance -l; resub -K 6 -l; rewrite -l; resub -K 6 -N 2 -l; refactor -l; resub -K 8 -l; "
    "balance -l; resub -K 8 -N 2 -l; rewrite -l; resub -K 10 -l; rewrite -z -l; resub -K 10 -N 2 -l; "
    "balance -l; resub -K 12 -l; refactor -z -l; resub -K 12 -N 2 -l; balance -l"
)
_RESUB = f"{_OPTIMISE}; {_RESUBSTITUTE}; {_RESUBSTITUTE}; dch; amap -m"
_EMAP = f"{_OPTIMISE}; {_RESUBSTITUTE}; {_RESUBSTITUTE}; emap -a"
# Cells of several outputs are looked for unless `-m` is given: in vain where full adders are in place.
_EMAP_REST = f"{_EMAP} -m"
_DCH = f"{_OPTIMISE}; dch; amap -m"
# Limits of deepsyn are counts, not seconds, so that results do not depend on the machine. More than 10 steps
# without gain, or 5 for 16 bits, found nothing in any multiplier of the report.
_DEEP_EMAP = "strash; &get -n; &deepsyn -I 4 -J 10; &put; emap -a"
_DEEP_EMAP_16 = "strash; &get -n; &deepsyn -I 4 -J 5; &put; emap -a"
_DEEP_AMAP = "strash; &get -n; &deepsyn -I 8 -J 10; &put; dch; amap -m"


@dataclass(frozen=True)
class SynthesisScript:
    """One way to map a design.

    Parameters
    ----------
    name : str
    yosys : tuple of str
        Yosys commands from the design to gates, with ``{top}`` and ``{flatten}`` to fill in.
    abc : str
        What ABC does with the gates.
    bare : bool
        Whether it is for libraries without a full adder only: with one, others do better.
    after : str
        Name of a cheaper script that shows whether this one is worth its time; empty if it is always tried.
    seed : int
        Which of several tries this is.
    timed : bool
        Whether ABC needs to know the delays of cells.
    """

    name: str
    yosys: tuple[str, ...]
    abc: str
    bare: bool = False
    after: str = ""
    seed: int = 1
    timed: bool = False

    @property
    def full_adders(self) -> bool:
        """Whether the script needs a library with a full adder."""
        return set(_EXTRACT) <= set(self.yosys)

    def suits(self, adder: bool) -> bool:
        """Tell whether the script is worth trying with a library that has a full adder, or none."""
        return not (self.bare if adder else self.full_adders)


def with_seeds(scripts: Sequence[SynthesisScript], seeds: int) -> tuple[SynthesisScript, ...]:
    """Give each script several times, with the inputs and outputs of the gates in another order each time.

    What ABC finds depends on that order, which has no meaning: the best of several is less a matter of luck.

    Parameters
    ----------
    scripts : sequence of SynthesisScript
    seeds : int
        How often; seed 1 leaves the order as it is. The names get ``:SEED`` behind them.
    """
    return tuple(_seeded(script, seed) for script in scripts for seed in range(1, seeds + 1))


def _seeded(script: SynthesisScript, seed: int) -> SynthesisScript:
    shuffle = f"strash; permute -i -o -S {seed}; " if seed > 1 else ""
    after = script.after and f"{script.after}:{seed}"
    return replace(script, name=f"{script.name}:{seed}", abc=shuffle + script.abc, after=after, seed=seed)


def hopeless(scripts: Sequence[SynthesisScript], products: Mapping[str, float]) -> dict[str, float]:
    """Tell which scripts are not worth trying after what those before them reached.

    A seed is judged by itself, so that what one seed tries does not depend on how many there are.

    Parameters
    ----------
    scripts : sequence of SynthesisScript
        Those that may be tried and those that have been.
    products : mapping of str to float
        Area times energy of the netlists of those that have been tried, by name.

    Returns
    -------
    dict of str to float
        By name, how many times the least product of its seed the script before it has: more than `CLOSE`.
    """
    least: dict[int, float] = {}
    for script in scripts:
        if script.name in products:
            least[script.seed] = min(products[script.name], least.get(script.seed, math.inf))
    behind = {
        script.name: products[script.after] / least[script.seed]
        for script in scripts
        if script.after in products
    }
    return {name: times for name, times in behind.items() if times > CLOSE}


# One addition among other logic, which cells in its midst would keep apart: multipliers of L-Mul.
RIPPLE_EMAP = SynthesisScript("ripple/emap", _RIPPLE, _EMAP)
"""A script for any design and any library; it finds full adders of the library by itself."""

_FULL_ADDERS = (*_RIPPLE_PLAIN, *_EXTRACT)

_SHORT_SCRIPTS = (
    # Sums of several numbers: trees and chains of full adders.
    SynthesisScript("full-adders/resub", _FULL_ADDERS, _RESUB),
    # Wide products, where resubstitution only moves area into toggles.
    SynthesisScript("full-adders/dch", _FULL_ADDERS, _DCH),
)

_BARE_RESUB = SynthesisScript("ripple/resub", _RIPPLE, _RESUB, bare=True)

QUICK_SCRIPTS = (*_SHORT_SCRIPTS, RIPPLE_EMAP, _BARE_RESUB)
"""Scripts for designs of thousands of gates."""

SUM_SCRIPTS = (
    *_SHORT_SCRIPTS,
    # A third of the time that it takes where ABC meets the full adders as gates, and mostly less energy.
    SynthesisScript("full-adders/emap", _FULL_ADDERS, _EMAP_REST),
    replace(RIPPLE_EMAP, bare=True),
    _BARE_RESUB,
)
"""Scripts for sums of several products in fixed point."""

DEEP_SCRIPTS = (
    SynthesisScript("ripple/deepsyn-emap", _RIPPLE, _DEEP_EMAP_16, after=RIPPLE_EMAP.name),
    *QUICK_SCRIPTS,
)
"""Scripts for multipliers of up to a thousand gates, which take up to half a minute."""

SCRIPTS = (
    SynthesisScript("ripple/deepsyn-amap", _RIPPLE, _DEEP_AMAP, after=RIPPLE_EMAP.name),
    # The carry of `addc`, which is no chain.
    SynthesisScript("prefix/deepsyn-emap", _PREFIX, _DEEP_EMAP, after=RIPPLE_EMAP.name),
    SynthesisScript("ripple/deepsyn-emap", _RIPPLE, _DEEP_EMAP, after=RIPPLE_EMAP.name),
    *QUICK_SCRIPTS,
)
"""Scripts for multipliers of up to 300 gates, each some seconds; larger ones kept none of the first two."""


def timed_scripts(period_ps: float) -> tuple[SynthesisScript, ...]:
    """Give scripts for a short clock period, for designs of any size.

    ABC sees neither the delay of flip-flops and full adders nor setup times, so it is given less than the
    period.

    Parameters
    ----------
    period_ps : float
    """
    usual, tight = 0.8 * period_ps, 0.6 * period_ps
    full_adders = (*_TREE_PLAIN, *_EXTRACT)
    scripts = (
        # Full adders and a fast tree at their end: small where the period is not the shortest.
        SynthesisScript("fast-full-adders/area", full_adders, f"{_RESUB}; {_size(usual)}"),
        SynthesisScript("fast-full-adders/map", full_adders, _map(usual)),
        SynthesisScript("fast-full-adders/depth", full_adders, _map_depth(usual)),
        SynthesisScript("fast-full-adders/tight", full_adders, _map_depth(tight)),
        # Gates alone, which ABC may rearrange across adders: the shortest periods.
        SynthesisScript("fast-tree/map", _TREE, _map(usual)),
        SynthesisScript("fast-tree/depth", _TREE, _map_depth(usual)),
        SynthesisScript("fast-ripple/depth", _RIPPLE, _map_depth(usual)),
        SynthesisScript("fast-ripple/tight", _RIPPLE, _map_depth(tight)),
    )
    return tuple(replace(script, timed=True) for script in scripts)


def _size(delay_ps: float) -> str:
    return f"topo; buffer -c; topo; upsize -D {delay_ps:.0f}; dnsize -D {delay_ps:.0f}"


def _map(delay_ps: float) -> str:
    mapped = f"dch -f; map -B 0.9 -D {delay_ps:.0f}; topo"
    return f"{_OPTIMISE}; {mapped}; strash; {mapped}; {_size(delay_ps)}"


def _map_depth(delay_ps: float) -> str:
    mapped = f"dch -f; map -B 0.9 -D {delay_ps:.0f}; topo"
    return f"{_OPTIMISE}; strash; if -g -K 6; strash; {mapped}; strash; {mapped}; {_size(delay_ps)}"


def library_files(library: Library) -> dict[str, str]:
    """Write the Verilog that tells Yosys of a library's full adder and clock gate.

    Parameters
    ----------
    library : Library

    Returns
    -------
    dict of str to str
        By file name: `black_boxes.v`, `ripple.v`, `prefix.v`, `gated_resets.v` and, for libraries with a
        full adder, `full_adder.v`.
    """
    adder, gate = full_adder(library), clock_gate(library)
    cells = [*([adder.cell] if adder else []), *([gate] if gate else [])]
    files = {
        "black_boxes.v": "".join(map(_black_box, cells)),
        "ripple.v": RIPPLE_ADDER,
        "prefix.v": PREFIX_ADDER,
        "gated_resets.v": GATED_RESETS,
    }
    return files | ({"full_adder.v": _full_adder_map(adder)} if adder else {})


def clock_gating(library: Library) -> tuple[str, ...]:
    """Give the Yosys commands that put clock gates in, none without such a cell."""
    cell = clock_gate(library)
    if cell is None or cell.clock_gate is None:
        return ()
    gate = cell.clock_gate
    tied = "".join(f" -tie_lo {pin}" for pin in gate.enables[1:])
    ports = f"{gate.enables[0]}:{gate.clock}:{gate.output}"
    return (
        "techmap -map gated_resets.v",
        "simplemap",
        "opt_merge",
        "opt_clean",
        f"clockgate -pos {cell.name} {ports}{tied} -min_net_size {GATED_FLIP_FLOPS}",
    )


def clock_gate(library: Library) -> Cell | None:
    """Find the smallest clock gate of a library, one without a test pin if there is any."""
    found = [cell for cell in _usable(library) if cell.clock_gate and len(cell.outputs) == 1]
    return min(found, key=lambda cell: (len(cell.inputs), cell.area), default=None)


@dataclass(frozen=True)
class FullAdder:
    """A full adder of a library.

    Parameters
    ----------
    cell : Cell
    total, carry : str
        What the outputs are of sum and carry in Verilog: a name, or its inversion.
    """

    cell: Cell
    total: str
    carry: str


def full_adder(library: Library) -> FullAdder | None:
    """Find the smallest full adder of a library by what its outputs compute, inverted or not."""
    found = [
        FullAdder(cell, total, carry)
        for cell in _usable(library)
        if len(cell.inputs) == 3 and len(cell.outputs) == 2
        for pins in permutations(cell.outputs)
        for total, carry in [(_polarity(cell, pins[0], _ODD), _polarity(cell, pins[1], _MAJORITY))]
        if total and carry
    ]
    return min(found, key=lambda adder: adder.cell.area, default=None)


_INPUTS = input_combinations(3)
_ODD = _INPUTS[0] ^ _INPUTS[1] ^ _INPUTS[2]
_MAJORITY = (_INPUTS[0] & _INPUTS[1]) | (_INPUTS[2] & (_INPUTS[0] | _INPUTS[1]))


def _polarity(cell: Cell, output: Pin, expected: Words) -> str:
    """Write the expected function as the output or its inversion; empty if it is neither."""
    names = [pin.name for pin in cell.inputs]
    if output.function is None or not output.function.pins() <= set(names):
        return ""
    values = output.function.evaluate(dict(zip(names, _INPUTS, strict=True)))
    for prefix, wanted in (("", expected), ("~", ~expected)):
        if np.array_equal(np.broadcast_to(values, wanted.shape), wanted):
            return prefix + output.name
    return ""


def _usable(library: Library) -> list[Cell]:
    return [cell for cell in library.cells.values() if not cell.left_out]


def _black_box(cell: Cell) -> str:
    ports = ", ".join(f"{pin.direction} {pin.name}" for pin in cell.pins.values())
    return f"(* blackbox *) module {cell.name} ({ports}); endmodule\n"


def _full_adder_map(adder: FullAdder) -> str:
    cell = adder.cell
    first, second, third = (pin.name for pin in cell.inputs)
    one, other = (pin.name for pin in cell.outputs)
    return f"""
(* techmap_celltype = "$fa" *)
module full_adder (A, B, C, X, Y);
  parameter WIDTH = 1;
  input [WIDTH-1:0] A, B, C;
  output [WIDTH-1:0] X, Y;
  genvar i;
  for (i = 0; i < WIDTH; i = i + 1) begin : bits
    wire {one}, {other};
    {cell.name} adder (.{first}(A[i]), .{second}(B[i]), .{third}(C[i]), .{one}({one}), .{other}({other}));
    assign X[i] = {adder.carry};
    assign Y[i] = {adder.total};
  end
endmodule
"""
