"""What a snapshot takes in Redis, by the server's own account."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.memory import measure_memory

__all__ = ["measure"]


async def measure(bench: Bench) -> None:
    """Add up the keys of the snapshot."""
    bench.tell("memory")
    found = measure_memory(bench.setting)
    bench.figures["memory"] |= found
    bench.ratios.divide(
        "index_overhead",
        ("index bytes", found["index_bytes"]),
        ("entry bytes", found["entry_bytes"]),
    )
