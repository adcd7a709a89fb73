"""How fast warmcube is, measured on real servers: ``python -m benchmarks``.

What is compared, and what each figure leaves out:

- A *warm* runs in a process of its own. Its floor is the fastest of several clients that read a
  bare ``COPY (SELECT *) TO STDOUT (FORMAT binary)`` and drop what comes.
- A *query* goes through `AnalyticsCache.query`, access rules, proofs, audit and metrics included,
  and ends with date and value of each row in the caller's hands. `store` is a cache whose process
  keeps nothing, `resident` one that has what is asked in memory, of which no question is asked
  twice. The floor is SUNION and MGET of the same keys, with nothing proven or decoded.
- *Postgres* answers from integers alone, those columns that are needed, out of a covering index.

What is compared takes turns, in one process, on one event loop, on one machine with the servers.
"""
