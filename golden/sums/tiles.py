"""Matrices cut into tiles that stay in the cache."""

from collections.abc import Iterator

from lmul.host.parallel import equal_parts, processors

TILE_ROWS, TILE_COLUMNS = 256, 1024

FEWEST_COLUMNS = 256
"""Narrower tiles cost more than a processor without any."""


def tiles(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Give the row and column ranges of all tiles of a matrix."""
    for row in range(0, rows, TILE_ROWS):
        for column in range(0, columns, TILE_COLUMNS):
            yield slice(row, row + TILE_ROWS), slice(column, column + TILE_COLUMNS)


def column_tiles(columns: int, matrices: int) -> list[slice]:
    """Give the column ranges of tiles of some matrices: enough of them for every processor."""
    for_all = min(-(-processors() // max(matrices, 1)), columns // FEWEST_COLUMNS)
    return equal_parts(columns, max(-(-columns // TILE_COLUMNS), for_all))
