"""What there is hardware for; the golden model has more."""

from lmul.design import EXACT_BITS, SUM_FORMAT_BITS, Design
from lmul.errors import Parameter, UserError
from lmul.golden import FORMATS
from lmul.golden.accumulators import TF32, Fused
from lmul.hdl.framework.pipeline import sum_cuts
from lmul.host.parameters import ParameterError
from lmul.multipliers import BUILT_IN


def check_built(design: Design) -> None:
    """Refuse a design that has a model but no hardware.

    Raises
    ------
    UserError
    """
    if design.mul == "formula":
        raise ParameterError(
            "mul", f"formula has a model but no hardware: take {', '.join(BUILT_IN)} or exact"
        )
    if design.kind == "mul":
        return
    fused = isinstance(design.accumulator, Fused)
    for format_ in design.formats:
        if format_.width > SUM_FORMAT_BITS and not (fused and format_.name in TF32):
            most = f"{design.kind} takes operands of at most {SUM_FORMAT_BITS}"
            raise UserError(f"format {format_.name} has {format_.width} bits: {most}")
    if design.carry == "save" and (design.acc != "exact" or design.weight_stationary):
        acc, dataflow = Parameter("acc"), Parameter("dataflow")
        raise ParameterError(
            *("carry", "save is for ", acc, " exact and ", dataflow, " os, "),
            *("not for ", acc, f" {design.acc} and ", dataflow, f" {design.dataflow}: "),
            "other sums must be one number in every cycle",
        )
    if design.isolate and "inputs" in sum_cuts(design):
        raise ParameterError(
            *("isolate", "means nothing with ", Parameter("pipeline"), f" {design.pipeline}, "),
            "whose first registers hold the operands: leave it out",
        )
    if design.accumulator_format:
        return
    if design.acc == "exact" and design.accumulator_bits > EXACT_BITS:
        raise ParameterError(
            "acc",
            f"exact would take {design.accumulator_bits} bits for {design.format_names}, "
            f"more than {EXACT_BITS}: take fp32 or fixed:BITS:LSB",
        )
    if design.out != "raw" and design.lsb_exponent < FORMATS[design.out].min_exponent:
        raise ParameterError(
            "out",
            f"{design.out} has no normal numbers as small as the accumulator's last bit, ",
            *(f"2^{design.lsb_exponent}: take ", Parameter("out"), " raw or a larger LSB"),
        )
