"""Pretraining: it learns states, also mirrored ones, resumes exactly, and starts expression runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import visavis_train
from support.tiny_fer import KINDS
from visavis.channels import BLENDSHAPES
from visavis.errors import InputError
from visavis.face.mesh import LANDMARKS_146
from visavis_train.expression import pretraining, task
from visavis_train.expression.config import Experiment
from visavis_train.expression.models.factory import ModelConfig, build_model
from visavis_train.expression.models.heads import ExpressionNet
from visavis_train.expression.pretraining import NETWORK, Pretraining, PretrainingTrainer, pretrain
from visavis_train.expression.task import experiment_faces
from visavis_train.expression.trainer import ExpressionTrainer
from visavis_train.face.data.face_states import MADE_BY, FaceStates, normal_shape
from visavis_train.face.network import PARTNERS
from visavis_train.face.parts import WEIGHTS
from visavis_train.loop.experiment import load_experiment
from visavis_train.loop.rounds import run_rounds

CONFIG = """
task = "pretraining"
pack = "{pack}"
out = "{out}"
threads = 1
epochs = 12
batch_size = 16
learning_rate = 5e-3
ema_decay = 0.9
model = {{kind = "vgg", widths = [8, 16, 32], dropout = 0.0}}
augmentation = {{rotation_deg = 0, scale = 0, shift = 0, gamma = 0, blur = 0, erase = 0}}
"""


def blobs(n: int, seed: int) -> FaceStates:
    """Faces of a kind: a light patch is where they face, and the eye on that side is shut."""
    rng = np.random.default_rng(seed)
    facing = rng.uniform(-0.4, 0.4, (n, 2)).astype(np.float32)
    y, x = np.mgrid[0:48, 0:48] / 23.5 - 1
    away = (x - facing[:, :1, None] * 2) ** 2 + (y - facing[:, 1:, None] * 2) ** 2
    images = (40 + 200 * np.exp(-away / 0.05)).astype(np.uint8)
    left, right = (BLENDSHAPES.index(f"eyeBlink{side}") for side in ("Left", "Right"))
    weights = np.zeros((n, WEIGHTS), np.float32)
    weights[:, left], weights[:, right] = 0.5 + facing[:, 0], 0.5 - facing[:, 0]
    shape = rng.normal(size=(len(LANDMARKS_146), 3)).astype(np.float32)
    shape = shape + shape[list(PARTNERS)] * np.asarray([-1, 1, 1], np.float32)
    shapes = np.repeat(shape[None], n, axis=0)
    shapes[..., 0] *= 1 + facing[:, 1:]
    shapes = np.stack([normal_shape(shape) for shape in shapes])
    return FaceStates(images, shapes, weights, facing, np.arange(n) % 5 == 4)


EXPERIMENTS = Path(visavis_train.__file__).parents[2] / "experiments"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("states") / "states.npz"
    blobs(400, 0).save(path)
    return path


@pytest.fixture
def file(pack: Path, tmp_path: Path) -> Path:
    path = tmp_path / "pretraining.toml"
    path.write_text(CONFIG.format(pack=pack, out=tmp_path / "run"))
    return path


@pytest.mark.parametrize("network", ["vgg_small", "vit_small"])
def test_published_experiments_pretrain_the_network_of_an_expression_run(network: str) -> None:
    start = load_experiment(EXPERIMENTS / f"pretraining_{network}.toml", Pretraining)
    goal = load_experiment(EXPERIMENTS / f"fer_{network}.toml", Experiment)
    assert start.out.name == f"pretraining_{network}"
    assert (start.model, start.augmentation) == (goal.model, goal.augmentation)


def test_it_learns_states_and_which_way_round_they_are(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainers: list[PretrainingTrainer] = []
    seen: set[int] = set()
    begin, step = PretrainingTrainer.__init__, PretrainingTrainer._step

    def note(self: PretrainingTrainer, rows: torch.Tensor, rng: torch.Generator, number: int) -> float:
        seen.update(rows.tolist())
        return step(self, rows, rng, number)

    def keep(self: PretrainingTrainer, config: Pretraining, *, fresh: bool) -> None:
        trainers.append(self)
        begin(self, config, fresh=fresh)

    monkeypatch.setattr(PretrainingTrainer, "_step", note)
    monkeypatch.setattr(PretrainingTrainer, "__init__", keep)
    out = pretrain(load_experiment(file, Pretraining)).parent
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["loss"] < 0.2 * rows[0]["loss"]
    (trainer,) = trainers
    assert rows[-1]["explained"] == trainer.explained()
    assert min(rows[-1]["explained"].values()) > 0.8
    # Faces to measure on are never learned from, all others are.
    assert seen == set(trainer.rows.tolist()) == set(range(400)) - set(trainer.held_out.tolist())
    # Mirrored pictures are told as well, by the mirrored states.
    trainer.images, trainer.plain = trainer.images.flip(3), trainer.mirrored
    assert min(value or 0 for value in trainer.explained().values()) > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_can_be_pretrained_and_start_a_run(
    kind: str, file: Path, toml: Path, tmp_path: Path
) -> None:
    start = pretrain(load_experiment(file, Pretraining, [KINDS[kind], "epochs=1"]))
    experiment = load_experiment(
        toml, Experiment, [KINDS[kind], f"init={start}", "training.image_px_schedule=[]"]
    )
    run = ExpressionTrainer(experiment, experiment_faces(experiment).training)
    stored = load_file(start)
    assert stored
    for name, value in run.network.state_dict().items():
        assert torch.equal(value, stored[f"model/{name}"]), name
    torch.manual_seed(0)  # As the run began.
    moved = {
        name.partition(".")[0]
        for name, drawn in build_model(experiment.model).named_parameters()
        if not torch.equal(drawn, stored[f"model/{name}"])
    }
    assert moved
    assert not moved & {"expressions", "labels"}


def test_a_run_starts_from_it_and_another_network_does_not(file: Path, toml: Path, tmp_path: Path) -> None:
    start = pretrain(load_experiment(file, Pretraining, [KINDS["hybrid"], "epochs=1"]))
    short = [
        "training.epochs=1",
        "training.image_px_schedule=[]",
        f"init={start}",
        f"out={tmp_path / 'expression'}",
    ]
    assert (task.train_expression(load_experiment(toml, Experiment, short)) / "best.safetensors").is_file()
    with pytest.raises(InputError, match="made for another network"):
        task.train_expression(
            load_experiment(toml, Experiment, [*short, KINDS["vgg"], f"out={tmp_path / 'other'}"])
        )


def test_a_killed_and_resumed_run_equals_an_unbroken_one(file: Path, tmp_path: Path) -> None:
    changes = ["epochs=3", "augmentation={erase=0.5}", "model.dropout=0.2"]
    whole, broken = (
        load_experiment(file, Pretraining, [*changes, f"out={tmp_path / name}"]) for name in ("a", "b")
    )
    pretrain(whole)
    killed = PretrainingTrainer(broken)
    modules = {"model": killed.net, "average": killed.average}
    run_rounds(broken.out, broken, broken.seed, 1, killed.run_epoch, modules, killed.optimizer)
    with pytest.raises(InputError, match="already holds a run"):
        pretrain(broken)
    pretrain(broken, resume=True)
    for name in ("last.safetensors", NETWORK):
        one, other = load_file(whole.out / name), load_file(broken.out / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(value, other[key]) for key, value in one.items())
    # The result is the average.
    last, result = (load_file(whole.out / name) for name in ("last.safetensors", NETWORK))
    for name, value in result.items():
        inner = f"network.{name.removeprefix('model/')}"
        assert torch.equal(value, last[f"average/module.{inner}"])
    assert any(
        not torch.equal(value, last[f"model/network.{name.removeprefix('model/')}"])
        for name, value in result.items()
    )


def test_what_does_not_vary_is_not_explained(file: Path, tmp_path: Path) -> None:
    states = blobs(20, 3)
    replace(states, weights=np.zeros_like(states.weights)).save(tmp_path / "still.npz")
    out = pretrain(load_experiment(file, Pretraining, ["epochs=1", f"pack={tmp_path / 'still.npz'}"])).parent
    explained = json.loads((out / "log.jsonl").read_text())["explained"]
    assert explained["weights"] is None
    assert isinstance(explained["facing"], float)


def test_a_resumed_run_fetches_no_weights(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def build(config: ModelConfig, *, download: bool) -> ExpressionNet:
        asked.append(download)
        return build_model(config, download=download)

    monkeypatch.setattr(pretraining, "build_model", build)
    config = load_experiment(file, Pretraining, ["epochs=1"])
    for resume in (False, True):
        pretrain(config, resume=resume)
    assert asked == [True, False]


def test_several_processes_and_missing_packs_are_refused(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=f"no such file; make it by  {MADE_BY}"):
        pretrain(load_experiment(file, Pretraining, [f"pack={tmp_path / 'none.npz'}"]))
    monkeypatch.setattr(pretraining, "make_accelerator", lambda _: SimpleNamespace(num_processes=2))
    with pytest.raises(InputError, match="2 processes were started; pretraining takes one"):
        pretrain(load_experiment(file, Pretraining))
