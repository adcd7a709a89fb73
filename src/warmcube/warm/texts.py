"""Text columns on their way into entries: a dictionary while it stays small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from warmcube.entry.dictionary import MAX_BYTES, MAX_VALUES

__all__ = ["TextColumn"]


class TextColumn:
    """Turns the texts of one column into positions in its dictionary.

    Once there are too many of them it stops: the batches that follow keep their texts, and those
    that went before can be turned back. Which way a spilled batch went shows in its type.

    Args:
        max_values: how many texts a dictionary has room for.
        max_bytes: and for how many bytes.
        known: the first of its texts, each in its place.
    """

    def __init__(
        self,
        max_values: int = MAX_VALUES,
        max_bytes: int = MAX_BYTES,
        known: Sequence[str] = (),
    ) -> None:
        self.overflowed = False
        self.values = list(known)
        self._positions = {value: at for at, value in enumerate(known)}
        self._room_values = max_values - len(known)
        self._room_bytes = max_bytes - sum(len(value.encode()) for value in known)

    def encode(self, texts: pa.Array) -> pa.Array:
        """Positions (uint32), or the texts as they are if there is no dictionary any more."""
        if self.overflowed:
            return texts
        encoded = texts.dictionary_encode()
        for value in encoded.dictionary.to_pylist():
            if value not in self._positions:
                self._positions[value] = len(self.values)
                self.values.append(value)
                self._room_values -= 1
                self._room_bytes -= len(value.encode())
        if self._room_values < 0 or self._room_bytes < 0:
            self.overflowed = True
            self._positions.clear()
            return texts
        local = [self._positions[value] for value in encoded.dictionary.to_pylist()]
        return pa.array(np.array(local, np.uint32)).take(encoded.indices)

    def texts(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """A spilled column as texts, whichever way its batches went."""
        values = pa.array(self.values, pa.string())
        return pa.chunked_array(
            [
                values.take(chunk) if pa.types.is_uint32(chunk.type) else chunk
                for chunk in column.chunks
            ],
            pa.string(),
        )
