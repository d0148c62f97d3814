"""Matrices cut into tiles that stay in the cache."""

from collections.abc import Iterator

TILE_ROWS, TILE_COLUMNS = 256, 1024


def tiles(
    rows: int, columns: int, tile_rows: int = TILE_ROWS, tile_columns: int = TILE_COLUMNS
) -> Iterator[tuple[slice, slice]]:
    """Give the row and column ranges of all tiles of a matrix."""
    for row in range(0, rows, tile_rows):
        for column in range(0, columns, tile_columns):
            yield slice(row, row + tile_rows), slice(column, column + tile_columns)
