"""Matrix products of a model on the simulated array: codes go in, and rows of sums come out."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmul.design import Design
from lmul.golden import FORMATS, Codes, Quantised, decode, multiply_scaled
from lmul.hdl import export
from lmul.hdl.axi_stream import data_bits
from lmul.host.files import locked, scratch, write_files
from lmul.llm.products.host import SchemeMatmul, Weights
from lmul.scheme import Scheme
from lmul.sim.native.native import build_array, run_array, write_tiles
from lmul.sim.simulate import SimulationError
from lmul.sim.stimulus.tiles import tiles
from lmul.workloads.smollm2 import Array


class ArrayMatmul(SchemeMatmul):
    """Computes the products that a scheme covers on a Verilated array, tile by tile.

    The bench compares every row and every flag with the golden model's; what is returned is what came out of
    the array.

    Parameters
    ----------
    scheme : Scheme
        Its operands have one scale, or one a row.
    design : Design
        An output-stationary `array` of the scheme's arithmetic, whose output is fp32 or bf16.
    weights : Weights
    directory : Path
        For the simulator and its files.

    Attributes
    ----------
    rows, cycles : int
        Rows that were compared, and clock cycles simulated so far.

    Raises
    ------
    UserError
        There is no usable Verilator or C++ compiler.
    """

    def __init__(self, scheme: Scheme, design: Design, weights: Weights, directory: Path) -> None:
        super().__init__(scheme, weights)
        self._design = design
        self._directory = directory
        self.rows = 0
        self.cycles = 0
        with locked(directory):
            text = export(design)
            (source,) = write_files(directory, {f"{text.name}.v": text.verilog})
            self._program = build_array([source], text.name, directory / "build")

    def multiply(self, x: Quantised, y: Quantised, scheme: Scheme) -> tuple[Array, int]:
        """Multiply quantised factors; raise SimulationError where the array and the golden model differ."""
        wanted, left_range = multiply_scaled(x, y, self._design)
        values = np.empty(wanted.shape)
        for index in np.ndindex(wanted.shape[:-2]):
            second = y.codes[index] if y.codes.ndim > 2 else y.codes
            values[index] = self._run(x.codes[index], second)
        values = values * x.scale * y.scale
        if not np.array_equal(values, wanted):
            raise SimulationError("the array's rows are right, but not the matrices made of them")
        return values, left_range

    def _run(self, a: Codes, b: Codes) -> NDArray[np.float32]:
        """Send a matrix product of codes through the array and read what came out."""
        design = self._design
        # Another run with the same directory must not read our tiles.
        with scratch(self._directory) as own:
            sent, received = own / "tiles.bin", own / "rows.bin"
            write_tiles(list(tiles(a, b, design)), design, sent)
            counted = run_array(self._program, sent, rows=received)
            beats = np.fromfile(received, np.uint8).reshape(-1, data_bits(design)["c"] // 8)
        self.rows += counted.rows
        self.cycles += counted.cycles
        width = design.output_bits // 8
        elements = beats[:, : design.cols * width].copy().view(f"<u{width}")
        # Tiles come row after row of tiles, and each tile's rows one after the other.
        grid = elements.reshape(-(-len(a) // design.rows), -1, design.rows, design.cols)
        whole = grid.swapaxes(1, 2).reshape(grid.shape[0] * design.rows, -1)
        return decode(whole[: len(a), : b.shape[1]], FORMATS[design.out])
