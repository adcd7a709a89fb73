"""`warmcube.config.reference`: the documentation's list of settings is complete and true."""

from __future__ import annotations

from warmcube.config.reference import all_settings


def test_contract_names() -> None:
    """The variables of the contract have the names that scripts use."""
    variables = {setting.key: setting.variable for setting in all_settings()}
    assert {key: variables[key] for key in sorted(variables) if key.startswith("cache.")} == {
        "cache.batch_size": "CACHE_BATCH_SIZE",
        "cache.enabled": "CACHE_ENABLED",
        "cache.fallback_slots": "WARMCUBE_CACHE__FALLBACK_SLOTS",
        "cache.history_days": "WARMCUBE_CACHE__HISTORY_DAYS",
        "cache.keep_snapshots": "WARMCUBE_CACHE__KEEP_SNAPSHOTS",
        "cache.max_pointer_age": "WARMCUBE_CACHE__MAX_POINTER_AGE",
        "cache.max_unchecked_age": "WARMCUBE_CACHE__MAX_UNCHECKED_AGE",
        "cache.index_bytes": "WARMCUBE_CACHE__INDEX_BYTES",
        "cache.practice_sums": "WARMCUBE_CACHE__PRACTICE_SUMS",
        "cache.resident_bytes": "WARMCUBE_CACHE__RESIDENT_BYTES",
        "cache.metrics": "CACHE_METRICS_ENABLED",
        "cache.query_timeout": "CACHE_QUERY_TIMEOUT",
        "cache.stale_for": "WARMCUBE_CACHE__STALE_FOR",
        "cache.ttl": "CACHE_TTL",
    }
    assert variables["sources.NAME.url"] == "WARMCUBE_SOURCES__NAME__URL"


def test_every_setting_is_described() -> None:
    """Each setting has a help text, a unit where it has one, and its default as TOML."""
    settings = {setting.key: setting for setting in all_settings()}
    assert all(setting.help for setting in settings.values())
    assert settings["cache.ttl"].unit == "seconds"
    assert settings["cache.ttl"].default == "14400"
    assert settings["cache.enabled"].default == "true"
    assert settings["store.url"].default == '"redis://127.0.0.1:6379/0"'
    assert settings["store.mac_key"].default == ""
    assert settings["datasources[0].columns.date"].default == '"date_index"'
