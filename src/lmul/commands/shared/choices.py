"""What the options of a design take, and what they are by default: for help and README."""

from collections.abc import Iterable, Mapping

from lmul.design import (
    CARRIES,
    DATAFLOWS,
    EXACT_BITS,
    FLAGS,
    INTERLEAVE_LIMIT,
    INTERLEAVED_STAGES,
    LIMITS,
    PARAMETERS,
    PIPELINE_LIMIT,
    RESET_LEVELS,
    RESET_NAMES,
    RESETS,
    SUM_FORMAT_BITS,
    WIDE_ACCUMULATOR,
    make_design,
)
from lmul.golden import ACCUMULATORS, FORMATS, INTEGERS, OUTPUTS, OVERFLOWS, SUBNORMALS
from lmul.golden.accumulators import FIXED_BITS, FIXED_LSB, FUSED_FRACTION, FUSED_MANTISSA, TF32, Fused
from lmul.golden.formats.block_scale import SCALE_NAMES, SCALES
from lmul.golden.formats.format import EXPONENT_BITS, MANTISSA_BITS, VARIANTS
from lmul.kinds import KINDS
from lmul.multipliers import BUILT_IN
from lmul.options import key


def choices() -> dict[str, str]:
    """Give what each option takes, by its name without dashes; nothing for `stream`."""
    odd = f"eXmY with X {_span(EXPONENT_BITS)}, Y {_span(MANTISSA_BITS)}"
    sums = f"up to {SUM_FORMAT_BITS} bits in dot and array, {', '.join(TF32)} with fused sums"
    formats = f"{', '.join([*FORMATS, *VARIANTS, *INTEGERS])}, {odd}; {sums}"
    widths = {name: one.most_mantissa_bits for name, one in BUILT_IN.items()}
    narrow = [
        f"{name} up to {most} mantissa bits" for name, most in widths.items() if most < MANTISSA_BITS[-1]
    ]
    fixed = f"BITS {_span(FIXED_BITS)}, LSB {_span(FIXED_LSB)}"
    fused = f"F {_span(FUSED_FRACTION)}, M {_span(FUSED_MANTISSA)}"
    smallest = max(FORMATS[name].min_exponent for name in OUTPUTS if name in FORMATS)
    groups = (f"{name} of {', '.join(SCALES[name].formats)}" for name in _groups())
    scaled = f"with fused sums, formats of OCP MX; {'; '.join(groups)}"
    names: dict[str, Iterable[str]] = {
        "subnormals": SUBNORMALS,
        "overflow": OVERFLOWS,
        "dataflow": DATAFLOWS,
        "reset": RESETS,
        "reset-active": RESET_LEVELS,
    }
    return {
        "format": formats,
        **dict.fromkeys(("format-a", "format-b"), "as --format"),
        "mul": "; ".join([", ".join([*BUILT_IN, "exact, a plug-in's"]), *narrow, "integers: exact"]),
        "acc": f"{', '.join(ACCUMULATORS)}; {fixed}; {fused}; exact up to {EXACT_BITS} bits",
        "scale": f"{', '.join(SCALE_NAMES)}; {scaled}",
        "out": f"{', '.join(OUTPUTS)}; no LSB below {smallest} unless raw",
        "carry": f"{', '.join(CARRIES)}; save with exact and os only",
        "pipeline": f"0 to {PIPELINE_LIMIT}",
        "addend": f"with {', '.join(Fused.WORDS)} only",
        "isolate": "no pipeline that begins with registers of the operands",
        "stream": "",
        **dict.fromkeys(("clock-name", "reset-name"), "a name of a port"),
        **{name: ", ".join(values) for name, values in names.items()},
        **{name: f"1 to {limit}" for name, limit in LIMITS.items()},
        "interleave": f"1 to {INTERLEAVE_LIMIT}; with fused sums, pipeline from {INTERLEAVED_STAGES} on",
    }


def defaults() -> dict[str, str]:
    """Give what each option is if it is left out, by its name without dashes."""
    conditions = {
        "acc": f", {WIDE_ACCUMULATOR} where exact takes more than {EXACT_BITS} bits",
        "depth": ", rows x lanes with ws",
        "mul": ", exact of integers",
        "lanes": f", {SCALES[_groups()[0]].group} with {', '.join(_groups())}",
        "reset-name": f", {RESET_NAMES['low']} if active low",
    }
    others = {**dict.fromkeys(("format-a", "format-b"), "that of --format"), **dict.fromkeys(FLAGS, "off")}
    names = {key(name): name for names in PARAMETERS.values() for name in names}
    usual = {name: _usual(parameter) for name, parameter in names.items() if name not in others}
    return {name: text + conditions.get(name, "") for name, text in (usual | others).items()}


def help_texts(options: Mapping[str, object]) -> dict[str, str]:
    """Give what goes behind the meaning of each option in its help, by its name with dashes."""
    takes, usual = choices(), defaults()
    return {
        f"--{name}": (f": {takes[name]}" if takes[name] else "") + f"; default: {usual[name]}"
        for name in options
    }


def _groups() -> list[str]:
    """Name the scales whose products are summed in groups."""
    return [name for name, scale in SCALES.items() if scale.group > 1]


def _span(numbers: range) -> str:
    return f"{numbers[0]} to {numbers[-1]}"


def _usual(parameter: str) -> str:
    """Give a default; where kinds of design differ, that of each."""
    values = {}
    for kind in KINDS:
        if parameter in PARAMETERS[kind]:
            value = getattr(make_design(kind), parameter)
            values[kind] = value.name if parameter == "format" else str(value)
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return ", ".join(f"{value} ({kind})" for kind, value in values.items())
