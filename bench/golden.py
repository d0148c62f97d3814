"""Speed of the golden model, as ratios to NumPy and ml_dtypes measured in the same run.

`python bench/golden.py`; machines differ and are noisy, so that only the ratios mean something.
"""

import os
import time
import tracemalloc
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from results import BILLIONS, Result, show

from lmul.golden import (
    BF16,
    E4M3,
    E5M2,
    INT8,
    Arithmetic,
    Format,
    Integer,
    matmul_codes,
    multiply,
    quantise,
    wide_product,
)
from lmul.llm.products.devices import find_gpu
from lmul.terminal.progress import working

SIZE = 1024
ROUNDS = 5
LOOP_COLUMNS = 32
"""Inner size of the table-lookup loop, which is timed for fewer products and scaled up."""

PAIRS = 100_000_000
MEMORY_SIZE = 4096
GPU_SIZE = 2048
GIB = 1 << 30

GPU_SCHEMES = (
    "lmul,e4m3,row",
    "lmul,bf16,row",
    "exact,e4m3,row,acc=b200",
    "lmul,e4m3,row,acc=b200",
    "lmul,e4m3,row,acc=fp32",
    "lmul,e4m3,row,acc=fixed:24:-8",
)
"""Exact sums by matrix products and by a kernel, and those of each of the other kernels."""


def operands(format_: Format) -> tuple[NDArray[Any], NDArray[Any]]:
    """Draw codes that use the whole exponent range, the hardest case for the windows of exponents."""
    generator = np.random.default_rng(1)
    if isinstance(format_, Integer):
        a, b = generator.integers(0, 1 << format_.width, (2, SIZE, SIZE)).astype(format_.dtype)
        return a, b
    magnitude = generator.integers(0, format_.largest_finite + 1, (2, SIZE, SIZE))
    codes = magnitude | (generator.integers(0, 2, magnitude.shape) * format_.sign_mask)
    a, b = codes.astype(format_.dtype)
    return a, b


def seconds(run: Callable[[], object], reference: Callable[[], object]) -> tuple[float, float]:
    """Time two things in turns, so that both meet the same machine: the median of each."""
    times: list[tuple[float, float]] = []
    for _ in range(ROUNDS + 1):  # The first round fills caches and tables.
        start = time.perf_counter()
        run()
        middle = time.perf_counter()
        reference()
        times.append((middle - start, time.perf_counter() - middle))
    mine, theirs = np.median(times[1:], axis=0)
    return float(mine), float(theirs)


def beside_blas(arithmetic: Arithmetic) -> tuple[float, float]:
    """Time a matrix product and one of doubles of the same size, in seconds."""
    a, b = operands(arithmetic.format)
    x, y = np.random.default_rng(1).normal(size=(2, SIZE, SIZE))
    return seconds(lambda: matmul_codes(a, b, arithmetic), lambda: x @ y)


def against_blas(arithmetic: Arithmetic, goal: float) -> Result:
    """Compare a matrix product with one of doubles of the same size."""
    mine, blas = beside_blas(arithmetic)
    what = f"{arithmetic.format.name} {arithmetic.mul}, exact accumulator, {SIZE}^3 / float64 BLAS"
    return Result(what, "times its time", mine / blas, goal, at_most=True)


def fused_sums(arithmetic: Arithmetic) -> list[Result]:
    """Measure a matrix product of fused sums on one core, alone and beside one of doubles."""
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(every)})
    try:  # NumPy's threads are as many as a new process has cores.
        with get_context("spawn").Pool(1) as pool:
            mine, blas = pool.apply(beside_blas, (arithmetic,))
    finally:
        os.sched_setaffinity(0, every)
    what = f"{arithmetic.format.name} {arithmetic.mul}, {arithmetic.acc}, {SIZE}^3 on one core"
    return [
        Result(what, BILLIONS, SIZE**3 / mine / 1e9, 6, at_most=False),
        Result(f"{what} / float64 BLAS", "times its time", mine / blas, 8, at_most=True),
    ]


def tensor_seconds(words: str, device: str) -> float:
    """Time a product of PyTorch's tensors on a device, operands quantised there too: the median."""
    import torch

    from lmul.torch import matmul

    a, b = torch.randn(2, GPU_SIZE, GPU_SIZE, generator=torch.Generator().manual_seed(1)).to(device)
    times = []
    for _ in range(ROUNDS + 1):  # The first round compiles.
        start = time.perf_counter()
        matmul(a, b, words)
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def on_gpu() -> list[Result]:
    """Compare products of tensors on a graphics processor with the same on two cores."""
    what, unit = f"{GPU_SIZE}^3 on a GPU / on two cores", "times its speed"
    if find_gpu() is None:
        return [Result(what, unit, None, 20, at_most=False, reason="There is no GPU that PyTorch can use.")]
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(every)[:2]))
    try:  # Threads are as many as a new process has cores.
        with get_context("spawn").Pool(1) as pool:
            host = pool.starmap(tensor_seconds, ((words, "cpu") for words in GPU_SCHEMES))
    finally:
        os.sched_setaffinity(0, every)
    return [
        Result(f"{words}, {what}", unit, seconds / tensor_seconds(words, "cuda"), 20, at_most=False)
        for words, seconds in zip(GPU_SCHEMES, host, strict=True)
    ]


def against_loop(arithmetic: Arithmetic) -> Result:
    """Compare a matrix product with the plain loop of table look-ups."""
    a, b = (
        quantise(m, arithmetic.format).codes for m in np.random.default_rng(1).normal(size=(2, SIZE, SIZE))
    )
    codes = np.arange(1 << arithmetic.format.width)
    table = wide_product(codes[:, None], codes[None, :], arithmetic).astype(np.float32)

    def loop() -> NDArray[np.float32]:
        total = np.zeros((SIZE, SIZE), dtype=np.float32)
        for k in range(LOOP_COLUMNS):
            total += table[a[:, k, None], b[None, k, :]]
        return total

    mine, theirs = seconds(lambda: matmul_codes(a, b, arithmetic), loop)
    speed = theirs * SIZE / LOOP_COLUMNS / mine
    what = f"{arithmetic.format.name} {arithmetic.mul}, {arithmetic.acc}, {SIZE}^3 / table look-ups"
    return Result(what, "times its speed", speed, 1.0, at_most=False)


def against_ml_dtypes(format_: Format, dtype: Any, pairs: int, goal: float) -> Result:
    """Compare elementwise multiplication of codes."""
    normal = np.random.default_rng(1).normal(size=(2, pairs)).astype(np.float32)
    x, y = (values.astype(dtype) for values in normal)
    a, b = (values.view(format_.dtype) for values in (x, y))
    arithmetic = Arithmetic(format=format_)
    mine, theirs = seconds(lambda: multiply(a, b, arithmetic), lambda: x * y)
    what = f"{format_.name} {arithmetic.mul}, {pairs / 1e6:g} million products / ml_dtypes"
    return Result(what, "times its speed", theirs / mine, goal, at_most=False)


def memory(arithmetic: Arithmetic) -> Result:
    """Measure the most memory that a large matrix product takes, its operands and result included."""
    generator = np.random.default_rng(1)
    tracemalloc.start()
    a, b = (generator.integers(0, 1 << 7, (MEMORY_SIZE, MEMORY_SIZE), dtype=np.uint8) for _ in "ab")
    matmul_codes(
        a % arithmetic.format.largest_finite, b % arithmetic.format.largest_finite, arithmetic
    ).output()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    what = f"{arithmetic.format.name} {arithmetic.mul}, exact accumulator, {MEMORY_SIZE}^3: memory"
    return Result(what, "GiB", peak / GIB, 2.0, at_most=True)


def measure() -> list[Result]:
    """Measure everything there is a goal for."""
    jobs: list[Callable[[], Result | list[Result]]] = [
        lambda: against_blas(Arithmetic(), 10),
        lambda: against_blas(Arithmetic(format=E5M2), 18),
        lambda: against_blas(Arithmetic(mul="formula"), 3),
        lambda: against_blas(Arithmetic(format=INT8, mul="exact"), 1.5),
        *(
            lambda acc=acc: against_loop(Arithmetic(acc=acc))
            for acc in ("fp32", "bf16", "fp16", "fixed:24:-4")
        ),
        *(
            lambda mul=mul, acc=acc: fused_sums(Arithmetic(mul=mul, acc=acc, lanes=32))
            for acc in ("h100", "b200")
            for mul in ("lmul", "exact")
        ),
        lambda: against_ml_dtypes(E4M3, ml_dtypes.float8_e4m3fn, PAIRS, 5),
        lambda: against_ml_dtypes(BF16, ml_dtypes.bfloat16, PAIRS // 4, 1),
        on_gpu,
        lambda: memory(Arithmetic(depth=MEMORY_SIZE)),
        lambda: memory(Arithmetic(format=E5M2, depth=MEMORY_SIZE)),
    ]
    results: list[Result] = []
    with working("Measuring the golden model") as report:
        for done, job in enumerate(jobs):
            report(done, len(jobs))
            found = job()
            results += found if isinstance(found, list) else [found]
    return results


if __name__ == "__main__":
    show(__doc__, measure)
