"""`docs/reference/configuration.md` lists every setting as the code declares it."""

from __future__ import annotations

from pathlib import Path

from warmcube.config.reference import Setting, all_settings

PAGE = Path(__file__).parents[3] / "docs/reference/configuration.md"


def row(setting: Setting) -> str:
    """A setting's row in its table."""
    unit = f", in {setting.unit}" if setting.unit else ""
    name = setting.key.rpartition(".")[2]
    default = f"`{setting.default}`" if setting.default else ""
    return f"| `{name}` | {default} | {setting.help}{unit} | `{setting.variable}` |"


def heading(setting: Setting) -> str:
    """The heading of a setting's table: as it stands in the file."""
    table = setting.key.rpartition(".")[0]
    if table.endswith("[0]"):
        return f"## `[[{table.removesuffix('[0]')}]]`"
    return f"## `[{table.replace('[0]', '')}]`"


def test_every_setting_is_on_the_page_as_it_is_declared() -> None:
    """Under its table's heading, each setting has its name, default, meaning and variable."""
    sections: dict[str, set[str]] = {}
    current = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            current = line
        sections.setdefault(current, set()).add(line)
    missing = [
        f"{heading(setting)}: {row(setting)}"
        for setting in all_settings()
        if row(setting) not in sections.get(heading(setting), ())
    ]
    assert not missing, "add to docs/reference/configuration.md:\n" + "\n".join(missing)


def test_no_setting_is_listed_twice() -> None:
    """Each has a variable of its own, and one row."""
    rows = [
        line.rpartition(" | ")[2]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `") and line.endswith("` |")
    ]
    assert {each for each in rows if rows.count(each) > 1} == set()


def test_the_page_lists_nothing_that_is_no_setting() -> None:
    """A setting that is gone from the code is gone from the page."""
    declared = {row(setting) for setting in all_settings()}
    listed = {
        line
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `") and line.endswith("` |")
    }
    assert listed == declared
