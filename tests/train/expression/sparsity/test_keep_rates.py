"""One set of weights for all keep rates: trained, exported with their number as an input, measured."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.research import run_lab
from visavis.base.networks import session_of
from visavis.datasets.registry import find_dataset
from visavis.expression.sparse import SparseClassifier
from visavis_train.expression import task
from visavis_train.expression.config import Experiment
from visavis_train.expression.models.graph import ExpressionGraph
from visavis_train.expression.models.sparse import SparseConfig, SparseNet
from visavis_train.expression.quantize.methods import quantized
from visavis_train.expression.quantize.network import Network
from visavis_train.expression.release import export_sparse
from visavis_train.expression.sparsity import keep_rates
from visavis_train.expression.sparsity.kept import drop_tokens
from visavis_train.expression.task import experiment_faces
from visavis_train.expression.trainer import ExpressionTrainer
from visavis_train.loop.experiment import load_experiment

MODEL: dict[str, Any] = {"stem": (4, 8), "blocks": (0, 0), "width": 64, "layers": 2, "heads": 2}
CONFIG = """
name = "any"
data = "{data}"
out = "{out}"
seed = 1
threads = 1

[model]
kind = "sparse"
stem = [4, 8]
blocks = [0, 0]
width = 16
layers = 2
heads = 2
drop_path = 0.0

[model.pruning]
keep_rate = 0.3
queries = "kept"

[training]
epochs = 3
batch_size = 16
learning_rate = 5e-3
keep_rates = [1.0, 0.3, 0.1]
"""


def build() -> SparseNet:
    torch.manual_seed(0)
    pruning = {"keep_rate": 0.3, "queries": "kept"}
    return SparseNet(SparseConfig.model_validate(MODEL | {"pruning": pruning})).eval()


def pictures(count: int = 3) -> torch.Tensor:
    drawn = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 1, 48, 48), dtype=torch.uint8, generator=drawn)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The network of :func:`build`, its number of tokens an input."""
    path = tmp_path_factory.mktemp("exported") / "sparse.onnx"
    export_sparse(build(), path, 0.3)
    return path.read_bytes()


@pytest.mark.parametrize("rate", [1.0, 0.9, 0.3, 0.1, 0.001])
def test_one_file_answers_as_the_network_of_each_keep_rate(rate: float, exported: bytes) -> None:
    network, faces = build(), pictures()
    drop_tokens(network, rate, None)
    with torch.no_grad():
        expressions, labels = ExpressionGraph(network)(faces)
        _, chosen = network.read(network.tokens(ExpressionGraph(network).prepare(faces)))
    reader = SparseClassifier(session_of(exported, "test"), rate)
    crops = faces[:, 0].numpy()
    np.testing.assert_allclose(reader.predict(crops), expressions, atol=1e-5)
    np.testing.assert_allclose(reader.predict_labels(crops), labels, atol=1e-5)
    kept = np.ones((3, 144), np.bool_)
    if chosen:
        kept[:] = False
        np.put_along_axis(kept, chosen[0].numpy(), True, axis=1)
    assert reader.kept is not None
    np.testing.assert_array_equal(reader.kept, kept.reshape(3, 12, 12))


def test_the_file_says_how_many_tokens_are_kept_unasked(exported: bytes) -> None:
    session = session_of(exported, "test")
    assert SparseClassifier(session).keep == 0.3


@pytest.mark.parametrize("method", ["int8", "int4"])
def test_the_file_can_be_quantized(method: str, exported: bytes, tmp_path: Path) -> None:
    path, faces = tmp_path / "sparse.onnx", pictures(40).numpy()
    path.write_bytes(exported)
    candidate = quantized(method, Network.load(path), lambda: faces)
    before, after = (SparseClassifier(session_of(data, "test")) for data in (exported, candidate.data))
    assert len(candidate.data) < len(exported)
    assert after.keep == before.keep
    np.testing.assert_allclose(after.predict(faces[:, 0]), before.predict(faces[:, 0]), atol=0.1)
    assert not np.array_equal(after.predict(faces[:, 0]), before.predict(faces[:, 0]))


def test_a_sampled_rate_takes_the_place_of_the_configured_one() -> None:
    network, faces = build(), torch.randn(2, 1, 48, 48)
    for rate in (1.0, 0.6, 0.1):
        fixed = build()
        drop_tokens(fixed, rate, None)
        network.sampled_rate = rate
        assert torch.allclose(network(faces)[0], fixed(faces)[0], atol=1e-6)
        network.sampled_rate = None
    assert not torch.allclose(network(faces)[0], fixed(faces)[0], atol=1e-6)


@pytest.fixture
def toml(data: Path, tmp_path: Path) -> Path:
    path = tmp_path / "any.toml"
    path.write_text(CONFIG.format(data=data, out=tmp_path / "run"))
    return path


def test_every_step_draws_a_rate_and_scores_do_not(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = load_experiment(toml, Experiment)
    trainer = ExpressionTrainer(experiment, experiment_faces(experiment).training)
    drawn: list[float | None] = []
    read = SparseNet.features

    def watched(self: SparseNet, x: torch.Tensor) -> torch.Tensor:
        drawn.append(self.sampled_rate)
        return read(self, x)

    monkeypatch.setattr(SparseNet, "features", watched)
    first = trainer.run_epoch()["loss"]
    trainer.run_epoch()
    assert trainer.run_epoch()["loss"] < first
    assert set(drawn) == {1.0, 0.3, 0.1}
    trainer.average.module(pictures(1).float())
    assert drawn[-1] is None


def test_one_command_measures_every_rate(toml: Path, tmp_path: Path) -> None:
    experiment = load_experiment(toml, Experiment)
    [data] = experiment.data
    task.release_expression(experiment.model_copy(update={"out": task.train_expression(experiment)}), toml)
    page, results = tmp_path / "page.md", tmp_path / "rates.json"
    page.write_text("\n".join(["# Page", *keep_rates.MARKS]))
    words = [experiment.out, "--data", data.path, "--calls", 2, "--page", page, "--results", results]
    assert run_lab("keep-rates", *words) == 0
    found = json.loads(results.read_text())
    assert [row["tokens"] for row in found["rates"]] == [144, 130, 87, 44, 15]
    for more, fewer in pairwise(found["rates"]):
        assert more["macs"] > fewer["macs"]
    assert "| 0.3 | 44 |" in page.read_text()
    reader = SparseClassifier(session_of((experiment.out / "expression_sparse.onnx").read_bytes(), "run"))
    faces = find_dataset(data.path).read("PublicTest")
    right = reader.predict_labels(next(faces.batches(64, 48))).argmax(axis=1) == faces.labels
    assert found["rates"][3]["scores"]["overall"]["value"] == pytest.approx(right.mean())
