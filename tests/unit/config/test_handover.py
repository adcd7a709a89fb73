"""`warmcube.config.handover`: a configuration reaches another process as it is."""

from __future__ import annotations

from pathlib import Path

from warmcube.config import load
from warmcube.config.handover import pack_settings, unpack_settings

FULL = """
[store]
url = "redis://user:hunter2@host:6379/0"
integrity = "mac"
mac_key = "0123456789abcdef0123456789abcdef"
[cache]
max_pointer_age = 0.5
[service]
cors_origins = ["https://a.example.com"]
[directory]
url = "postgresql://user:hunter3@host:5432/db"
[sources.main]
url = "postgresql://user:hunter4@host:5432/db"
[sources.files]
url = "parquet:///dir/*.parquet"
[[datasources]]
id = 1
name = "Größe"
source = "main"
table = "ih.agg_app_measures"
roles = ["super_admin", "org_analyst"]
[datasources.columns]
practice = false
[[datasources]]
id = 2
name = "Files"
source = "files"
table = "files"
time_zone = "Europe/Berlin"
"""


def test_it_comes_out_as_it_went_in(tmp_path: Path) -> None:
    """Every setting, secrets and relative folders included."""
    file = tmp_path / "warmcube.toml"
    file.write_text(FULL, encoding="utf-8")
    settings = load(file, {"CACHE_TTL": "77", "WARMCUBE_LIMITS__ROWS": "5"})
    handed = unpack_settings(pack_settings(settings))
    assert handed == settings
    assert handed.store.url.get_secret_value() == "redis://user:hunter2@host:6379/0"
    assert handed.store.mac_key is not None
    assert handed.store.mac_key.get_secret_value() == "0123456789abcdef0123456789abcdef"
    assert (handed.cache.ttl, handed.limits.rows) == (77, 5)
    assert handed.directory_path == settings.directory_path
    assert "hunter" not in repr(handed)
