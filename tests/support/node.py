"""The page's modules, run by Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import visavis.serve

NODE = shutil.which("node")
STATIC = Path(visavis.serve.__file__).with_name("static")
needs_node = pytest.mark.skipif(NODE is None, reason="needs Node")


def in_node(module: str, names: str, body: str) -> Any:
    """What a script prints as JSON; it has these names of a module of the page."""
    script = f'import {{ {names} }} from "{(STATIC / module).as_uri()}"; {body}'
    command = [str(NODE), "--input-type=module", "-e", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
