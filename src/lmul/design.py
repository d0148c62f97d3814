"""The parameters of a design, from which its model, hardware, simulation and cost are derived."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from lmul.errors import UserError
from lmul.golden.arithmetic import ACCUMULATORS, MULTIPLIERS, OUTPUTS, Arithmetic
from lmul.golden.formats import FORMATS

KINDS = {
    "mul": "multiplier with a result in its operands' format; combinational",
    "dot": "N-lane dot product; one step of N products every cycle",
    "array": "R x C output-stationary array of N-lane elements with AXI4-Stream ports",
}

PARAMETERS = {
    "mul": ("format", "mul"),
    "dot": ("format", "mul", "acc", "out", "lanes", "depth"),
    "array": ("format", "mul", "acc", "out", "lanes", "rows", "cols", "depth"),
}

DEFAULT_LANES = {"mul": 1, "dot": 8, "array": 4}

LIMITS = {"lanes": 32, "rows": 32, "cols": 32, "depth": 1 << 16}


@dataclass(frozen=True, kw_only=True)
class Design(Arithmetic):
    """One design: its kind, its arithmetic and its size.

    Parameters
    ----------
    kind : str
        A name of `KINDS`.
    rows, cols : int
        Elements of an `array`.

    Raises
    ------
    UserError
        A parameter is unknown or out of range.
    """

    kind: str
    rows: int = 4
    cols: int = 4

    def __post_init__(self) -> None:
        for option, value, known in (
            ("design", self.kind, KINDS),
            ("--mul", self.mul, MULTIPLIERS),
            ("--acc", self.acc, ACCUMULATORS),
            ("--out", self.out, OUTPUTS),
        ):
            if value not in known:
                raise UserError(f"{option} {value!r} is unknown: it must be one of {', '.join(known)}")
        for name, limit in LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= limit:
                raise UserError(f"--{name} must be a whole number from 1 to {limit}, not {value!r}")

    @property
    def name(self) -> str:
        """The default name of the exported module."""
        base = f"{self.mul}_{self.format.name}"
        if self.kind == "mul":
            return f"{base}_mul"
        if self.kind == "dot":
            return f"{base}_dot{self.lanes}"
        return f"{base}_array{self.rows}x{self.cols}x{self.lanes}"

    @property
    def latency(self) -> int:
        """Cycles from the last operands of a result to its first output."""
        return {"mul": 0, "dot": 2, "array": self.rows + self.cols + 2}[self.kind]

    @property
    def products_per_cycle(self) -> int:
        """Products that are computed every cycle at full throughput."""
        return {"mul": 1, "dot": self.lanes, "array": self.rows * self.cols * self.lanes}[self.kind]

    def with_mul(self, mul: str) -> "Design":
        """Give the same design with another multiplier."""
        return replace(self, mul=mul)

    def parameters(self) -> dict[str, Any]:
        """Give the parameters that count for this kind of design, as plain values."""
        values = asdict(self) | {"format": self.format.name}
        return {name: values[name] for name in ("kind", *PARAMETERS[self.kind])}

    def arguments(self) -> list[str]:
        """Give the design as the command line's arguments."""
        options = [f"--{name} {value}" for name, value in self.parameters().items() if name != "kind"]
        return [self.kind, *options]


def make_design(kind: str, *, format: str = "e4m3", lanes: int | None = None, **options: Any) -> Design:  # noqa: A002
    """Make a design from the names that the command line and the configuration file use.

    Parameters
    ----------
    kind : str
        A name of `KINDS`.
    format : str
        A name of `FORMATS`.
    lanes : int, optional
        Default: 8 for `dot`, 4 for `array`.
    **options
        The other parameters of `Design`.

    Raises
    ------
    UserError
        A name is unknown or a value out of range.
    """
    if format not in FORMATS:
        raise UserError(f"--format {format!r} is unknown: it must be one of {', '.join(FORMATS)}")
    given = {"lanes"} | options.keys() if lanes is not None else options.keys()
    for name in sorted(given - {*PARAMETERS.get(kind, given)}):
        raise UserError(f"--{name} means nothing to {kind}: it takes --{', --'.join(PARAMETERS[kind])}")
    lanes = DEFAULT_LANES.get(kind, 1) if lanes is None else lanes
    return Design(kind=kind, format=FORMATS[format], lanes=lanes, **options)
