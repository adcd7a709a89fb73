"""From a grant and a request to a scope: what can't be told by comparing rows.

The rows themselves, and which error comes, are compared in ``test_oracle.py``.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.access import INTEGER, NOW, TEXT, Request, ask, grant_of

from warmcube.access.decide import decide
from warmcube.access.grant import Authority
from warmcube.access.narrow import narrow, unknown_datasource
from warmcube.access.standing import KeyTypes, require_open, stand, typed_ids
from warmcube.access.survey import survey
from warmcube.errors import AccessDenied, InvalidFilter, MissingRole, UnknownDatasource
from warmcube.model.schema import ColumnType, Kind
from warmcube.model.scope import ALL, Box, Scope

SMALLINT = ColumnType(Kind.SMALLINT)

RECORDS: dict[str, Any] = {
    "roles": {
        "admin": ["analytics:read:all"],
        "analyst": ["analytics:read:organization"],
        "provider": ["analytics:read:own"],
        "finance": [],
    },
    "organizations": [
        {"id": "north", "practices": [101, "102", "11x", "0114", 70000]},
        {"id": "south", "practices": [201]},
        {"id": "closed", "practices": [301], "active": False},
        {"id": "empty"},
    ],
    "users": [
        {"id": "root", "roles": ["admin"]},
        {"id": "ana", "roles": ["analyst"], "organizations": ["north"]},
        {
            "id": "pat",
            "roles": ["provider"],
            "organizations": ["north"],
            "providers": [5, "5x", {"practice": 101, "provider": 7}],
        },
        {"id": "lost", "roles": ["provider"], "organizations": ["north"]},
        {
            "id": "both",
            "roles": ["analyst", "provider"],
            "organizations": ["north"],
            "provider": 5,
        },
        {
            "id": "fin",
            "roles": ["analyst", {"role": "finance", "organization": "south"}],
            "organizations": ["north", "south"],
        },
    ],
}


def _scope(user: str, type: ColumnType = INTEGER, **asked: Any) -> Scope:
    return ask(grant_of(RECORDS, user), Request(**asked), type).scope


def _asked(role: str, value: Any) -> dict[str, Any]:
    return {role: value}


def _ids(*ids: str) -> frozenset[str]:
    return frozenset(ids)


def test_scopes_are_canonical_boxes() -> None:
    """A scope is boxes of canonical ids, as few as it takes."""
    assert _scope("root") == Scope((Box(ALL, ALL),))
    assert _scope("root", practices=["101", 101, 101]) == Scope((Box(_ids("101"), ALL),))
    assert _scope("ana") == Scope((Box(_ids("101", "102", "70000"), ALL),))
    assert _scope("both") == _scope("ana")
    assert _scope("lost") == Scope(())
    assert set(_scope("pat").boxes) == {
        Box(_ids("101", "102", "70000"), _ids("5")),
        Box(_ids("101"), _ids("7")),
    }
    assert _scope("root", providers=[]) == Scope(())


def test_no_filter_and_nothing_are_different() -> None:
    """None is no filter, the empty list is nothing, for every user and either filter."""
    for user in ("root", "ana", "pat", "both"):
        assert not _scope(user).is_empty
        assert _scope(user, practices=[]).is_empty
        assert _scope(user, providers=[]).is_empty
        assert not _scope(user, practices=None, providers=None, organization=None).is_empty


def test_ids_that_a_type_cant_hold() -> None:
    """They grant nothing there and are listed; in another type they may be ids."""
    narrowed = ask(grant_of(RECORDS, "pat"), Request())
    assert narrowed.unusable_practices == ("0114", "11x")
    assert narrowed.unusable_providers == ("5x",)
    assert narrowed.unusable_ids == ("practice 0114", "practice 11x", "provider 5x")
    as_text = ask(grant_of(RECORDS, "pat"), Request(), TEXT)
    assert as_text.unusable_ids == ()
    assert as_text.scope.allows("0114", "5x")
    small = ask(grant_of(RECORDS, "ana"), Request(), SMALLINT)
    assert small.unusable_ids == ("practice 0114", "practice 11x", "practice 70000")
    assert small.scope == Scope((Box(_ids("101", "102"), ALL),))
    assert ask(grant_of(RECORDS, "root"), Request()).unusable_ids == ()
    filtered = ask(grant_of(RECORDS, "root"), Request(organization="north"))
    assert filtered.unusable_ids == ("practice 0114", "practice 11x")
    assert filtered.scope == _scope("ana")


def test_providers_are_listed_only_where_they_count() -> None:
    """Who isn't asked as a provider has no unusable ones."""
    ana = {**RECORDS["users"][1], "provider": "5x"}
    records = {**RECORDS, "users": [ana]}
    assert ask(grant_of(records, "ana"), Request()).unusable_providers == ()
    records = {**RECORDS, "users": [{**ana, "roles": ["analyst", "provider"]}]}
    assert ask(grant_of(records, "ana"), Request()).unusable_providers == ("5x",)


def test_one_grant_on_columns_of_several_types() -> None:
    """What was worked out for one data source isn't taken for another."""
    grant = grant_of(RECORDS, "pat")
    first = ask(grant, Request()).scope
    assert ask(grant, Request(), TEXT).scope != first
    assert ask(grant, Request(organization="north"), TEXT).scope != first
    assert ask(grant, Request(organization="north")).scope == first
    assert ask(grant, Request()).scope == first
    fin = grant_of(RECORDS, "fin")
    behind = Request(door=frozenset({"finance"}))
    assert ask(fin, behind).scope == Scope((Box(_ids("201"), ALL),))
    assert ask(fin, Request()).scope.allows("101", None)
    assert ask(fin, behind).scope == Scope((Box(_ids("201"), ALL),))


@pytest.mark.parametrize("value", [" 101", "0101", "1_01", "101x", "", None, True, 101.0, 2**31])
@pytest.mark.parametrize("role", ["practices", "providers"])
def test_ids_are_strict(role: str, value: Any) -> None:
    """An id in a form that isn't canonical is an error for everybody, never an empty answer."""
    for user in ("root", "ana", "both"):
        with pytest.raises(InvalidFilter, match=f"^{role[:-1]} .* can't be read"):
            _scope(user, **_asked(role, [101, value]))


@pytest.mark.parametrize(
    "value", ["101", "", 101, {"101": 1}, b"101", True, False, 0, range(3), iter([101]), object()]
)
@pytest.mark.parametrize("role", ["practices", "providers"])
def test_a_list_is_a_list(role: str, value: Any) -> None:
    """A single id, or anything else that could be walked through, isn't a list of ids."""
    with pytest.raises(InvalidFilter, match=f"^{role} .* write a list of ids"):
        _scope("root", **_asked(role, value))


def test_every_kind_of_list() -> None:
    """Lists, tuples and sets of ids say the same."""
    for value in ([101], (101,), {101}, frozenset({101})):
        assert _scope("root", practices=value) == Scope((Box(_ids("101"), ALL),))


@pytest.mark.parametrize("value", ["", 5, True, False, [], ["north"], b"north", "\x00", "\ud800"])
def test_an_organization_is_text(value: Any) -> None:
    """An organization filter that can't be one is an error, and never dropped."""
    for user in ("root", "ana"):
        with pytest.raises(InvalidFilter, match=r"^organization .* write the organization's id"):
            _scope(user, organization=value)


def _denial(user: str, **asked: Any) -> AccessDenied:
    with pytest.raises(AccessDenied) as error:
        _scope(user, **asked)
    return error.value


def test_denials_dont_tell_what_exists() -> None:
    """Somebody else's, an inactive and a non-existing name are denied in the same words."""
    practices = {
        (str(denial).replace(name, "…"), denial.reason)
        for name in ("201", "301", "999")
        for denial in [_denial("ana", practices=[101, name])]
    }
    assert practices == {
        (
            (
                "practice '…' is outside what you may read of data source 1; "
                "name only your own, or leave the filter out"
            ),
            "practice outside the scope",
        )
    }
    organizations = {
        (str(denial).replace(name, "…"), denial.reason)
        for name in ("south", "closed", "gone", "North", "north ")
        for denial in [_denial("ana", organization=name)]
    }
    assert organizations == {
        (
            (
                "organization '…' is outside what you may read of data source 1; "
                "name only your own, or leave the filter out"
            ),
            "organization outside the scope",
        )
    }
    providers = {
        str(_denial("pat", providers=[5, name])).replace(name, "…") for name in ("8", "999")
    }
    assert len(providers) == 1
    for user in ("root", "ana"):
        assert str(_denial(user, organization="closed")) == str(
            _denial(user, organization="closed", practices=[], providers=[])
        )


def test_names_come_before_the_empty_short_cut() -> None:
    """A foreign name is denied, though the answer would have been empty anyhow."""
    _denial("ana", practices=[], organization="south")
    _denial("ana", practices=[201], providers=[])
    _denial("lost", practices=[201])
    _denial("lost", providers=[5])
    _denial("lost", practices=[], providers=[5])
    with pytest.raises(InvalidFilter):
        _scope("lost", practices=[], providers=["x"])


def test_own_providers() -> None:
    """Under nothing but own, one's own providers may be named, wherever they are bound."""
    assert _scope("pat", providers=[7]) == Scope((Box(_ids("101"), _ids("7")),))
    assert _scope("pat", providers=[7], practices=[102]).is_empty
    assert _scope("both", providers=[8]) == Scope((Box(_ids("101", "102", "70000"), _ids("8")),))


def test_a_role_that_opens_a_door_in_one_organization() -> None:
    """It opens it to what lies there, and to nothing that other roles reach elsewhere."""
    door = frozenset({"finance"})
    assert _scope("fin", door=door) == Scope((Box(_ids("201"), ALL),))
    _denial("fin", door=door, practices=[101])
    _denial("fin", door=door, organization="north")
    assert _scope("fin", door=door, organization="south").allows("201", None)


def test_a_closed_door_looks_like_a_wall() -> None:
    """Who may not know of a data source gets the words for one that there isn't."""
    with pytest.raises(UnknownDatasource) as error:
        _scope("ana", door=frozenset({"finance"}))
    assert str(error.value) == str(unknown_datasource(1))
    assert str(unknown_datasource(1)) == (
        "there is no data source 1; name the id of one that you may use"
    )
    with pytest.raises(UnknownDatasource):
        _scope("root", door=frozenset())
    with pytest.raises(UnknownDatasource):
        _scope("ana", door=frozenset({"finance"}), practices=["x"], organization="gone")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"practices": [], "has_practice": False}, "no practice column, so practices can't"),
        ({"practices": [1], "has_practice": False}, "no practice column, so practices can't"),
        ({"organization": "", "has_practice": False}, "no practice column, so an organization"),
        ({"providers": [], "has_provider": False}, "no provider column, so providers can't"),
    ],
)
def test_what_the_table_lacks_cant_be_named(asked: dict[str, Any], words: str) -> None:
    """A filter on a missing column is an error, however empty."""
    with pytest.raises(MissingRole, match=words):
        _scope("root", **asked)


def test_no_right_on_this_data_source() -> None:
    """Who has no right that counts there is denied, and told neither why nor what it lacks."""
    denials = {
        str(_denial("ana", has_practice=False)).replace("ana", "…"),
        str(_denial("ana", has_practice=False, practices=["x"])).replace("ana", "…"),
        str(_denial("pat", has_provider=False)).replace("pat", "…"),
        str(_denial("pat", has_provider=False, providers=["x"])).replace("pat", "…"),
    }
    assert denials == {
        "user '…' may not read data source 1; ask whoever keeps the directory",
    }
    assert _denial("root", purpose="export").reason == ("no permission to export this data source")


def test_a_callers_mistakes() -> None:
    """Types that don't fit the roles, or an unheard-of purpose, fail before anything is given."""
    grant = grant_of(RECORDS, "root")
    for practice_type, provider_type in ((None, INTEGER), (INTEGER, None), (None, None)):
        with pytest.raises(ValueError, match="types are given for exactly the role columns"):
            narrow(
                grant,
                datasource=Request().datasource,
                practice_type=practice_type,
                provider_type=provider_type,
                now=NOW,
            )
    with pytest.raises(ValueError, match="types are given for exactly the role columns"):
        narrow(
            grant,
            datasource=Request(has_practice=False).datasource,
            practice_type=INTEGER,
            provider_type=INTEGER,
            now=NOW,
        )
    with pytest.raises(ValueError, match="a purpose is one of read, export, embed, not 'sell'"):
        _scope("root", purpose="sell")


def test_what_comes_back() -> None:
    """The scope comes with its grant, its data source and its purpose."""
    grant = grant_of(RECORDS, "root")
    narrowed = ask(grant, Request())
    assert narrowed.grant is grant
    assert (narrowed.datasource, narrowed.purpose) == (1, "read")


def test_what_a_filter_names_is_what_is_listed() -> None:
    """Under an organization filter, only ids of that organization are listed as unusable."""
    below = {"id": "below", "parent": "north", "practices": ["y"]}
    records = {**RECORDS, "organizations": [*RECORDS["organizations"], below]}
    grant = grant_of(records, "ana")
    assert ask(grant, Request()).unusable_practices == ("0114", "11x", "y")
    assert ask(grant, Request(organization="below")).unusable_practices == ("y",)
    assert ask(grant, Request(organization="north")).unusable_practices == ("0114", "11x", "y")


def test_a_request_is_to_read_unless_it_says_otherwise() -> None:
    """What comes out says for which purpose, of which data source and under which grant."""
    grant = grant_of(RECORDS, "root")
    found = narrow(
        grant,
        datasource=Request().datasource,
        practice_type=INTEGER,
        provider_type=INTEGER,
        now=NOW,
    )
    assert (found.grant, found.datasource, found.purpose) == (grant, 1, "read")


def test_a_standing_is_worked_out_once() -> None:
    """While a grant lasts, for one door, types and purpose; a query needn't do it again."""
    grant = grant_of(RECORDS, "both")
    datasource, types = Request().datasource, KeyTypes(INTEGER, INTEGER)
    first = stand(grant, datasource, types, "read")
    assert stand(grant, datasource, KeyTypes(INTEGER, INTEGER), "read") is first
    assert stand(grant, datasource, KeyTypes(TEXT, INTEGER), "read") is not first
    assert stand(grant_of(RECORDS, "both"), datasource, types, "read") is not first


def test_what_a_defect_hides_is_listed() -> None:
    """Organizations that would count here, below one's own or below the one that is named."""
    odd = {"parent": "north", "practices": [""]}
    records = {
        **RECORDS,
        "organizations": [
            *RECORDS["organizations"],
            {"id": "odd", **odd},
            {"id": "also", **odd},
            {"id": "coast", "parent": "north"},
            {"id": "apart", "parent": "south", "practices": [""]},
        ],
    }
    directory = survey(records, version="1").directory
    assert directory is not None
    ana, root = (decide(directory, user, NOW, authority=Authority()) for user in ("ana", "root"))
    assert ask(ana, Request()).lost_organizations == ("also", "odd")
    assert ask(ana, Request(organization="north")).lost_organizations == ("also", "odd")
    assert ask(ana, Request(organization="coast")).lost_organizations == ()
    assert ask(root, Request()).lost_organizations == ()
    assert ask(root, Request(organization="north")).lost_organizations == ("also", "odd")
    assert ask(root, Request(organization="south")).lost_organizations == ("apart",)


def test_a_door_is_judged_before_anything_is_read() -> None:
    """The same door as for a request: open, open within an organization, or not there."""
    fin, ana = grant_of(RECORDS, "fin"), grant_of(RECORDS, "ana")
    for grant in (fin, ana):
        require_open(grant, Request().datasource)
    require_open(fin, Request(door=frozenset({"finance"})).datasource)
    with pytest.raises(UnknownDatasource, match="there is no data source 1;"):
        require_open(ana, Request(door=frozenset({"finance"})).datasource)


def test_without_a_column_no_id_is_held() -> None:
    """Ids of a role that the table lacks are all unusable; no restriction stays none."""
    assert typed_ids(_ids("1", "x"), None) == (frozenset(), _ids("1", "x"))
    assert typed_ids(_ids("1", "x"), INTEGER) == (_ids("1"), _ids("x"))
    assert typed_ids(ALL, None) == (ALL, frozenset())
