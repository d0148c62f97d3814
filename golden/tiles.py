"""Matrices cut into tiles that stay in the cache."""

from collections.abc import Iterator

TILE_ROWS, TILE_COLUMNS = 256, 1024


def tiles(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Give the row and column ranges of all tiles of a matrix."""
    for row in range(0, rows, TILE_ROWS):
        for column in range(0, columns, TILE_COLUMNS):
            yield slice(row, row + TILE_ROWS), slice(column, column + TILE_COLUMNS)
