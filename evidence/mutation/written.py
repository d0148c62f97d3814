"""Faults that are written down: edits of a design's Verilog, of which an input selects one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lmul.design import Design
from lmul.evidence.formal.claims import Fault
from lmul.evidence.formal.groups import BLOCK, RAISED
from lmul.evidence.mutation.netlist import SELECT
from lmul.hdl import export
from lmul.host.files import write_files

SCALES_OF_GROUPS = (
    Fault("the exponent of a scale is not added", r"( group_0_exponent = .*?) \+ \{1'h0, \(\|b\[.*;", r"\1;"),
    Fault(
        "the significand of a scale is not multiplied", r"(significand = .*) \* \{4'h0, \|b\[.*\}\};", r"\1};"
    ),
    Fault("the bias of a scale is one less", r"8'h77", "8'h78", places=8),
    Fault("the exponent of a subnormal scale is not raised", RAISED, r"\1", places=8),
    Fault("a subnormal scale has a hidden bit", r"\* \{4'h0, \|b\[\d+:\d+\], ", "* {5'h1, "),
    Fault("a zero scale has a subnormal's exponent", r"77\) : 8'h0\}", "77) : 8'h78}", places=8),
    Fault("the sign of a scale counts", r"\{b_scale\[6:0\], b\}", "{b_scale[6:0] & ~{7{b_scale[7]}}, b}"),
    Fault("NaN of a scale is a number", r"\(&a_bits_142_136\)", "1'h0"),
    BLOCK,
    Fault("the least exponent of groups is one more", r"9'h7e", "9'h7f", places=2),
    Fault(
        "groups that are zero do not count",
        r"\? (9'h7e) : group_0_exponent",
        r"? \1 : group_0_exponent & {9{|group_0}}",
    ),
)
"""In a unit with two blocks of scales that are numbers."""

POWERS_OF_GROUPS = (
    Fault("the exponent of a scale is not added", r"(group_\d_exponent = .*?) \+ .*;", r"\1;", places=2),
    Fault("the bias of scales is one less", r"10'h393", "10'h394"),
    Fault("NaN of a scale is a number", r"\(&b\[135:128\]\)", "1'h0"),
    Fault("the least exponent of groups is one less", r"9'h80", "9'h7f", places=2),
)
"""In a unit with two groups of one block, whose scales are powers of two."""

POWERS_OF_FIXED_GROUPS = (
    Fault("the exponent of a scale is not added", r"(group_0_distance = .*?) \+ \{1'h0, b.*;", r"\1};"),
    Fault("the bias of scales is one less", r"10'h10a", "10'h109", places=2),
    Fault("a group whose scale is NaN counts", r"\) & ~\(\(&a.*?\(&b\[135:128\]\)\)", ")", places=4),
    Fault("NaN of a scale is a number", r"\{\(&a\[135:128\]\) \| \(&b\[135:128\]\), ", "{1'h0, "),
    Fault("a group beyond the register wraps", r" \| \{13\{clamped_0\}\}", ""),
    Fault("a group beyond the register has no flag", r"clamped_0 \| clamped_1", "1'h0"),
    Fault("a negative sum is one less", r"~group_0_less_1\[10:0\]", "~group_0_less_1_next"),
)
"""In a unit with two groups of one block in a fixed-point register, whose scales are powers of two."""

POWERS = (
    Fault("the exponent of a scale is not added", r"(scale_exponent = .*) \+ .*;", r"\1;"),
    Fault("the bias of scales is one less", r"11'h788", "11'h789"),
    Fault("NaN of a scale is a number", r"\| \(\(&a\[15:8\]\) \| \(&b\[15:8\]\)\)", ""),
    Fault(
        "scales count without products",
        r"& \{10\{~scaled_reached\[10\] & .*\}\};",
        "& {10{~scaled_reached[10]}};",
    ),
    Fault(
        "a running sum of zero cuts nothing", r" \| ~\(\(\(\|accumulator_augend", " & ~(((|accumulator_augend"
    ),
)
"""In a unit whose products are terms, each with the same power of two."""

SIGNED_PRODUCTS = (
    Fault("a row's sign is not inverted", r"bits\[7\] = ~", "bits[7] = "),
    Fault("the last row is not inverted", r"bits\[30:28\] = ~", "bits[30:28] = "),
    Fault(
        "the signs' product is inverted", r"\{bits\[31\], masked_7\} = ", r"{bits[31], masked_7} = 4'h8 ^ "
    ),
    Fault("the least number is zero", r"(masked_7\} = a & \{4\{b\[7\])", r"\1 & ~&{b[7], b[6:0] == 0}"),
    Fault("the constant is one bit short", r"\{1'h1, partial", "{1'h0, partial"),
)
"""Of a multiplier of integers."""

SIGNED_SUMS = (
    Fault("the constant of a step is one bit short", r"\{2'h3, ", "{2'h1, "),
    Fault("the largest sum is one less", r"\{12\{~total\[13\]\}\}\}", "{11{~total[13]}}, 1'h0}"),
    Fault("the least sum is one more", r"\{12\{~total\[13\]\}\}\}", "{11{~total[13]}}, 1'h1}"),
    Fault("sums beyond the range wrap", r"left_range \? .*? : total", "total"),
    Fault("overflow is not sticky", r"\(flags & ~\{2\{first\}\}\) \| ", ""),
)
"""Of a sum of integers that saturates."""


@dataclass(frozen=True)
class Written:
    """A design with its faults.

    Parameters
    ----------
    design : Design
    faults : sequence of Fault
    directory : Path
        Where it is written.
    """

    design: Design
    faults: Sequence[Fault]
    directory: Path

    @property
    def verilog(self) -> str:
        """The design without a fault."""
        return export(self.design).verilog

    @property
    def described(self) -> list[tuple[str, str]]:
        """What each fault is, and how it is made."""
        return [(fault.what, f"s/{fault.pattern}/{fault.replacement}/") for fault in self.faults]

    def one(self, number: int) -> str:
        """Give the design with one fault for good, from 1 on."""
        return self.faults[number - 1].put_into(self.verilog)

    def all(self) -> Path:
        """Write the design and every faulty one side by side; its input `mutant` selects one."""
        copies = [export(self.design, name).verilog for name in self._names()]
        faulty = [fault.put_into(copy) for fault, copy in zip(self.faults, copies[1:], strict=True)]
        (path,) = write_files(self.directory, {"written.v": "\n".join([copies[0], *faulty, self._top()])})
        return path

    def _names(self) -> list[str]:
        """Name the module without a fault, and those with one."""
        return [f"{self.design.name}_{number}" for number in range(len(self.faults) + 1)]

    def _top(self) -> str:
        """Write the module that selects."""
        ports = [(port["direction"], port["width"], port["name"]) for port in export(self.design).ports]
        declared = [f"{direction}put wire [{width - 1}:0] {name}" for direction, width, name in ports]
        lines = [f"module {self.design.name} ({', '.join(declared)}, input wire [7:0] {SELECT});"]
        outputs = [(width, name) for direction, width, name in ports if direction == "out"]
        inputs = [f".{name}({name})" for direction, _, name in ports if direction == "in"]
        for number, module in enumerate(self._names()):
            lines += [f"  wire [{width - 1}:0] {name}_{number};" for width, name in outputs]
            pins = [*inputs, *(f".{name}({name}_{number})" for _, name in outputs)]
            lines.append(f"  {module} copy_{number} ({', '.join(pins)});")
        for _, name in outputs:
            chosen = [f"{SELECT} == {number} ? {name}_{number}" for number in range(1, len(self.faults) + 1)]
            lines.append(f"  assign {name} = {' : '.join([*chosen, f'{name}_0'])};")
        return "\n".join([*lines, "endmodule", ""])
