"""`warmcube.config.load`: from a file and the environment to settings, or to all that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from warmcube.config import Settings, load
from warmcube.errors import ConfigError, UnknownDatasource
from warmcube.model.schema import Datasource, Roles

SMALLEST = """
[sources.main]
url = "postgresql://user:hunter2@host:5432/db"
[[datasources]]
id = 1
name = "Practice analytics"
source = "main"
table = "ih.agg_app_measures"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load_text(folder: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    """The settings of a file with this text."""
    file = folder / "warmcube.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environment or {})


def problems_of(folder: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    """The lines of the error that a file with this text gives, without the file's own folder."""
    with pytest.raises(ConfigError) as caught:
        load_text(folder, text, environment)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_defaults(folder: Path) -> None:
    """What a file doesn't say has the contract's defaults."""
    settings = load_text(folder, SMALLEST)
    assert settings.store.url.get_secret_value() == "redis://127.0.0.1:6379/0"
    assert settings.store.integrity == "checksum"
    assert settings.store.namespace == ""
    assert settings.cache.model_dump() == {
        "ttl": 14400,
        "batch_size": 5000,
        "query_timeout": 10000,
        "enabled": True,
        "metrics": True,
        "stale_for": 3600,
        "keep_snapshots": 0,
        "max_pointer_age": 1.0,
        "max_unchecked_age": 5.0,
        "resident_bytes": 128 << 20,
        "index_bytes": 64 * 1024 * 1024,
        "practice_sums": True,
        "history_days": 7,
        "fallback_slots": 8,
    }
    assert settings.limits.model_dump() == {
        "rows": 1_000_000,
        "groups": 100_000,
        "list": 10_000,
        "conditions": 50,
        "running_per_user": 8,
        "body": 1_000_000,
        "depth": 16,
        "batch": 100,
        "fallback_rows": 2_000_000,
        "answer": 256_000_000,
    }
    assert settings.directory_path == folder / "access.toml"
    assert settings.embedded_folder == folder / ".warmcube"
    assert settings.audit.model_dump() == {
        "sink": "file",
        "path": None,
        "url": None,
        "table": "warmcube.audit",
        "required": False,
    }
    assert settings.audit_path == folder / ".warmcube" / "audit.jsonl"
    assert settings.datasources == (
        Datasource(id=1, name="Practice analytics", source="main", table="ih.agg_app_measures"),
    )


def test_everything_can_be_said(folder: Path) -> None:
    """Every key of the contract is read, and a role set to false is absent."""
    settings = load_text(
        folder,
        """
        [store]
        url = "embedded"
        integrity = "mac"
        mac_key = "0123456789abcdef0123456789abcdef"
        namespace = "prod:"
        [embedded]
        folder = "/data"
        [cache]
        ttl = 1
        batch_size = 2
        query_timeout = 3
        enabled = false
        metrics = false
        stale_for = 0
        keep_snapshots = 6
        max_pointer_age = 0
        max_unchecked_age = 0.5
        resident_bytes = 0
        index_bytes = 5
        practice_sums = false
        history_days = 3
        fallback_slots = 4
        [limits]
        rows = 1
        groups = 2
        list = 3
        conditions = 4
        running_per_user = 5
        body = 6
        depth = 7
        batch = 8
        fallback_rows = 9
        answer = 10
        [sources.main]
        url = "embedded"
        [sources.lake]
        url = "parquet:///lake/*.parquet"
        [[datasources]]
        id = 0
        name = "n"
        source = "lake"
        time_zone = "Europe/Berlin"
        table = "t"
        warm_at = "*/5 7-19 * * mon-fri"
        verify_at = "30 3 * * sun"
        refresh = "whole"
        roles = ["a", "b"]
        [datasources.columns]
        measure = "m"
        practice = "p"
        provider = false
        frequency = false
        date = "d"
        value = false
        [worker]
        concurrency = 1
        warm_after = 0.25
        refresh = "changed"
        jitter = 0
        pause = 2
        longest_pause = 3
        repair = "off"
        repair_pause = 4
        shutdown = 5
        [directory]
        url = "postgresql://host/db"
        [audit]
        sink = "postgres"
        url = "postgresql://u:hunter2@host/audit"
        table = "security.audit"
        required = true
        """,
    )
    assert settings.store.is_embedded
    assert settings.store.mac_key is not None
    assert settings.store.mac_key.get_secret_value() == "0123456789abcdef0123456789abcdef"
    assert settings.store.namespace == "prod:"
    assert settings.embedded_folder == Path("/data")
    assert list(settings.cache.model_dump().values()) == [
        1,
        2,
        3,
        False,
        False,
        0,
        6,
        0.0,
        0.5,
        0,
        5,
        False,
        3,
        4,
    ]
    assert list(settings.limits.model_dump().values()) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert list(settings.worker.model_dump().values()) == [
        *(1, 0.25, "changed", 0, 2, 3, "off", 4, 5)
    ]
    assert settings.refreshes == {0: "whole"}
    assert settings.warm_at == {0: "*/5 7-19 * * mon-fri"}
    assert settings.verify_at == {0: "30 3 * * sun"}
    assert settings.sources["main"].is_embedded
    assert not settings.sources["lake"].is_embedded
    assert settings.directory.url is not None
    assert settings.directory.url.get_secret_value().startswith("postgresql://")
    assert settings.audit_path is None
    assert settings.audit.url is not None
    assert settings.audit.url.get_secret_value() == "postgresql://u:hunter2@host/audit"
    assert (settings.audit.table, settings.audit.required) == ("security.audit", True)
    assert "hunter2" not in repr(settings.audit)
    assert settings.datasource(0) == Datasource(
        id=0,
        name="n",
        source="lake",
        table="t",
        time_zone="Europe/Berlin",
        door=frozenset({"a", "b"}),
        roles=Roles(measure="m", practice="p", provider=None, frequency=None, date="d", value=None),
    )
    with pytest.raises(UnknownDatasource, match="no data source 7"):
        settings.datasource(7)


def test_the_environment_wins(folder: Path) -> None:
    """A variable replaces the file's value and is read as its setting's type."""
    settings = load_text(
        folder,
        SMALLEST + "[cache]\nttl = 5\n[sources.other-one]\nurl = 'embedded'\n",
        {
            "CACHE_TTL": "60",
            "CACHE_BATCH_SIZE": "7",
            "CACHE_QUERY_TIMEOUT": "8",
            "CACHE_ENABLED": "FALSE",
            "CACHE_METRICS_ENABLED": "0",
            "WARMCUBE_CACHE__MAX_POINTER_AGE": "0.25",
            "WARMCUBE_LIMITS__ROWS": "9",
            "WARMCUBE_STORE__URL": "unix:///run/redis.sock",
            "WARMCUBE_AUDIT__PATH": "logs/audit.jsonl",
            "WARMCUBE_AUDIT__REQUIRED": "yes",
            "WARMCUBE_AUTH__LOCAL__PATH": "secrets/credentials.toml",
            "WARMCUBE_AUTH__SESSIONS__IDLE": "61",
            "WARMCUBE_SOURCES__MAIN__URL": "duckdb:///file.duckdb",
            "WARMCUBE_SOURCES__OTHER_ONE__URL": "postgresql://h/db",
            "WARMCUBE_DATASOURCES__0__TABLE": "s.t",
            "WARMCUBE_DATASOURCES__0__ROLES": "a, b",
            "WARMCUBE_DATASOURCES__0__COLUMNS__PROVIDER": "false",
            "WARMCUBE_DATASOURCES__0__COLUMNS__DATE": "day",
        },
    )
    cache = settings.cache
    assert (cache.ttl, cache.batch_size, cache.query_timeout) == (60, 7, 8)
    assert (cache.enabled, cache.metrics, cache.max_pointer_age) == (False, False, 0.25)
    assert settings.limits.rows == 9
    assert settings.audit_path == folder / "logs" / "audit.jsonl"
    assert settings.audit.required
    assert settings.credentials_path == folder / "secrets" / "credentials.toml"
    assert settings.auth.sessions.model_dump() == {"idle": 61, "life": 43200}
    assert settings.store.url.get_secret_value() == "unix:///run/redis.sock"
    assert {name: s.url.get_secret_value() for name, s in settings.sources.items()} == {
        "main": "duckdb:///file.duckdb",
        "other-one": "postgresql://h/db",
    }
    (datasource,) = settings.datasources
    assert datasource.table == "s.t"
    assert datasource.door == frozenset({"a", "b"})
    assert datasource.roles == Roles(provider=None, date="day")


def test_the_environment_alone(folder: Path) -> None:
    """Without a file, variables that name a data source are a whole configuration."""
    settings = load(
        None,
        {
            "WARMCUBE_SOURCES__MAIN__URL": "embedded",
            "WARMCUBE_DATASOURCES__0__ID": "3",
            "WARMCUBE_DATASOURCES__0__NAME": "n",
            "WARMCUBE_DATASOURCES__0__SOURCE": "main",
            "WARMCUBE_DATASOURCES__0__TABLE": "t",
        },
    )
    assert settings.file is None
    assert settings.base == folder
    assert settings.datasource(3).name == "n"


def test_which_file(folder: Path) -> None:
    """The file given, then WARMCUBE_CONFIG, then ./warmcube.toml; paths count from its folder."""
    for name in ("given", "named", "."):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "warmcube.toml").write_text(SMALLEST, encoding="utf-8")
    environment = {"WARMCUBE_CONFIG": "named/warmcube.toml"}
    assert load("given/warmcube.toml", environment).base == folder / "given"
    assert load(None, environment).directory_path == folder / "named" / "access.toml"
    assert load(None, {}).base == folder


@pytest.mark.parametrize(
    ("path", "environment", "named"),
    [
        (None, {}, "warmcube.toml"),
        ("x.toml", {}, "x.toml"),
        (None, {"WARMCUBE_CONFIG": "y.toml"}, "y.toml (from WARMCUBE_CONFIG)"),
    ],
)
def test_a_missing_file_says_how_to_make_one(
    folder: Path, path: str | None, environment: dict[str, str], named: str
) -> None:
    """No file is an error that names it and the two commands that make one."""
    with pytest.raises(ConfigError) as caught:
        load(path, environment)
    message = str(caught.value)
    assert message.startswith(f"there is no configuration file {named}: ")
    assert "`warmcube init --source URL --table SCHEMA.TABLE`" in message
    assert "`warmcube demo`" in message


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("", ""),
        ("* * * *", ""),
        ("0 0 0 * * *", ""),
        ("@daily", ""),
        ("61 * * * *", " (Bad minute)"),
        ("0 0 31 2 *", " (Bad day-of-month)"),
        ("0 0 * * noday", " (Bad day-of-week)"),
    ],
)
def test_a_schedule_has_to_be_one(folder: Path, cron: str, why: str) -> None:
    """Five fields that cron would take, and a day that comes."""
    text = f"""
        [sources.main]
        url = "embedded"
        [[datasources]]
        id = 1
        name = "n"
        source = "main"
        table = "t"
        warm_at = "{cron}"
        """
    with pytest.raises(ConfigError) as caught:
        load_text(folder, text)
    assert str(caught.value).endswith(
        f'datasources[0].warm_at = "{cron}": expected five fields as in a crontab, like '
        f'"0 */2 * * *"{why}'
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[store]\nurl = nothing\n", "warmcube.toml isn't valid TOML: "),
        (b"a = 1\na = 2\n", "(at line 2, column 6)"),
        (b"\n[store]\nnamespace = '\xff'\n", "line 3 isn't UTF-8 text"),
    ],
)
def test_bad_toml_names_the_line(folder: Path, content: bytes, expected: str) -> None:
    """What isn't TOML is one sentence with the file and the line."""
    file = folder / "warmcube.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert expected in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_folder_is_no_file(folder: Path) -> None:
    """What can't be read is a sentence, not an OSError."""
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load(folder, {})


def test_a_byte_order_mark_is_accepted(folder: Path) -> None:
    """Editors that put a byte order mark in front don't break the file."""
    assert load_text(folder, "\ufeff" + SMALLEST).datasource(1).source == "main"


def test_all_problems_at_once(folder: Path) -> None:
    """One error names every problem: file or variable, key, value, what was expected."""
    lines = problems_of(
        folder,
        """
        surprise = 1
        [store]
        url = "redis://:hunter2@h:abc/0"
        integrity = "mac"
        [cache]
        ttl = "14400"
        tll = 3
        max_pointer_age = 9.0
        [sources.main]
        url = "mysql://u:hunter2@h/db"
        [[datasources]]
        id = 1
        name = "n"
        source = "mian"
        time_zone = "Mars/Base"
        table = "t"
        roles = []
        [datasources.columns]
        date = true
        value = "measure"
        [[datasources]]
        id = 1
        source = "main"
        table = "t"
        """,
        {"CACHE_BATCH_SIZE": "0", "CACHE_ENABLED": "maybe", "WARMCUBE_STORE__ULR": "x"},
    )
    assert lines[0] == f"{len(lines) - 1} problems in the configuration:"
    assert [line.strip() for line in lines[1:]] == [
        (
            'environment variable CACHE_ENABLED = "maybe": expected true or false (false answers '
            "everything from the database)"
        ),
        "environment variable WARMCUBE_STORE__ULR: sets no setting; did you mean 'url'?",
        (
            "warmcube.toml: surprise: unknown table or key; expected one of audit, auth, "
            "cache, dashboards, datasources, directory, embedded, limits, service, sources, store, "
            "worker"
        ),
        (
            'warmcube.toml: store.url = "redis://:***@h:abc/0": expected a URL whose host and port '
            "can be read"
        ),
        (
            'warmcube.toml: cache.ttl = "14400": expected an integer above 0 and of at most '
            "1000000000 (seconds: how long a snapshot is fresh)"
        ),
        (
            "environment variable CACHE_BATCH_SIZE: cache.batch_size = 0: expected an integer "
            "above 0 and of at most 1000000 (entries: how much goes into one write)"
        ),
        "warmcube.toml: cache.tll: unknown key; did you mean 'ttl'?",
        (
            'warmcube.toml: sources.main.url = "mysql://u:***@h/db": expected a URL that begins '
            'with one of postgresql://, postgres://, duckdb://, parquet://, or "embedded"'
        ),
        (
            'warmcube.toml: datasources[0].time_zone = "Mars/Base": expected the IANA name of a '
            "time zone, like UTC or Europe/Berlin"
        ),
        (
            "warmcube.toml: datasources[0].roles = []: expected a list of texts that isn't empty "
            "(the roles for which it exists; when absent, for everybody)"
        ),
        (
            "warmcube.toml: datasources[0].columns.date = true: expected the name of a column, or "
            "false where the table has none"
        ),
        (
            "warmcube.toml: datasources[1].name: missing; expected text that isn't empty (what "
            "people call it)"
        ),
        (
            'warmcube.toml: datasources[0].source = "mian": there is no [sources.mian]; did you '
            "mean 'main'?"
        ),
        (
            'warmcube.toml: datasources[0].columns.value = "measure": expected another column: '
            "this one is the measure already; false where the table has none"
        ),
        (
            "warmcube.toml: datasources[1].id = 1: expected another number: datasources[0] has "
            "this id already"
        ),
    ]


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        ("[cache]\nttl = 0", "cache.ttl = 0: expected an integer above 0"),
        ("[cache]\nttl = 1.0", "cache.ttl = 1.0: expected an integer"),
        ("[cache]\nttl = true", "cache.ttl = true: expected an integer"),
        ("[cache]\nenabled = 1", "cache.enabled = 1: expected true or false"),
        ("[cache]\nstale_for = -1", "cache.stale_for = -1: expected an integer of at least 0"),
        ("[cache]\nmax_pointer_age = nan", "cache.max_pointer_age = nan: expected a finite"),
        (
            "[cache]\nmax_pointer_age = 9",
            "cache.max_unchecked_age = 5: expected at least max_pointer_age, which is 9",
        ),
        ("[cache]\nttl = [1]", "cache.ttl = a list: expected"),
        ("[cache.ttl]\na = 1", "cache.ttl = a table: expected an integer"),
        ("[store]\nurl = 'http://h'", 'store.url = "http://h": expected a URL that begins with'),
        ("[store]\nurl = 'unix://'", "expected unix:// followed by a path"),
        ("[store]\nintegrity = 'md5'", 'expected "checksum" or "mac"'),
        ("[store]\nintegrity = 'mac'", "store.mac_key: missing"),
        ("[store]\nnamespace = '{a}'", "expected printable ASCII without spaces, braces"),
        ("[store]\nread_replicas = true", "store.read_replicas: is for a cluster; give url the"),
        ("[worker]\nconcurrency = 0", "worker.concurrency = 0: expected an integer above 0"),
        ("[worker]\nwarm_after = 1.0", "worker.warm_after = 1.0: expected a finite number above"),
        ("[worker]\nrepair = 'self'", 'expected "auto" or "worker" or "off"'),
        (
            "[worker]\npause = 60.0\nlongest_pause = 5.0",
            "worker.longest_pause = 5: expected at least pause, which is 60",
        ),
        ("[limits]\nrows = 0", "limits.rows = 0: expected an integer above 0"),
        ("[directory]\npath = 'a'\nurl = 'postgresql://h/d'", "directory: has both path and url"),
        (
            f"[directory]\nurl = 'postgresql://h/d'\nschema_name = '{'ä' * 32}'",
            "expected at most 63 bytes",
        ),
        ("[directory]\nurl = 'embedded'", "expected a URL that begins with one of postgresql://"),
        ("[audit]\nsink = 'syslog'", 'expected "file" or "stdout" or "postgres" or "none"'),
        ("[audit]\nsink = 'postgres'", "audit.url: missing; sink = "),
        (
            "[audit]\nurl = 'postgresql://u:hunter2@h/d'",
            'audit.url: is for sink = "postgres", and sink is "file"; leave it out, or set sink',
        ),
        (
            "[audit]\nsink = 'postgres'\nurl = 'mysql://u:hunter2@h/d'",
            'audit.url = "mysql://u:***@h/d": expected a URL that begins with one of postgresql://',
        ),
        ("[audit]\nsink = 'stdout'\npath = 'a'", 'audit.path: is for sink = "file", and sink is'),
        ("[audit]\nsink = 'none'\ntable = 'a'", 'audit.table: is for sink = "postgres", and'),
        ("[audit]\nsink = 'none'\nrequired = true", "audit.required = true: expected false: with"),
        ("[audit]\nrequired = 1", "audit.required = 1: expected true or false"),
        (
            "[service]\nmetrics_host = '10.0.0.1'",
            "service.metrics_host: is for metrics_port, which is missing; set both",
        ),
        (
            "[auth.sessions]\nidle = 600\nlife = 300\n[auth.local]",
            "auth.sessions.idle = 600: expected at most life, which is 300",
        ),
        ("[auth.sessions]\nidle = 600", "auth.sessions: nobody can sign in; add [auth.local] or"),
        ("[auth.sessions]\nidle = 0\n[auth.local]", "expected an integer of at least 60"),
        (
            "[auth.local]\n[service]\nhost = '0.0.0.0'",
            "service.public_url: missing; [auth.local] needs the URL under which users reach",
        ),
        (
            "[auth.oidc]\nissuer = 'https://i.example'\nclient_id = 'c'",
            "service.public_url: missing; [auth.oidc] needs the URL under which users reach",
        ),
        ("[auth.oidc]\nclient_id = 'c'", "auth.oidc.issuer: missing; expected text"),
        ("[auth.oidc]\nissuer = 'http://i.example'", "expected a URL with https://, without a"),
        ("[auth.oidc]\nissuer = 'https://u:hunter2@i.example'", "expected a URL with https://"),
        ("[auth.oidc]\nissuer = 'https://i.example?a=b'", "expected a URL with https://"),
        ("[auth.oidc]\nissuer = 'https://i.example:x'", "a URL whose host and port can be read"),
        ("[auth.oidc]\nscopes = ['email']", 'expected a list of scopes with "openid" among them'),
        ("[auth.oidc]\nsecret = 'hunter2'", "auth.oidc.secret: unknown key"),
        ("[auth.oidc]\nprefix = 7", "auth.oidc.prefix = 7: expected text"),
        ("[sources.'a b']\nurl = 'embedded'", "sources.a b: expected a name of letters"),
        ("[sources]\nx = 'postgresql://u:hunter2@h'", '"postgresql://u:***@h": expected a table'),
        ("[[datasources]]\nid = -1", "datasources[1].id = -1: expected an integer of at least 0"),
        ("[[datasources]]\nroles = ['a', 1]", "datasources[1].roles[1] = 1: expected text"),
        ("[[datasources]]\ncolumns = 3", "datasources[1].columns = 3: expected a table"),
        ("[[datasources]]\ncolumns.dat = 'x'", "columns.dat: unknown key; did you mean 'date'?"),
    ],
)
def test_one_problem(folder: Path, addition: str, expected: str) -> None:
    """Each wrong value is named with its key and what was expected; nothing is coerced."""
    text = "\n".join(problems_of(folder, SMALLEST + addition))
    assert expected in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "datasources: missing; expected at least one"),
        ("datasources = 3", "datasources: expected a [[datasources]] table"),
        ("[datasources]\nid = 1", "datasources: expected a [[datasources]] table (two brackets)"),
        ("sources = 3", "sources: expected a table [sources.NAME]"),
        ("cache = 3", "cache = 3: expected a table"),
    ],
)
def test_wrong_shapes(folder: Path, text: str, expected: str) -> None:
    """A value where a table belongs is named, whatever it is."""
    assert expected in "\n".join(problems_of(folder, text))


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("WARMCUBE_CACHE__TTL", "5", ": sets no setting; this one's variable is CACHE_TTL"),
        ("WARMCUBE_FOO", "5", ": sets no setting; expected WARMCUBE_STORE__"),
        ("WARMCUBE_STORE__URL__X", "5", ": sets no setting"),
        ("WARMCUBE_DATASOURCES__0__COLUMNS", "x", ": sets no setting; a section and a key"),
        ("WARMCUBE_DATASOURCES__2__ID", "5", ": is number 2, but number 1 is missing"),
        ("WARMCUBE_LIMITS__ROWS", "1_000", ' = "1_000": expected an integer above 0'),
        ("WARMCUBE_LIMITS__ROWS", "", ' = "": expected an integer above 0'),
        ("WARMCUBE_CACHE__MAX_POINTER_AGE", "inf", ' = "inf": expected a finite number'),
        ("WARMCUBE_DATASOURCES__0__ROLES", "", ": datasources[0].roles = []: expected a list"),
        ("WARMCUBE_STORE__MAC_KEY", "hunter2", ": store.mac_key: expected text of at least 32"),
        ("WARMCUBE_STORE__URL", "http://:hunter2@h", ': store.url = "http://:***@h": expected'),
    ],
)
def test_variables_that_cannot_be_used(
    folder: Path, variable: str, value: str, expected: str
) -> None:
    """A variable of ours that sets nothing, or sets it wrongly, is named."""
    text = "\n".join(problems_of(folder, SMALLEST, {variable: value}))
    assert text.startswith(f"environment variable {variable}{expected}")
    assert "hunter2" not in text


def test_variables_under_a_value(folder: Path) -> None:
    """A variable whose section is no table in the file is an error, not a crash."""
    lines = problems_of(folder, "cache = 3", {"CACHE_TTL": "5", "WARMCUBE_SOURCES__A__URL": "x"})
    assert "environment variable CACHE_TTL: can't be set, since cache is no table in the file" in (
        line.strip() for line in lines
    )


def test_ambiguous_source_variable(folder: Path) -> None:
    """Two sources that one variable means are an error."""
    text = SMALLEST + "[sources.Main]\nurl = 'embedded'\n"
    lines = problems_of(folder, text, {"WARMCUBE_SOURCES__MAIN__URL": "embedded"})
    assert lines == [
        (
            "environment variable WARMCUBE_SOURCES__MAIN__URL: means each of the sources Main, "
            "main; rename one"
        )
    ]


def test_variables_of_others_are_left_alone(folder: Path) -> None:
    """Kubernetes' variables of a service called warmcube, our own switches and all else pass."""
    environment = dict.fromkeys(
        [
            "WARMCUBE_SERVICE_HOST",
            "WARMCUBE_SERVICE_PORT_HTTP",
            "WARMCUBE_PORT",
            "WARMCUBE_PORT_6379_TCP_ADDR",
            "WARMCUBE_REDIS_SERVICE_HOST",
            "WARMCUBE_DEBUG",
            "WARMCUBE_CONFIG",
            "WARMCUBE_TEST_REDIS_SERVER",
            "CACHE_URL",
            "PATH",
        ],
        "x",
    )
    assert load_text(folder, SMALLEST, environment) == load_text(folder, SMALLEST)


def test_nothing_shows_a_password(folder: Path) -> None:
    """Neither repr nor str of the settings holds a secret."""
    settings = load_text(
        folder,
        SMALLEST + "[store]\nurl = 'redis://:hunter2@h/0'\n"
        "mac_key = 'hunter2hunter2hunter2hunter2hunter2'\n",
    )
    assert "hunter2" not in f"{settings!r}{settings}{settings.store!r}{settings.sources!r}"
    assert settings.sources["main"].url.get_secret_value().count("hunter2") == 1
