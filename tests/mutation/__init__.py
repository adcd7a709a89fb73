"""Mutation testing of what isolation rests on; `script/mutation` runs it.

`mutmut` changes one thing at a time in the functions of the modules that ``[tool.mutmut]`` names,
and `leftovers` changes what mutmut leaves alone. A change that no test notices must stand in
``equivalent.toml`` with the reason why it changes nothing; see ``docs/reference/mutation.md``.
"""
