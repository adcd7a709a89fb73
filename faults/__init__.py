"""The fault suite: what users get while things break, compared answer by answer with SQL.

warmcube runs on real servers of its own, behind proxies that can cut, delay and truncate. A writer
changes the table all the time, readers ask random questions through the library and the service,
and one fault after the other is let loose on all of it. Each answer names the change that it shows,
and is compared with SQL as of that change, in another database that keeps every version of every
row.

The parts, each of which knows only those before it:

- `table`, `people`: the table that is measured, and who may see what of it
- `questions`: random questions, and the SQL that answers them
- `history`: the other database; `writer`: what changes the table, and tells the history
- `proxy`, `disks`, `servers`, `world`: what everything runs on; `rules`: what must hold of answers
- `verdicts`: what an answer is worth; `readers`: who asks; `watch`: what the database is asked
- `processes`, `skewed`, `serve`, `warm_once`, `work`: what runs in processes of its own
- `warming`: warmers that can be stopped at each step
- `moments`, `stage`: when faults strike, and what they may touch
- `kinds`: the faults, one small class each
- `suite`: lets them loose, one after the other; `report`: what came of it
"""
