"""Which matrix products of a model are computed how, and the words that say so on the command line."""

from dataclasses import dataclass, replace
from typing import Any

from lmul.errors import UserError
from lmul.golden import SCALINGS, SUBNORMALS, Arithmetic, find_format
from lmul.golden.accumulators import UNITS, tensor_core
from lmul.golden.formats.block_scale import SCALES
from lmul.golden.formats.quantise import BLOCK_SCALINGS, OPERAND_ROUNDINGS, OperandRounding, check_rounding
from lmul.golden.matmul import check_promotion
from lmul.golden.scaled import check_scaling, usual_scaling
from lmul.multipliers import plug_ins
from lmul.multipliers.table import DESCRIPTIONS

SCOPES = {
    "attention": "queries by keys, and probabilities by values",
    "linear": "projections, the MLP and the output layer",
    "all": "both",
    "linear-but-head": "projections and the MLP: the output layer stays in full precision",
    "all-but-head": "attention, projections and the MLP, as usual scripts for fp8 have it",
}

ATTENTION = ("qk", "pv")
"""Last parts of the names of attention's products; all others are linear."""

HEAD = "lm_head"
"""Name of the output layer's product."""

_KINDS = {
    "attention": {"attention"},
    "linear": {"linear", HEAD},
    "all": {"attention", "linear", HEAD},
    "linear-but-head": {"linear"},
    "all-but-head": {"attention", "linear"},
}
"""Kinds of products that a scope has."""

FULL_PRECISION = "full"
"""The word for the model's own arithmetic, double precision."""

SCHEME_PARAMETERS = ("scope", "rounding", "scaling", "gain", "promote")
"""Parameters of a scheme; the others are its arithmetic's."""

NUMBERS = {"acc": str, "out": str, "lanes": int, "scale": str, "gain": float, "promote": int}
"""Parameters that are given by name and value, with an equals sign between."""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How the matrix products of a model are computed.

    Parameters
    ----------
    arithmetic : Arithmetic
        Of the products that are not left in full precision.
    scope : str
        A name of `SCOPES`: which products those are.
    rounding : {"nearest", "truncate", "log"}
        Of operands.
    scaling : str
        A name of `lmul.golden.SCALINGS`.
    gain : float
        What products are too large by on average: results are divided by it, as a scale would.
    promote : int, optional
        Products after which a fused sum is added to an fp32 number outside: `lmul.golden.promoted_sums`.

    Raises
    ------
    ValueError
        The gain is not from 1/2 to 2, sums of such an arithmetic cannot be promoted, or its operands cannot
        be rounded or scaled so.
    """

    arithmetic: Arithmetic
    scope: str = "all"
    rounding: OperandRounding = "nearest"
    scaling: str = "tensor"
    gain: float = 1.0
    promote: int | None = None

    def __post_init__(self) -> None:
        if not 0.5 <= self.gain <= 2:
            raise ValueError(f"gain must be from 0.5 to 2, not {self.gain:g}")
        if self.promote is not None:
            check_promotion(self.arithmetic, self.promote, blocks=self.scaling in BLOCK_SCALINGS)
        check_scaling(self.scaling, self.arithmetic)
        for format_ in self.arithmetic.formats:
            check_rounding(self.rounding, format_)

    def covers(self, name: str) -> bool:
        """Tell whether a product is computed so, by its name as `workloads.smollm2.forward` gives it."""
        kind = "attention" if is_attention(name) else HEAD if name == HEAD else "linear"
        return kind in _KINDS[self.scope]

    @property
    def name(self) -> str:
        """The words that `parse_scheme` takes, those of defaults left out."""
        arithmetic, plain = self.arithmetic, Scheme(arithmetic=Arithmetic())
        words = [arithmetic.mul, arithmetic.format_names, self.scope]
        changed = {
            name: value
            for name in ("rounding", "scaling", "subnormals", *NUMBERS)
            if (value := self._parameter(name)) != plain._parameter(name)
        }
        return ",".join(
            [*words, *(f"{name}={value}" if name in NUMBERS else value for name, value in changed.items())]
        )

    def _parameter(self, name: str) -> Any:
        return getattr(self, name) if name in SCHEME_PARAMETERS else getattr(self.arithmetic, name)


def is_attention(name: str) -> bool:
    """Tell whether a product is one of attention's, by its name as `workloads.smollm2.forward` gives it."""
    return name.rsplit(".", 1)[-1] in ATTENTION


def parse_scheme(text: str) -> Scheme | None:
    """Read an arithmetic as it is given on the command line.

    Parameters
    ----------
    text : str
        Words in any order, with commas between: a multiplier, a format, or two with an x between (of the
        first and of the second factor: activations and weights, in attention queries and keys, probabilities
        and values), a scope, a rounding, a scaling, `flush` or `full`, and parameters such as
        `acc=fixed:24:-2`, `gain=1.05`, `scale=mx` or `promote=128`. The name of a GPU, as in `acc=b200`,
        stands for its lanes too where none are given. With a scale of blocks operands are scaled as it
        usually is where no scaling is given. `full` alone is full precision.

    Returns
    -------
    Scheme or None
        None for full precision.

    Raises
    ------
    UserError
        A word is unknown, or they do not go together.
    """
    words = [word for word in text.split(",") if word]
    if words == [FULL_PRECISION]:
        return None
    numeric: dict[str, object] = {}
    chosen: dict[str, object] = {}
    for word in words:
        name, value = _parameter(word)
        target = chosen if name in SCHEME_PARAMETERS else numeric
        if name in target:
            raise UserError(f"arithmetic {text!r} gives {name} twice: leave one out")
        target[name] = value
    try:
        if isinstance(formats := numeric.pop("formats", None), tuple):
            numeric |= dict(zip(("format", "format_b"), formats, strict=False))
        group = SCALES[str(scale)].group if (scale := numeric.get("scale")) in SCALES else 1
        if group > 1:
            numeric.setdefault("lanes", group)
        arithmetic = Arithmetic(**numeric)  # type: ignore[arg-type]
        if arithmetic.acc in UNITS and "lanes" not in numeric:
            arithmetic = replace(arithmetic, lanes=tensor_core(arithmetic.acc, arithmetic.formats)[2])
        usual: dict[str, object] = {"scaling": usual_scaling(arithmetic)}
        return Scheme(arithmetic=arithmetic, **usual | chosen)  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(f"arithmetic {text!r}: {error}") from None


def _parameter(word: str) -> tuple[str, object]:
    """Give the parameter that a word sets, and its value."""
    known = {"mul": _multipliers(), "scope": SCOPES, "rounding": OPERAND_ROUNDINGS, "scaling": SCALINGS}
    for name, values in (known | {"subnormals": SUBNORMALS}).items():
        if word in values:
            return name, word
    name, given, value = word.partition("=")
    if given and name in NUMBERS:
        try:
            return name, NUMBERS[name](value)
        except ValueError:
            raise UserError(f"{word!r}: {name} must be a number, not {value!r}") from None
    try:
        first, *second = (find_format(part) for part in word.split("x", 1))
        return "formats", (first, *second)
    except ValueError:
        words = ", ".join([*_multipliers(), *SCOPES, *OPERAND_ROUNDINGS, *SCALINGS, *SUBNORMALS])
        raise UserError(
            f"{word!r} is no word of an arithmetic: it must be a format, one of {words}, "
            f"or {', '.join(f'{name}=' for name in NUMBERS)} and a value"
        ) from None


def _multipliers() -> list[str]:
    try:
        return [*DESCRIPTIONS, *plug_ins()]
    except ValueError as error:
        raise UserError(str(error)) from None
