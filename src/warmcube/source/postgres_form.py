"""What ADBC gives for the expressions of `warmcube.source.postgres_column`, in storage form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from warmcube.model.schema import Column, Schema
from warmcube.source.postgres_column import MINUS_INFINITY, TOO_LATE
from warmcube.source.storage_form import INSTANT_MIN, Array, storage_batch, unsupported

__all__ = ["postgres_batch"]


def postgres_batch(arrays: Sequence[Array], schema: Schema) -> pa.RecordBatch:
    """A batch in storage form; `arrays` are one per column of `schema`, in its order.

    Raises:
        UnsupportedValue: a value can't be kept exactly; names the column.
    """
    placed = [
        _instants(array, column) if column.type.kind.is_instant else array
        for array, column in zip(arrays, schema.columns, strict=True)
    ]
    return storage_batch(placed, schema)


def _instants(array: Array, column: Column) -> Array:
    """Put -infinity where it belongs, and refuse what was too late for int64."""
    values = array.cast(pa.int64())
    late = np.asarray(values.fill_null(0))
    if len(late) == 0 or late.max() < TOO_LATE:
        return values
    if (late == TOO_LATE).any():
        raise unsupported(column, "an instant after the year 294246")
    return pa.array(
        np.where(late == MINUS_INFINITY, INSTANT_MIN, late),
        mask=np.asarray(values.is_null()),
    )
