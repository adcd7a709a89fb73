"""Numbers that one process changes and others read, with next to no work for either.

A block is a row of records, each with a key and one or more float64 cells behind it::

    header   8 bytes  b"wcfigur1"
             8 bytes  how many bytes of the block are in use, header included
    record   4 bytes  length of the key
             4 bytes  how many cells
             …        the key in UTF-8, filled up to a multiple of 8 bytes
             8 bytes  each cell

Integers are little-endian, cells as the machine has them. A record is complete before the header
counts it, and a cell is aligned, so whoever reads meanwhile sees whole numbers. Records are never
moved or removed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from mmap import mmap
from typing import IO, Final

__all__ = ["Cells", "read_cells"]

_MAGIC: Final = b"wcfigur1"
_HEADER: Final = 16
_SIZES: Final = struct.Struct("<II")
_USED: Final = struct.Struct("<Q")
_BEGIN: Final = 1 << 16


class Cells:
    """The cells of one process; all calls come from one thread.

    Args:
        file: open for reading and writing, empty; None keeps them in the process.
    """

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self._file = file
        self._block: mmap | bytearray = bytearray(0)
        self._places: dict[str, int] = {}
        self.values: memoryview[float] = memoryview(b"").cast("d")
        """All cells; where those of a key begin is what `place` says. Taken anew after that."""
        self._used = _HEADER
        self._resize(_BEGIN)
        self._block[:_HEADER] = _MAGIC + _USED.pack(_HEADER)

    def place(self, key: str, cells: int = 1) -> int:
        """Where the cells of a key begin in `values`; they are made, and 0, if it is new.

        Args:
            key: any text.
            cells: how many; the same for a key at each call.
        """
        known = self._places.get(key)
        if known is not None:
            return known
        encoded = key.encode()
        name = encoded.ljust(-(-len(encoded) // 8) * 8, b"\0")
        record = _SIZES.pack(len(encoded), cells) + name + bytes(8 * cells)
        begin, end = self._used, self._used + len(record)
        while end > len(self.values) * 8:
            self._resize(len(self.values) * 16)
        self._block[begin:end] = record
        self._block[8:_HEADER] = _USED.pack(end)
        self._used = end
        place = self._places[key] = (end - 8 * cells) // 8
        return place

    def content(self) -> bytes:
        """The block as it is now."""
        return bytes(self._block[: self._used])

    def close(self) -> None:
        """Let go of the file; it stays as it is, and what is counted from here on goes nowhere."""
        self.values.release()
        self._block = bytearray(self._block)
        self.values = memoryview(self._block).cast("d")
        if self._file is not None:
            self._file.close()
            self._file = None

    def _resize(self, size: int) -> None:
        self.values.release()
        if self._file is None:
            self._block = bytearray(bytes(self._block).ljust(size, b"\0"))
        else:
            # Written rather than cut to size: a page that the disk has no room for would end the
            # process when it is touched.
            self._file.write(bytes(size - len(self._block)))
            self._file.flush()
            self._block = mmap(self._file.fileno(), size)
        self.values = memoryview(self._block).cast("d")


def read_cells(block: bytes) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Each key of a block with its cells; nothing of what isn't a block."""
    if len(block) < _HEADER or not block.startswith(_MAGIC):
        return
    (used,) = _USED.unpack_from(block, 8)
    at = _HEADER
    while at < min(used, len(block)):
        length, count = _SIZES.unpack_from(block, at)
        name = at + _SIZES.size
        cells = name + -(-length // 8) * 8
        yield block[name : name + length].decode(), struct.unpack_from(f"{count}d", block, cells)
        at = cells + 8 * count
