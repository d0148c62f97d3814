"""The parameters of a design, from which its model, hardware, simulation and cost are derived."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from lmul.errors import Parameter, UserError
from lmul.golden import Arithmetic, Format, Integer, find_format
from lmul.golden.accumulators import UNITS, Fused, tensor_core
from lmul.golden.formats.block_scale import NO_SCALE, SCALES
from lmul.host.parameters import ParameterError
from lmul.host.verilog_names import is_port_name
from lmul.kinds import KINDS
from lmul.options import words

DATAFLOWS = {
    "os": "output-stationary: both operands travel, sums stay",
    "ws": "weight-stationary: the second operand stays, the first one and the sums travel",
}

CARRIES = {
    "propagate": "the running sum is one number",
    "save": "the running sum of the exact accumulator is two numbers, added a cycle later: a faster clock",
}

RESETS = {
    "sync": "registers are cleared at an edge of the clock",
    "async": "registers are cleared at once, with or without a clock",
}

RESET_LEVELS = {"high": "the reset is on while it is 1", "low": "the reset is on while it is 0"}

RESET_NAMES = {"high": "rst", "low": "rst_n"}
"""The usual name of the reset by the level at which it is on."""

INTERFACE = ("reset", "reset_active", "clock_name", "reset_name")
"""Parameters of the clock and the reset of a design with registers."""

FLAGS = ("addend", "isolate", "stream")
"""Parameters that are there or not."""

LATER: dict[str, Any] = {"interleave": 1, "scale": NO_SCALE, **dict.fromkeys(FLAGS, False)}
"""What is usual of parameters that came later than names and files of designs: only others are named."""

_OF_FUSED = ("interleave", "addend")

_SUMS = ("format", "format_a", "format_b", "scale", "mul", "acc", "out", "lanes", "depth", "subnormals")

PARAMETERS = {
    "mul": ("format", "format_a", "format_b", "mul", "subnormals", "overflow", "pipeline", *INTERFACE),
    "dot": (*_SUMS, "pipeline", "carry", "interleave", "addend", "isolate", "stream", *INTERFACE),
    "array": (*_SUMS, "pipeline", "carry", "interleave", "rows", "cols", "share", "dataflow", *INTERFACE),
}

OF_FLOATS = ("subnormals", "overflow")
"""Parameters that mean nothing to integers."""

DEFAULT_FORMAT = "e4m3"

DEFAULT_LANES = {"mul": 1, "dot": 8, "array": 4}

DEFAULT_SHARE = 8

LIMITS = {"lanes": 32, "rows": 32, "cols": 32, "share": 32, "depth": 1 << 16}

PIPELINE_LIMIT = 4

INTERLEAVE_LIMIT = 3

INTERLEAVED_STAGES = 2
"""Register stages that sums in turn take at least: one of them divides the loop."""

SUM_FORMAT_BITS = 16
"""Widest operands of dot products and arrays."""

EXACT_BITS = 128
"""Widest `exact` accumulator."""

WIDE_ACCUMULATOR = "fp32"
"""What a sum has whose exact one would be wider, as accelerators of such formats have it."""


@dataclass(frozen=True, kw_only=True)
class Design(Arithmetic):
    """One design: its kind, its arithmetic and its size.

    Parameters
    ----------
    kind : str
        A name of `KINDS`.
    rows, cols : int
        Elements of an `array`.
    share : int
        Rows, and columns, of an `array` whose elements have an operand register in common.
    dataflow : str
        Of an `array`: a name of `DATAFLOWS`.
    pipeline : int
        Register stages of a `mul`; of a sum, those beyond its accumulator and its result.
    carry : str
        Of a sum: a name of `CARRIES`.
    interleave : int
        Of a `dot`, or of an output-stationary `array`, with fused sums: dot products, or tiles, whose steps
        come in turn, so that the loop of the running sum takes as many cycles.
    addend : bool
        Of a `dot` with a fused sum: whether it has a port for the sum to begin with.
    isolate : bool
        Of a `dot`: whether its multipliers see zeros in place of operands that are not valid.
    stream : bool
        Of a `dot`: whether its ports are those of AXI4-Stream, which a result can wait at.
    reset : str
        A name of `RESETS`.
    reset_active : str
        A name of `RESET_LEVELS`.
    clock_name, reset_name : str
        Ports of the clock and of the reset.

    Raises
    ------
    UserError
        A parameter is unknown or out of range.
    """

    kind: str
    rows: int = 4
    cols: int = 4
    share: int = DEFAULT_SHARE
    dataflow: str = "os"
    pipeline: int = 0
    carry: str = "propagate"
    interleave: int = 1
    addend: bool = False
    isolate: bool = False
    stream: bool = False
    reset: str = "sync"
    reset_active: str = "high"
    clock_name: str = "clk"
    reset_name: str = RESET_NAMES["high"]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"design {self.kind!r} is unknown: it must be one of {', '.join(KINDS)}")
        for name, limit in LIMITS.items():
            self._check_number(name, 1, limit)
        self._check_number("pipeline", 0, PIPELINE_LIMIT)
        self._check_number("interleave", 1, INTERLEAVE_LIMIT)
        self._check_name("dataflow", DATAFLOWS)
        self._check_name("carry", CARRIES)
        self._check_name("reset", RESETS)
        self._check_name("reset_active", RESET_LEVELS)
        self._check_port_names()
        for name in FLAGS:
            if type(value := getattr(self, name)) is not bool:
                raise ParameterError(name, f"must be true or false, not {value!r}")
        super().__post_init__()
        first, second = self.formats
        if self.kind == "mul" and first != second and not self.integer:
            none = f"{second.name} beside {first.name}: such a product has no format, but of integers"
            raise ParameterError("format_b", none)
        self._check_fused()

    def _check_fused(self) -> None:
        """Refuse what only fused sums have, and a loop of several cycles without registers to divide it."""
        for name in _OF_FUSED:
            if getattr(self, name) != LATER[name] and not isinstance(self.accumulator, Fused):
                right = (", not for ", Parameter("acc"), f" {self.acc}: take {', '.join(Fused.WORDS)}")
                raise ParameterError(name, "is for fused sums", *right)
        if self.interleave > 1 and self.pipeline < INTERLEAVED_STAGES:
            least = f" of {INTERLEAVED_STAGES} or more, not {self.pipeline}"
            raise ParameterError("interleave", "takes ", Parameter("pipeline"), least)
        if self.interleave > 1 and self.stream:
            raise ParameterError("interleave", "is for a dot without ", Parameter("stream"))
        if self.interleave > 1 and self.weight_stationary:
            why = " os: sums of ws travel, and have no loop"
            raise ParameterError("interleave", "is for ", Parameter("dataflow"), why)

    def _check_number(self, name: str, first: int, last: int) -> None:
        value = getattr(self, name)
        if type(value) is not int or not first <= value <= last:
            raise ParameterError(name, f"must be a whole number from {first} to {last}, not {value!r}")

    def _check_name(self, name: str, known: Mapping[str, str]) -> None:
        value = getattr(self, name)
        if value not in known:
            raise ParameterError(name, f"{value!r} is unknown: it must be one of {', '.join(known)}")

    def _check_port_names(self) -> None:
        for name in ("clock_name", "reset_name"):
            if not is_port_name(value := getattr(self, name)):
                right = "take letters, digits and single _, a letter first, and no word of Verilog or C++"
                raise ParameterError(name, f"{value!r} names no port: {right}")
        if self.clock_name == self.reset_name:
            both = f" are both {self.clock_name!r}: name two ports"
            raise ParameterError("clock_name", "and ", Parameter("reset_name"), both)

    @property
    def name(self) -> str:
        """The default name of the exported module."""
        base = f"{self.mul}_{self.format_names}"
        if self.kind == "mul":
            policies = [p for p in (self.subnormals, self.overflow) if p not in ("flush", "saturate")]
            stages = [f"p{self.pipeline}"] if self.pipeline else []
            return "_".join([base, "mul", *policies, *stages, *self._interface_names])
        size = f"{self.lanes}" if self.kind == "dot" else f"{self.rows}x{self.cols}x{self.lanes}"
        acc = self.acc.replace(":-", "m").replace(":", "", 1).replace(":", "p")
        choices = [(f"acc_{acc}", "acc_exact"), (f"out_{self.out}", "out_fp32"), (self.subnormals, "flush")]
        choices += [(f"p{self.pipeline}", "p0"), (f"carry_{self.carry}", "carry_propagate")]
        if self.kind == "array":
            choices += [(self.dataflow, "os"), (f"share{self.share}", f"share{DEFAULT_SHARE}")]
        choices += [(f"i{self.interleave}", "i1"), (f"scale_{self.scale}", f"scale_{NO_SCALE}")]
        choices += [(name, "") for name in FLAGS if getattr(self, name)]
        if self.acc == "exact":  # No other accumulator is as wide as the depth asks for.
            choices.append((f"depth{self.depth}", f"depth{self.default_depth}"))
        others = [name for name, usual in choices if name != usual]
        return "_".join([base, f"{self.kind}{size}", *others, *self._interface_names])

    @property
    def _interface_names(self) -> list[str]:
        """What a name says of the clock and the reset: nothing if they are as usual."""
        says = {
            "reset": "{}",
            "reset_active": "active_{}",
            "clock_name": "clock_{}",
            "reset_name": "reset_{}",
        }
        return [says[name].format(value) for name, value in self.interface.items()]

    @property
    def bench(self) -> str:
        """What benches call designs with its ports."""
        return f"{self.kind}_stream" if self.stream else self.kind

    @property
    def sequential(self) -> bool:
        """Whether there are registers, and so a clock and a reset."""
        return self.adds_products or self.pipeline > 0

    @property
    def interface(self) -> dict[str, str]:
        """The parameters of the clock and the reset that are not as usual."""
        usual = ("sync", "high", "clk", RESET_NAMES[self.reset_active])
        given = [getattr(self, name) for name in INTERFACE]
        found = zip(INTERFACE, given, usual, strict=True)
        return {name: value for name, value, other in found if self.sequential and value != other}

    @property
    def reset_level(self) -> int:
        """What the port of the reset is while it is on: 0 or 1."""
        return int(self.reset_active == "high")

    @property
    def default_depth(self) -> int:
        """The depth that this kind of design has unless one is asked for."""
        # No more products than that are added up in a weight-stationary array.
        return self.rows * self.lanes if self.weight_stationary else Arithmetic.depth

    @property
    def adds_products(self) -> bool:
        """Whether there are sums: a multiplier has none."""
        return self.kind != "mul"

    @property
    def weight_stationary(self) -> bool:
        """Whether the second operand stays in an array, and sums travel."""
        return self.kind == "array" and self.dataflow == "ws"

    @property
    def adds_all(self) -> bool:
        """Whether all products of a dot product are added up in the design.

        A weight-stationary array adds rows * lanes products at most, whatever K is.
        """
        return self.adds_products and not self.weight_stationary

    @property
    def size(self) -> str:
        """The command line's arguments but the multiplier: what designs that are compared have in common."""
        return " ".join(self.arguments(leave_out="mul"))

    @property
    def converts(self) -> bool:
        """Whether a result has another form than the sum, and so a register of its own."""
        register = self.accumulator_format
        return self.out not in {"raw", register.name if register else ""}

    @property
    def latency(self) -> int:
        """Cycles from the last operands of a result to its first output, if nothing pauses."""
        if self.kind == "mul":
            return self.pipeline
        stages = 1 + self.pipeline + (self.carry == "save") + self.loop_registers
        if self.kind == "dot":
            return stages + self.converts
        cols = (self.cols - 1) // self.share
        if self.weight_stationary:
            return self.rows + cols + stages + 1
        return (self.rows - 1) // self.share + cols + stages + 3

    @property
    def loop_registers(self) -> int:
        """Registers of the loop of the running sum that `interleave` adds to the stages of `pipeline`."""
        return max(0, self.interleave - 2)

    @property
    def products_per_cycle(self) -> int:
        """Products that are computed every cycle at full throughput."""
        return {"mul": 1, "dot": self.lanes, "array": self.rows * self.cols * self.lanes}[self.kind]

    def check_length(self, products: int, operands: str) -> None:
        """Refuse operands whose dot products are longer than the accumulator is made for.

        Parameters
        ----------
        products : int
            K, products of a dot product.
        operands : str
            Name of the operands, for the message.

        Raises
        ------
        UserError
            K exceeds `depth`, and all of K is added up in the design.
        """
        if self.adds_all and products > self.depth:
            raise UserError(
                *(f"operands {operands} have K = {products}, more than ", Parameter("depth")),
                *(f" {self.depth}: ask for ", Parameter("depth"), f" {products} or more"),
            )

    def with_mul(self, mul: str) -> "Design":
        """Give the same design with another multiplier."""
        return replace(self, mul=mul)

    def parameters(self) -> dict[str, Any]:
        """Give the parameters that count for this kind of design, as plain values."""
        first, second = self.formats
        values: dict[str, Any] = {"kind": self.kind}
        for name in PARAMETERS[self.kind]:
            if self.integer and name in OF_FLOATS:
                continue
            # What is as usual is not named of these.
            if name in INTERFACE:
                values |= {name: self.interface[name]} if name in self.interface else {}
            elif name in LATER:
                values |= {name: getattr(self, name)} if getattr(self, name) != LATER[name] else {}
            elif not name.startswith("format"):
                values[name] = getattr(self, name)
            elif first == second and name == "format":
                values[name] = first.name
            elif first != second and name != "format":
                values[name] = first.name if name == "format_a" else second.name
        return values

    def arguments(self, leave_out: str = "") -> list[str]:
        """Give the design as the command line's arguments, without one of its parameters."""
        left_out = {"kind", leave_out}
        options = [words(name, value) for name, value in self.parameters().items() if name not in left_out]
        return [self.kind, *options]


def known_parameters(kind: str, pipeline: int) -> tuple[str, ...]:
    """Give the parameters that mean something to a kind of design with so many stages; none if unknown."""
    known = PARAMETERS.get(kind, ())
    # A multiplier without stages has no register.
    return known if kind != "mul" or pipeline else tuple(name for name in known if name not in INTERFACE)


def command_line(command: str, design: "Design") -> str:
    """Write a command of ours about a design; options that are as usual are left out.

    Parameters
    ----------
    command : str
        Such as ``verilog``.
    design : Design
    """
    usual = make_design(design.kind).parameters()
    # The usual depth of a weight-stationary array follows from its size.
    needed = {"depth"} if design.weight_stationary else set()
    given = [
        words(name, value)
        for name, value in design.parameters().items()
        if name != "kind" and (name in needed or usual.get(name) != value)
    ]
    return " ".join(["lmul", command, design.kind, *given])


def make_design(
    kind: str,
    *,
    format: str | None = None,  # noqa: A002
    format_a: str | None = None,
    format_b: str | None = None,
    lanes: int | None = None,
    **options: Any,
) -> Design:
    """Make a design from the names that the command line and the configuration file use.

    Parameters
    ----------
    kind : str
        A name of `KINDS`.
    format : str, optional
        Of both operands, as `find_format` takes it. Default: e4m3.
    format_a, format_b : str, optional
        Of one operand, instead.
    lanes : int, optional
        Default: 8 for `dot`, 4 for `array`; 16 with scales whose products are summed 16 at a time.
    **options
        The other parameters of `Design`. `mul` is `exact` by default for integers, else `lmul`. `acc` is
        `exact` by default if that takes at most 128 bits, else `fp32`. `depth` is rows * lanes by default in
        a weight-stationary array, `reset_name` is `rst_n` of a reset that is active low.

    Raises
    ------
    UserError
        A name is unknown or a value out of range.

    Examples
    --------
    >>> from lmul.design import make_design
    >>> design = make_design("dot", format="bf16", lanes=4)
    >>> design.name, design.acc, design.latency
    ('lmul_bf16_dot4_acc_fp32', 'fp32', 1)
    """
    optional = {"format_a": format_a, "format_b": format_b, "lanes": lanes} | options
    known = known_parameters(kind, options.get("pipeline", 0)) or tuple(optional)
    for name in sorted(name for name, value in optional.items() if value is not None and name not in known):
        if name in INTERFACE:
            nothing = "means nothing to mul without registers: add "
            raise ParameterError(name, nothing, Parameter("pipeline"), " or leave it out")
        takes = [word for parameter in known for word in (", ", Parameter(parameter))][1:]
        raise ParameterError(name, f"means nothing to {kind}: it takes ", *takes)
    if None not in (format, format_a, format_b):
        others = Parameter("format_a"), " and ", Parameter("format_b")
        raise ParameterError("format", "means nothing beside ", *others, ": leave one of the three out")
    both = find_format(DEFAULT_FORMAT if format is None else format)
    first = both if format_a is None else find_format(format_a, "format_a")
    second = both if format_b is None else find_format(format_b, "format_b")
    if lanes is None:
        lanes = _usual_lanes(kind, options.get("acc"), (first, second), options.get("scale"))
    if options.get("dataflow") == "ws" and options.get("depth") is None:
        # No more products than that are added in the array.
        options["depth"] = options.get("rows", Design.rows) * lanes
    if options.get("reset_name") is None:
        options["reset_name"] = RESET_NAMES.get(options.get("reset_active", "high"), "rst")
    if options.get("mul") is None:
        options["mul"] = "exact" if isinstance(first, Integer) else Design.mul
    chosen = options.pop("acc", None)
    design = Design(
        kind=kind,
        format=first,
        format_b=None if first == second else second,
        lanes=lanes,
        acc=Design.acc if chosen is None else chosen,
        **options,
    )
    return design if chosen is not None else replace(design, acc=_usual_accumulator(design))


def dot_of(arithmetic: Arithmetic, **options: Any) -> Design:
    """Make the dot product that computes as an arithmetic, or a scheme's, says.

    Parameters
    ----------
    arithmetic : Arithmetic
    **options
        Parameters of `Design` that are to be others than its own, or as usual.

    Raises
    ------
    UserError
        A parameter is out of range.

    Examples
    --------
    >>> from lmul.design import dot_of
    >>> from lmul.golden import Arithmetic
    >>> dot_of(Arithmetic(mul="exact"), pipeline=2).name
    'exact_e4m3_dot4_p2'
    """
    own = {field.name: getattr(arithmetic, field.name) for field in fields(Arithmetic)}
    first, second = arithmetic.formats
    return Design(kind="dot", **own | {"format_b": None if first == second else second} | options)


def _usual_lanes(kind: str, acc: str | None, formats: tuple[Format, Format], scale: str | None) -> int:
    """Give the lanes of a design if none are asked for: a group, or those of a GPU whose sum is named."""
    if scale in SCALES and SCALES[scale].group > 1:
        return SCALES[scale].group
    named = acc in UNITS and not isinstance(formats[0], Integer)  # No GPU's sum is one of integers.
    return tensor_core(str(acc), formats)[2] if named else DEFAULT_LANES.get(kind, 1)


def _usual_accumulator(design: Design) -> str:
    """Give the accumulator that a design has if none is asked for, `exact` wherever that can be built."""
    wide = design.adds_products and exact_bits(design) > EXACT_BITS
    return WIDE_ACCUMULATOR if wide else Design.acc


def exact_bits(design: Design) -> int:
    """Give the width of the `exact` accumulator that a design has or could have."""
    return replace(design, acc="exact", scale=NO_SCALE).accumulator_bits
