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

Where things are:

- `goals`: what each ratio says and has to be; `report`, `plots`, `page`: how figures are shown.
- `setting`, `data`, `machine`: the servers, what lies in them, what they run on.
- `questions`, `truth`: what is asked, and SQL's answer to it, that everybody is held against.
- `baselines/`: what people would use instead, behind `baselines.api`; `ours`: warmcube likewise.
- `workloads/`: one module for each; it takes a `bench.Bench` and leaves figures and ratios in it.
- `field`, `measure`, `bursts`: who takes part, in turns, or many at a time.
- `warm_once`, `baseline_once`: processes of their own, for a peak of memory of their own.
- `service`, `dashboards`: commands of their own, for what is above the engine.

A new workload is a module in `workloads/` and a line in `benchmarks.__main__`; a new baseline has
an opener in `BASELINES` of `benchmarks.baselines`, and is asked by the workloads that name it.
"""
