"""Imported ONNX networks: equal answers, norms ready for training, and refusals."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn

from support.tiny_fer import KINDS
from visavis.errors import InputError, VisavisError
from visavis.types import ImageArray
from visavis_train.expression import init
from visavis_train.expression.config import Experiment
from visavis_train.expression.data.augment import Augmentation, augment
from visavis_train.expression.init import start
from visavis_train.expression.models.factory import build_model
from visavis_train.expression.models.graph import ExpressionGraph
from visavis_train.expression.models.learned import LEARNED
from visavis_train.expression.models.sparse import SparseNet
from visavis_train.expression.release import export_network, export_sparse, gray_pixels
from visavis_train.expression.run_folder import load_run
from visavis_train.expression.sparsity.kept_tokens import open_network
from visavis_train.expression.task import experiment_faces
from visavis_train.expression.trainer import ExpressionTrainer
from visavis_train.loop.experiment import load_experiment
from visavis_train.onnx.read import read_back

PLAIN = ["training.image_px_schedule=[]", "training.mixup=0"]


@pytest.fixture
def experiment(toml: Path) -> Experiment:
    return load_experiment(toml, Experiment, [KINDS["vgg"], *PLAIN])


@pytest.fixture
def images(experiment: Experiment) -> torch.Tensor:
    return torch.from_numpy(gray_pixels(experiment_faces(experiment).training))[:, None]


def lived_in(experiment: Experiment) -> nn.Module:
    """A network none of whose numbers is the one that it was made with."""
    torch.manual_seed(3)
    network = build_model(experiment.model, download=False)
    rng = torch.Generator().manual_seed(3)
    for tensor in network.parameters():
        tensor.data += 0.1 * torch.randn(tensor.shape, generator=rng)
    for norm in (each for each in network.modules() if isinstance(each, nn.BatchNorm2d)):
        norm.get_buffer("running_mean").normal_(generator=rng)
        norm.get_buffer("running_var").uniform_(0.5, 2.0, generator=rng)
    return network.eval()


@torch.no_grad()
def answers(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    return torch.cat(ExpressionGraph(network.eval())(images), dim=1)


def test_a_network_is_the_exported_one_again(toml: Path, images: torch.Tensor, tmp_path: Path) -> None:
    experiment = load_experiment(toml, Experiment, [KINDS["hybrid"], *PLAIN, f"init={tmp_path / 'n.onnx'}"])
    network = lived_in(experiment)
    export_network(network, tmp_path / "n.onnx")
    other = build_model(experiment.model, download=False)
    assert (answers(other, images) - answers(network, images)).abs().max() > 1e-3
    start(other, experiment, images)
    assert (answers(other, images) - answers(network, images)).abs().max() < 1e-5


def test_files_that_are_not_the_networks_are_named(
    toml: Path, experiment: Experiment, images: torch.Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "n.onnx"
    network = lived_in(experiment)
    changed = experiment.model_copy(update={"init": path})

    def refused(reason: str, how: Experiment = changed) -> None:
        with pytest.raises(VisavisError, match=r"n\.onnx.*" + reason):
            start(build_model(how.model, download=False), how, images)

    refused("no such file; expected weights to start from")
    path.write_bytes(b"no network at all")
    refused("no ONNX network in its 17 bytes")
    export_network(network, path)
    wider = [KINDS["vgg"].replace("[8, 16, 16]", "[8, 16, 24]"), *PLAIN, f"init={path}"]
    shapes = r"network\..* is \[.*16.*\]; expected \[.*24.*\]"  # The first tensor that differs.
    refused(shapes, load_experiment(toml, Experiment, wider))
    model = onnx.load(path)
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Elu"
    onnx.save(model, path)
    refused("another network")


@pytest.mark.usefixtures("as_users_export")
def test_the_number_of_tokens_as_an_input_is_read_back(
    toml: Path, images: torch.Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "n.onnx"
    model = (
        KINDS["sparse"]
        .replace("keep_rate=0.3", "keep_rate=0.3, queries='kept'")
        .replace("layers=2", "layers=1, blocks=[0, 0]")
    )
    experiment = load_experiment(toml, Experiment, [model, *PLAIN, f"init={path}"])
    network = lived_in(experiment)
    assert isinstance(network, SparseNet)
    export_sparse(network, path, 0.3)
    wanted = answers(network, images)
    # A network that drops tokens in another way starts from the same weights.
    learned = model.replace("queries=", "method='learned', keys='kept', queries=")
    other = build_model(load_experiment(toml, Experiment, [learned, *PLAIN]).model, download=False)
    start(other, experiment, images)
    new = network.load_state_dict(other.state_dict(), strict=False).unexpected_keys
    assert new
    assert all(LEARNED in key for key in new)
    assert (answers(network, images) - wanted).abs().max() < 1e-5


@pytest.mark.usefixtures("as_users_export")
@pytest.mark.slow
def test_the_embedded_network_that_drops_tokens_is_read_back() -> None:
    network, side_px = open_network(Path("expression_sparse"), None, None)
    assert (side_px, network.pruning.keep_rate) == (48, 0.1)


@pytest.mark.usefixtures("as_users_export")
@pytest.mark.slow
def test_batch_norms_of_an_embedded_network_that_is_trained_on_expect_faces(crop: ImageArray) -> None:
    faces = torch.from_numpy(crop)[None, None].repeat(64, 1, 1, 1)
    network = load_run(Path("expression"), faces=faces)[0]
    batch = augment(faces, 48, Augmentation(), torch.Generator().manual_seed(0))
    stages = network.get_submodule("stages")
    with torch.no_grad():
        still, trained = (stages.train(mode)(batch).flatten() for mode in (False, True))
    assert torch.corrcoef(torch.stack([still, trained]))[0, 1] > 0.95


def test_a_quantised_file_is_told_as_such(experiment: Experiment, images: torch.Tensor) -> None:
    changed = experiment.model_copy(update={"init": Path("expression_int8")})
    with pytest.raises(VisavisError, match="is quantised; start from the network in 32 bits"):
        start(build_model(changed.model, download=False), changed, images)


def test_a_run_starts_from_weights_of_16_bits_and_batch_norms_expect_what_they_will_see(
    experiment: Experiment, images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[torch.Tensor] = []

    def seen(*arguments: Any) -> None:
        batches.append(arguments[-1])
        read_back(*arguments)

    monkeypatch.setattr(init, "read_back", seen)
    path = tmp_path / "n.onnx"
    network = lived_in(experiment)
    export_network(network, path, half_weights=True)
    data = experiment_faces(experiment).training
    changed = experiment.model_copy(update={"init": path})
    started = ExpressionTrainer(changed, data).network
    assert (answers(started, images) - answers(network, images)).abs().max() < 5e-3
    still = copy.deepcopy(started).eval()
    for norm in (each for each in started.modules() if isinstance(each, nn.BatchNorm2d)):
        norm.train()  # Dropout stays off.
    with torch.no_grad():
        for moved, kept in zip(started(batches[0]), still(batches[0]), strict=True):
            assert torch.allclose(moved, kept, atol=1e-4)
    with pytest.raises(InputError, match=r"n\.onnx: init_deeper needs a checkpoint"):
        ExpressionTrainer(changed.model_copy(update={"init_deeper": True}), data)
