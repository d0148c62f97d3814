"""Compiles Triton's kernels for a GPU, which need not be there: a line of what instructions each has."""

import re
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from lmul.torch.gpu import kernels

TARGET = GPUTarget("cuda", 90, 32)

TYPES = {"significands": "*fp64", "order": "*i32", "left": "*i8"}

PRODUCTS = {"TABULATED": True, "MANTISSA": 3, "LANES": 32, "LEVELS": 5, "ROWS": 4, "COLUMNS": 32}

FUSED = {
    "ALIGNED": "products",
    "GROUPED": 0,
    "SMALLEST": -127,
    "FRACTION": 25,
    "KEPT": 23,
    "NEAREST": True,
    "LEAST": -133,
}

KERNELS = (
    (kernels.fused_sums, FUSED, "*fp32"),
    (kernels.fused_sums, FUSED | {"ALIGNED": "operands", "TABULATED": False, "NEAREST": False}, "*fp32"),
    (kernels.fused_sums, FUSED | {"ALIGNED": "groups", "GROUPED": 4}, "*fp32"),
    (kernels.fixed_sums, {"BITS": 24, "LSB": -9}, "*fp64"),
    (kernels.float_sums, {}, "*fp32"),
    (kernels.exact_sums, {"PART": 2, "BITS": 40}, "*fp64"),
)


def instructions(kernel: Any, constants: dict[str, Any], sums: str) -> str:
    """Compile a kernel and give its PTX; that it assembles is part of it."""
    names = kernel.arg_names
    types = TYPES | dict.fromkeys(("a", "b", "a_weights", "b_weights"), "*fp32") | {"sums": sums}
    signature = {name: "constexpr" if name in constants else types.get(name, "i32") for name in names}
    places = {(names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=kernel, signature=signature, constexprs=places)
    compiled = triton.compile(source, target=TARGET, options={"enable_fp_fusion": False})
    assert compiled.asm["cubin"]
    text: str = compiled.asm["ptx"]
    return text


if __name__ == "__main__":
    for kernel, constants, sums in KERNELS:
        ptx = instructions(kernel, PRODUCTS | constants, sums)
        fused, flushed = (len(re.findall(word, ptx)) for word in (r"\bfma\.", r"\.ftz\b"))
        print(f"{kernel.__name__} fma {fused} ftz {flushed}")
