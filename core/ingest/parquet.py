"""Parquet cells by pyarrow, which answers damage with an error.

Polars' own reader is faster, but a flipped bit in a footer makes it panic or reserve exabytes, which ends the process.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MAGIC = b"PAR1"
ROWS_AT_ONCE = 10_000
MOST_CELLS_PER_BYTE = 100
FEW_CELLS = 50_000_000
"""Above this many cells, more than MOST_CELLS_PER_BYTE of them a byte are a bomb: one value said a billion times."""
_FAULTS = (pa.ArrowException, OSError, OverflowError, ValueError, TypeError)


class BadParquet(ValueError):
    """The file cannot be read; the message says why and what to do."""


def table(content: bytes) -> Iterator[list[Any]]:
    """The columns' names, then the rows; structures are dicts, maps too. Raises BadParquet."""
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        names = list(file.schema_arrow.names)
        cells = file.metadata.num_rows * max(1, len(names))
        if cells > FEW_CELLS and cells > MOST_CELLS_PER_BYTE * len(content):
            raise BadParquet(
                f"its {len(content):,} bytes claim {cells:,} cells, and it was not read; split the file."
            )
        yield names
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False):
            columns = [_cells(column) for column in batch.columns]
            yield from (list(row) for row in zip(*columns, strict=True))
    except BadParquet:
        raise
    except _FAULTS as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise BadParquet(f"the Parquet file is damaged ({first_line}); export it again.") from error


def records(content: bytes) -> Iterator[dict[str, Any]]:
    """Rows by the columns' names. Raises BadParquet."""
    lines = table(content)
    names = next(lines)
    for row in lines:
        yield dict(zip(names, row, strict=True))


def _cells(column: pa.Array) -> list[Any]:
    """Python values of a column. A datetime holds microseconds: finer times are cut, as every reader here cuts them."""
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pa.timestamp("us", tz=kind.tz), safe=False)
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
    cells: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
    return cells
