"""Runs mutmut, and reads from its ``mutants`` folder what it made and what became of it."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutation.mutant import Fate, Mutant, Trial, change_between

FOLDER = Path("mutants")
_MARK = "__mutmut_"
_CLASS_MARK = "ǁ"
_FATES = {
    **dict.fromkeys((1, 3), Fate.KILLED),
    **dict.fromkeys((24, 36, 152, 255, -24), Fate.TIMEOUT),
    0: Fate.SURVIVED,
    **dict.fromkeys((5, 33), Fate.UNTESTED),
}


def run_mutmut(files: Sequence[str], processes: int) -> list[Trial]:
    """Let mutmut mutate some source files from scratch.

    Raises:
        RuntimeError: if it doesn't get to the end, with the end of what it said.
    """
    shutil.rmtree(FOLDER, ignore_errors=True)
    modules = [f"{_module_of(file)}.x*" for file in files]
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(processes), *modules]
    with tempfile.TemporaryFile("w+") as said:
        out = None if sys.stdout.isatty() else said
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            said.seek(0)
            raise RuntimeError(f"mutmut failed:\n{said.read()[-4000:]}")
    return [trial for file in files for trial in _read_trials(file)]


def _module_of(file: str) -> str:
    return file.removeprefix("src/").removesuffix(".py").replace("/", ".")


def _read_trials(file: str) -> Iterator[Trial]:
    meta = FOLDER / f"{file}.meta"
    if not meta.exists():
        return
    codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    functions = _functions(FOLDER / file)
    for key, code in codes.items():
        name = key.rpartition(".")[2]
        mangled, _, number = name.rpartition(_MARK)
        function = mangled.removeprefix("x").strip(f"{_CLASS_MARK}").replace(_CLASS_MARK, ".")
        if _CLASS_MARK not in mangled:
            function = mangled.removeprefix("x_")
        original = functions[f"{mangled}{_MARK}orig"].replace(f"{_MARK}orig", "")
        mutated = functions[name].replace(f"{_MARK}{number}", "")
        change = change_between(original, mutated)
        yield Mutant(file, function, change), _FATES.get(code, Fate.UNCLEAR)


def _functions(path: Path) -> dict[str, str]:
    """The source of each function that mutmut wrote, by its mangled name."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    return {
        node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _MARK in node.name
    }
