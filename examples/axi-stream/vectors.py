"""Write a.hex, b.hex and c.hex for testbench.v: random matrices, and their products by the golden model."""

import sys
from pathlib import Path

import numpy as np

from lmul.design import make_design
from lmul.sim.stimulus.tiles import tiles

DESIGN = make_design("array", rows=2, cols=2, lanes=2)

SHAPES = ((2, 8, 2), (6, 20, 4), (3, 2, 5))
"""M, K and N of the products."""


def main(directory: Path) -> None:
    """Write the files and print how many beats they have, as parameters of the testbench."""
    rng = np.random.default_rng(1)
    a, b, c = [], [], []
    for rows, inner, cols in SHAPES:
        matrices = (rng.integers(0, 256, shape) for shape in ((rows, inner), (inner, cols)))
        for tile in tiles(*matrices, DESIGN):
            a += _lines(tile.a, 32)
            b += _lines(tile.b, 32)
            c += _lines(tile.rows, 64, tile.flags)
    for name, lines in (("a", a), ("b", b), ("c", c)):
        (directory / f"{name}.hex").write_text("\n".join(lines) + "\n")
    print(f"-Ptestbench.OPERANDS={len(a)} -Ptestbench.RESULTS={len(c)}")


def _lines(beats: list[int], width: int, users: list[int] | None = None) -> list[str]:
    """Give beats with tlast above tdata, and tuser above that."""
    last = len(beats) - 1
    users = users or [0] * len(beats)
    return [
        f"{(user << 1 | (index == last)) << width | beat:x}"
        for index, (beat, user) in enumerate(zip(beats, users, strict=True))
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
