"""What `import warmcube` offers."""

import pytest

import warmcube


def test_the_public_names_are_these() -> None:
    """A name that is added or lost is noticed here."""
    assert sorted(warmcube.__all__) == [
        "AccessDenied",
        "AnalyticsCache",
        "Filter",
        "NULL",
        "Order",
        "Query",
        "WarmcubeError",
        "__version__",
    ]
    for name in warmcube.__all__:
        assert getattr(warmcube, name) is not None


def test_other_names_are_not_there() -> None:
    """As in any module."""
    with pytest.raises(AttributeError, match="Cache"):
        _ = warmcube.Cache
