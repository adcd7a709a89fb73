"""How fast warmcube is, measured on real servers: ``python -m benchmarks``.

What is compared, and what each figure leaves out:

- A *warm* runs in a process of its own. Its floor is reading the whole table through ADBC, which
  sends ``COPY (SELECT …) TO STDOUT (FORMAT binary)``, and dropping what comes.
- A *query* goes through `AnalyticsCache.query`, access rules and proofs included, and ends with a
  packed `Result`; its floor is SUNION and MGET of the same keys, with nothing proven or decoded.
- *Postgres* answers from integers alone, 4 columns of them, out of a covering index, with
  prepared statements through ADBC; the cache's rows have all 13 columns.
- The *fallback* is the cache's own way to the database, under the same grant, on an index over
  measure, frequency and practice.

All of them take turns, on one machine with the servers, over Unix sockets.
"""
