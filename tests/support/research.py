"""The command line as a user has it, in this process; and what run folders hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from visavis.cli import main


def run_lab(*words: object) -> int:
    """``visavis lab ...``; returns the exit status. Errors are told on standard error."""
    return run_visavis("lab", *words)


def run_visavis(*words: object) -> int:
    """``visavis ...``; returns the exit status. Errors are told on standard error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["visavis", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def assert_same_checkpoint(one: Path, other: Path) -> None:
    """Two run folders go on from the same bits."""
    import torch
    from safetensors.torch import load_file

    first, second = (load_file(out / "last.safetensors") for out in (one, other))
    assert first.keys() == second.keys()
    assert any(key.startswith("optimizer/") for key in first)
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def spoil(file: Path, content: str | dict[str, Any] | None) -> None:
    """Delete a file, give it another text, or change some of its JSON values, also in its tables."""
    if content is None:
        file.unlink()
    elif isinstance(content, str):
        file.write_text(content)
    else:
        values = json.loads(file.read_text())
        for key, value in content.items():
            both = isinstance(value, dict) and isinstance(values.get(key), dict)
            values[key] = {**values[key], **value} if both else value
        file.write_text(json.dumps(values))
