"""Public classes and functions: few names are defined in more than one module."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_TWICE = 14
PLUGINS = ("formats", "inputs")


def test_few_public_names_are_defined_twice() -> None:
    modules: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "src").rglob("*.py")):
        if path.parent.name in PLUGINS:  # These all have the names that the registry looks for.
            continue
        for node in ast.parse(path.read_text("utf-8")).body:
            kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            if isinstance(node, kinds) and not node.name.startswith("_"):
                modules[node.name].add(path.relative_to(ROOT / "src").as_posix())
    twice = {name: sorted(found) for name, found in modules.items() if len(found) > 1}
    assert len(twice) <= MOST_TWICE, f"rename some by what they are: {twice}"
