"""One proof from beginning to end."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from warmcube.config import Settings
from warmcube.embedded import EmbeddedPostgres
from warmcube.engine import AnalyticsCache
from warmcube.errors import AccessDenied, DirectoryError, WarmcubeError
from warmcube.model.request import NULL, Query
from warmcube.model.schema import Datasource
from warmcube.postgres.session import DRIVER_ERRORS, tell
from warmcube.postgres.url import PostgresUrl
from warmcube.prove.breakouts import BREAKOUTS
from warmcube.prove.case import Case, Scene, Wanted
from warmcube.prove.gate import false_grants, false_users, try_grant
from warmcube.prove.judge import Answer, Limits, Verdict, judge
from warmcube.prove.predicate import Door, Ground, View, view_of
from warmcube.prove.reads import READS, Maker
from warmcube.prove.records import Records, read_file
from warmcube.prove.records_database import read_database
from warmcube.prove.report import DatasourceReport, Finding, Report, Tally, visible
from warmcube.prove.sample import choose_users
from warmcube.prove.sql import Database, Partition, open_database
from warmcube.prove.witness import Witness, call_witness

__all__ = ["MOST_USERS", "Options", "prove"]
