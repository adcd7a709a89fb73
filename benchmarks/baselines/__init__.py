"""What warmcube is measured against, each as well as those who use it would write it.

Where a baseline has several forms, all are measured, and the fastest counts: a sceptic would pick
it too. What they stand for, and what their authors would say for them, is told by each module.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from benchmarks.baselines import duckdb, postgres
from benchmarks.baselines.api import Baseline, Opener, Place
from benchmarks.baselines.result_cache import open_result_cache
from benchmarks.baselines.v1 import open_v1
from benchmarks.baselines.v2_json import open_v2_json

__all__ = ["BASELINES", "Baseline", "Opener", "Place"]

BASELINES: Final[Mapping[str, tuple[Opener, ...]]] = MappingProxyType(
    {
        "v1": (open_v1,),
        "v2_json": (open_v2_json,),
        "postgres": (
            partial(postgres.open_postgres, form=postgres.Form.NUMERIC, is_tuned=False),
            partial(postgres.open_postgres, form=postgres.Form.INT8, is_tuned=False),
        ),
        "postgres_tuned": (
            partial(postgres.open_postgres, form=postgres.Form.INT8),
            partial(postgres.open_postgres, form=postgres.Form.ARRAYS),
        ),
        "duckdb": tuple(partial(duckdb.open_duckdb, form=form) for form in duckdb.Form),
        "result_cache": (open_result_cache,),
    }
)
"""By name, the forms of each; `benchmarks.baselines.floor` and `…copying` are of another kind."""
