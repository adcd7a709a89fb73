"""Real servers for the tests, and the ``--long`` switch.

Every test process (xdist starts several) runs its own Redis and Postgres, out of the wheels of the
``embedded`` extra. ``WARMCUBE_TEST_REDIS_SERVER`` names another ``redis-server`` or
``valkey-server`` to test on; ``PATH`` means the ``redis-server`` found there.
"""

import io
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import coverage
import pytest
import redis
from adbc_driver_postgresql import dbapi
from hypothesis import Phase, settings
from tests.support.browser import MISSING
from tests.support.clusters import HASTY_MS, RedisCluster, run_cluster
from tests.support.sql import forget

from warmcube.embedded import EmbeddedPostgres, EmbeddedRedis

# How long an example takes says more of the machine than of the code.
settings.register_profile("warmcube", deadline=None)
settings.load_profile("warmcube")

_SERIAL = itertools.count()

_PURE = [
    *(f"*/warmcube/{package}/*" for package in ("access", "entry", "model")),
    *(
        f"*/warmcube/audit/{module}.py"
        for module in ("events", "fold", "line", "listed", "reasons", "request", "schema", "text")
    ),
    *(
        f"*/warmcube/dashboard/{module}.py"
        for module in (
            "against",
            "dates",
            "definition",
            "fields",
            "forms",
            "guess",
            "library",
            "parse",
        )
    ),
    *(
        f"*/warmcube/dashboard/{module}.py"
        for module in ("propose", "references", "relations", "schema", "shapes", "text", "troubles")
    ),
    *(f"*/warmcube/jobs/{module}.py" for module in ("job", "share")),
    "*/warmcube/observe/health.py",
    *(f"*/warmcube/worker/{module}.py" for module in ("cron", "pauses", "schedule")),
]
_COVERAGE = (("everything", 95, None), ("the pure modules", 100, _PURE))


# A mutant's fate must not depend on luck, and its smallest counterexample is of no interest.
settings.register_profile(
    "mutation",
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--long``, ``--keep-pictures`` and ``--enforce-coverage``."""
    parser.addoption("--long", action="store_true", help="run the tests that take minutes too")
    parser.addoption(
        "--keep-pictures", action="store_true", help="keep pictures of pages in docs/images"
    )
    parser.addoption(
        "--enforce-coverage",
        action="store_true",
        help="fail if the tests miss too much: 95 %% of all, anything of the pure modules",
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that is green but misses too much."""
    config = session.config
    is_worker = hasattr(config, "workerinput")
    if is_worker or not config.getoption("--enforce-coverage") or session.exitstatus != 0:
        return
    measured = coverage.Coverage()
    measured.load()
    for what, wanted, patterns in _COVERAGE:
        found = measured.report(include=patterns, file=io.StringIO())
        if found < wanted:
            reporter = config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.write_line(
                    f"\ncoverage of {what}: {found:.2f} %, not {wanted} %", red=True
                )
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the very end what is missing, so that nobody takes the rest for the whole."""
    skipped = terminalreporter.getreports("skipped")
    if any(MISSING in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(MISSING, yellow=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is marked ``long``, unless asked for."""
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes minutes; runs with --long"))


@pytest.fixture(scope="session", autouse=True)
def _unhurried() -> Iterator[None]:
    """A busy machine keeps a server waiting for longer than a step, and a probe of it for longer
    than it waits: no server is given up for that. Tests of silent servers set their own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warmcube.store.paced.STEP_SECONDS", 5.0)
        patch.setattr("warmcube.store.probe.PROBE_SECONDS", 5.0)
        yield


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder for the data of servers, that an unprivileged Postgres can reach."""
    folder = Path(tempfile.mkdtemp(prefix="warmcube-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def redis_executable() -> Path | None:
    """The redis-server to test on; None is the wheel's."""
    named = os.environ.get("WARMCUBE_TEST_REDIS_SERVER", "")
    if named == "PATH":
        found = shutil.which("redis-server")
        if found is None:
            pytest.exit("WARMCUBE_TEST_REDIS_SERVER=PATH, but PATH has no redis-server", 2)
        named = found
    return Path(named) if named else None


@pytest.fixture(scope="session")
def redis_server(server_folder: Path, redis_executable: Path | None) -> Iterator[EmbeddedRedis]:
    """A Redis for the whole session; `redis_url` empties it."""
    with EmbeddedRedis(server_folder / "redis", redis_executable) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """The URL of an empty Redis."""
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def redis_factory(
    server_folder: Path, redis_executable: Path | None
) -> Iterator[Callable[..., EmbeddedRedis]]:
    """Starts more Redis servers: each call takes options of redis-server, and returns a server."""
    with ExitStack() as servers:

        def start(*extra_args: str) -> EmbeddedRedis:
            folder = server_folder / f"redis-{next(_SERIAL)}"
            server = EmbeddedRedis(folder, redis_executable, extra_args=extra_args)
            return servers.enter_context(server)

        yield start


@pytest.fixture(scope="session")
def redis_cluster(redis_executable: Path | None) -> Iterator[RedisCluster]:
    """A cluster for the whole session, of three masters and three replicas, all of which stay."""
    with run_cluster(redis_executable) as cluster:
        yield cluster


@pytest.fixture
def cluster_url(redis_cluster: RedisCluster) -> str:
    """The URL of an empty cluster."""
    redis_cluster.flush()
    return redis_cluster.url


@pytest.fixture
def own_cluster(redis_executable: Path | None) -> Iterator[RedisCluster]:
    """A cluster of the test's own, whose nodes it may end and whose slots it may move."""
    with run_cluster(redis_executable, "--cluster-require-full-coverage", "no") as cluster:
        yield cluster


@pytest.fixture
def hasty_cluster(redis_executable: Path | None) -> Iterator[RedisCluster]:
    """The same, where a replica takes over from a master that is silent for a second."""
    options = ("--cluster-require-full-coverage", "no")
    with run_cluster(redis_executable, *options, timeout_ms=HASTY_MS) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A Postgres for the whole session."""
    with EmbeddedPostgres(server_folder / "postgres") as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: EmbeddedPostgres) -> str:
    """The URL of the session's database ``postgres``; what a test makes in it stays there."""
    return postgres_server.url


@pytest.fixture
def postgres_db(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of an empty database of the test's own."""
    with _database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def postgres_module_db(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of an empty database that the tests of a module share."""
    with _database(postgres_server) as url:
        yield url


@contextmanager
def _database(server: EmbeddedPostgres) -> Iterator[str]:
    name = f"test_{next(_SERIAL)}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield server.url_of(name)
    finally:
        forget()
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(server: EmbeddedPostgres, statement: str) -> None:
    connected = dbapi.connect(server.url, autocommit=True)
    with connected as connection, connection.cursor() as cursor:
        cursor.execute(statement)
