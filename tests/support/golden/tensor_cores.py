"""Steps of tensor cores that tests compare with, and what the golden model makes of them."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmul.sim.stimulus.vectors import Steps, arithmetic, combinations

MODELLED = Path(__file__).parent / "vectors" / "tensor_core.npz"

MEASURED = Path(os.environ.get("LMUL_VECTORS", ""), "silicon.npz")


def names(path: Path) -> list[str]:
    """Name the combinations of a file, none where there is no such file."""
    return combinations(path) if path.is_file() else []


def called(given: Steps) -> NDArray[np.uint32]:
    """Give what is compared with d, step by step."""
    return given.results(given.modelled(arithmetic(given.name)))
