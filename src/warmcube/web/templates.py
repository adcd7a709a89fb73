"""Templates: how values become HTML. Everything is escaped; what isn't there is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from warmcube.web.assets import Assets

__all__ = ["Templates"]

_JSON: Final = {"ensure_ascii": False, "separators": (",", ":")}


class Templates:
    """The templates of all pages.

    Args:
        assets: to which they link.
    """

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=PackageLoader("warmcube.web", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals["asset"] = assets.path
        self._environment.policies["json.dumps_kwargs"] = _JSON

    def render(self, name: str, values: Mapping[str, Any]) -> str:
        """A page.

        Args:
            name: of the template.
            values: that it uses; each has to be there.
        """
        return self._environment.get_template(name).render(values)
