"""A network's answers when other tokens are dropped than in its training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.research import run_lab
from visavis.errors import InputError
from visavis_train.expression import task
from visavis_train.expression.config import Experiment
from visavis_train.expression.models.heads import standardize
from visavis_train.expression.models.sparse import SparseConfig, SparseNet
from visavis_train.expression.sparsity import dropped_tokens
from visavis_train.expression.sparsity.dropping import (
    Choice,
    TokenUse,
    Way,
    drop_in_every_way,
    dropping_table,
    require_first_layer,
)
from visavis_train.expression.sparsity.kept import drop_tokens

MODEL: dict[str, Any] = {"stem": (4, 8), "blocks": (0, 0), "width": 16, "layers": 2, "heads": 2}
PRUNING: dict[str, Any] = {"keep_rate": 0.3, "queries": "kept"}


def build(pruning: dict[str, Any] = PRUNING) -> SparseNet:
    torch.manual_seed(0)
    return SparseNet(SparseConfig.model_validate(MODEL | {"pruning": pruning})).eval()


def faces(count: int = 4) -> torch.Tensor:
    drawn = torch.Generator().manual_seed(1)
    return standardize(torch.rand(count, 1, 48, 48, generator=drawn))


def logits(network: SparseNet, count: int, choice: Choice, way: Way) -> torch.Tensor:
    with torch.inference_mode():
        return TokenUse.at(network, faces(), torch.Generator().manual_seed(2)).answer(count, choice, way)


def test_fused_and_most_is_what_the_network_does_by_itself() -> None:
    network = build()
    drop_tokens(network, 0.1, None)
    with torch.inference_mode():
        itself = network(faces())[1]
    torch.testing.assert_close(logits(network, 15, "most", "fused"), itself)
    assert not torch.allclose(logits(network, 15, "least", "fused"), itself, atol=1e-4)


@pytest.mark.parametrize("way", ["fused", "removed", "never asked", "never seen"])
@pytest.mark.parametrize("choice", ["most", "chance", "least"])
def test_who_keeps_all_tokens_drops_nothing(way: Way, choice: Choice) -> None:
    network = build()
    drop_tokens(network, 1.0, None)
    with torch.inference_mode():
        every = network(faces())[1]
    torch.testing.assert_close(logits(network, 144, choice, way), every, atol=1e-5, rtol=1e-4)


def test_what_is_never_seen_cannot_matter() -> None:
    network, seen = build(), faces()
    with torch.inference_mode():
        found = TokenUse.at(network, seen, torch.Generator()).answer(1, "most", "never seen")
        normed = network.layers[0].norm1(network.tokens(seen))
        q, k, _ = network.layers[0].attention.project(normed)
        kept = (q[:, :, :1] @ k.transpose(2, 3) / q.shape[3] ** 0.5).softmax(3).mean(1)[:, 0, 1:].argmax(1)
        alone = torch.zeros_like(seen)
        for face, cell in enumerate(kept.tolist()):
            rows, columns = (slice(4 * part, 4 * part + 4) for part in divmod(cell, 12))
            alone[face, :, rows, columns] = seen[face, :, rows, columns]
        drop_tokens(network, 1.0, None)
        tokens = network.tokens(alone)
        chosen = torch.stack([tokens[range(4), 0], tokens[range(4), kept + 1]], dim=1)
        expected = network.answer(network.read(chosen)[0])[1]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "pruning",
    [{"keep_rate": 0.3}, PRUNING | {"layers": [1]}, PRUNING | {"method": "random"}],
)
def test_other_pruning_is_refused(pruning: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected cls, layer 0 alone, kept, and all"):
        require_first_layer(build(pruning))


def test_every_way_is_told_once_and_counted() -> None:
    rng = np.random.default_rng(0)
    pictures, told = rng.integers(0, 256, (5, 48, 48), np.uint8), []
    labels = torch.arange(5)
    found = drop_in_every_way(build(), pictures, labels, (0.3, 0.1), lambda: told.append(1), batch=2)
    assert len(told) == 5
    assert len({(each.way, each.choice, each.rate) for each in found}) == len(found) == 24
    again = drop_in_every_way(build(), pictures, labels, (0.3, 0.1))
    assert [each.accuracy for each in again] == [each.accuracy for each in found]
    table = dropping_table(found)
    assert len(table.rows) == 12
    assert len(table.columns) == 2 + 2 * 2


def test_one_report_writes_page_and_results(data: Path, tmp_path: Path) -> None:
    experiment = Experiment.model_validate(
        {
            "name": "small",
            "data": data,
            "out": tmp_path / "run",
            "threads": 1,
            "model": MODEL | {"kind": "sparse", "pruning": PRUNING},
            "training": {"epochs": 1, "batch_size": 16},
        }
    )
    run, page, results = task.train_expression(experiment), tmp_path / "page.md", tmp_path / "dropped.json"
    page.write_text("\n".join(["# Page", *dropped_tokens.MARKS]))
    words = ("dropped-tokens", run, "--data", data, "--rate", 0.1, "--page", page, "--results", results)
    assert run_lab(*words) == 0
    found = json.loads(results.read_text())
    assert found["run"] == "run"
    assert len(found["dropped"]) == 12
    assert "| never seen | chance |" in page.read_text()


@pytest.mark.parametrize("rate", ["0", "1.5"])
def test_a_rate_out_of_range_is_refused(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_lab("dropped-tokens", "run", "--data", "data", "--rate", rate) == 2
    assert f"keep_rate is {float(rate):g}; expected above 0 and at most 1" in capsys.readouterr().err
