"""docs/reference/experiments.md says of every key what the configurations' docstrings say."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import visavis_train
from visavis_train.data.augment import Augmentation
from visavis_train.experiment import Settings
from visavis_train.models.hybrid import HybridConfig
from visavis_train.models.timm_net import TimmConfig
from visavis_train.models.vgg import VggConfig
from visavis_train.models.vit import VitConfig
from visavis_train.tasks.emotion_config import Distillation, Experiment, Training

PAGE = Path(visavis_train.__file__).parents[2] / "docs" / "reference" / "experiments.md"
TABLES = (Experiment, HybridConfig, VitConfig, VggConfig, TimmConfig, Training, Augmentation, Distillation)


def described(config: type[Settings]) -> dict[str, str]:
    """Key -> what the docstring says of it, in Markdown."""
    _, _, attributes = inspect.getdoc(config).partition("Attributes:\n")
    parts = re.split(r"^    (\w+): ", attributes, flags=re.MULTILINE)[1:]
    return {
        key: " ".join(text.split()).replace("``", "`").replace(":class:", "")
        for key, text in zip(parts[::2], parts[1::2], strict=True)
    }


def default_of(field: Any) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    return f"`{json.dumps(value)}`"


def rows(config: type[Settings]) -> Iterator[str]:
    texts = described(config)
    for key, field in config.model_fields.items():
        if isinstance(field.default, Settings):
            continue  # A table of its own.
        yield f"| `{key}` | {default_of(field)} | {texts.pop(key)} |"
    assert not texts, "described, but no key"


@pytest.mark.parametrize("config", TABLES, ids=lambda config: config.__name__)
def test_every_key_stands_in_the_reference(config: type[Settings]) -> None:
    page = PAGE.read_text("utf-8")
    missing = [row for row in rows(config) if row not in page]
    assert not missing, "\n".join(missing)


def test_the_reference_has_no_other_keys() -> None:
    listed = re.findall(r"^\| `\w+` \|.*$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    assert len(listed) == sum(len(list(rows(config))) for config in TABLES)
