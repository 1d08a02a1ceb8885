"""Descriptions of experiment keys: equal in docs/reference and in the configurations' docstrings."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import visavis_train
from visavis_train.expression.config import Distillation, Experiment, Training
from visavis_train.expression.data.augment import Augmentation
from visavis_train.expression.data.sources import DataSource
from visavis_train.expression.models.heads import Reading
from visavis_train.expression.models.hybrid import HybridConfig
from visavis_train.expression.models.pruning import PruningConfig
from visavis_train.expression.models.sae_config import SaeConfig
from visavis_train.expression.models.sparse import SparseConfig
from visavis_train.expression.models.timm_net import TimmConfig
from visavis_train.expression.models.vgg import VggConfig
from visavis_train.expression.models.vit import VitConfig
from visavis_train.expression.pretraining import Pretraining
from visavis_train.listener.config import ListenerExperiment, SamplingSettings
from visavis_train.listener.network import ListenerSize
from visavis_train.listener.trainer import ListenerTraining
from visavis_train.loop.experiment import Settings
from visavis_train.tokenizer.coders import MlpConfig, TransformerConfig
from visavis_train.tokenizer.config import HeldOutClips, TokenizerExperiment, TokenizerTraining
from visavis_train.tokenizer.network import TokenizerConfig
from visavis_train.tokenizer.quantizers import FsqConfig, LfqConfig, ResidualFsqConfig, VqConfig

REFERENCE = Path(visavis_train.__file__).parents[2] / "docs" / "reference"
PAGES: dict[str, tuple[type[Settings], ...]] = {
    "experiments.md": (
        Experiment,
        DataSource,
        Reading,
        HybridConfig,
        VitConfig,
        VggConfig,
        TimmConfig,
        SparseConfig,
        SaeConfig,
        PruningConfig,
        Training,
        Augmentation,
        Distillation,
    ),
    "pretraining.md": (Pretraining,),
    "tokens.md": (
        TokenizerExperiment,
        HeldOutClips,
        TokenizerConfig,
        FsqConfig,
        ResidualFsqConfig,
        VqConfig,
        LfqConfig,
        MlpConfig,
        TransformerConfig,
        TokenizerTraining,
    ),
    "listener.md": (ListenerExperiment, ListenerSize, ListenerTraining, SamplingSettings),
}
TABLES = [(page, config) for page, configs in PAGES.items() for config in configs]


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


@pytest.mark.parametrize(("page", "config"), TABLES, ids=[config.__name__ for _, config in TABLES])
def test_every_key_stands_in_the_reference(page: str, config: type[Settings]) -> None:
    text = (REFERENCE / page).read_text("utf-8")
    missing = [row for row in rows(config) if row not in text]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("page", PAGES)
def test_the_reference_has_no_other_keys(page: str) -> None:
    listed = re.findall(r"^\| `\w+` \|.*$", (REFERENCE / page).read_text("utf-8"), flags=re.MULTILINE)
    assert len(listed) == sum(len(list(rows(config))) for config in PAGES[page])
