"""The expression training: it learns, repeats, resumes exactly, stops, starts from others, writes files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from support.research import assert_same_checkpoint, run_visavis
from support.tiny_fer import KINDS
from visavis.datasets import fer2013
from visavis.errors import InputError
from visavis_train.expression import card, task
from visavis_train.expression.config import Experiment
from visavis_train.expression.data.sources import DataSource
from visavis_train.expression.models.factory import build_model
from visavis_train.expression.release import Scores
from visavis_train.expression.task import experiment_faces, train_expression
from visavis_train.expression.trainer import ExpressionTrainer, make_accelerator, make_optimizer
from visavis_train.loop.checkpoint import load_checkpoint, save_checkpoint
from visavis_train.loop.experiment import load_experiment
from visavis_train.loop.log import read_log

# Everything that draws random numbers or keeps a state of its own.
EVERYTHING = [
    "training.sam_rho=0.05",
    "training.mixup=0.4",
    "training.cutmix=1.0",
    "model.drop_path=0.2",
    "augmentation.erase=0.5",
    "training.patience=2",
]


def losses(experiment: Experiment) -> list[float]:
    return [row["loss"] for row in read_log(train_expression(experiment))]


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_the_loss_and_learns(kind: str, toml: Path) -> None:
    changes = [
        "training.epochs=6",
        "model.image_px=32",
        "augmentation.erase=0",
        "training.image_px_schedule=[]",
        "training.mixup=0",
    ]
    rows = read_log(train_expression(load_experiment(toml, Experiment, [KINDS[kind], *changes])))
    assert [row["epoch"] for row in rows] == list(range(6))
    assert rows[-1]["loss"] < 0.85 * rows[0]["loss"]
    assert max(row["accuracy"] for row in rows) > 0.28  # Twice as good as chance, 1 in 7.


def test_a_killed_and_resumed_run_equals_an_unbroken_one(toml: Path, tmp_path: Path) -> None:
    unbroken = load_experiment(toml, Experiment, [*EVERYTHING, f"out={tmp_path / 'one'}"])
    train_expression(unbroken)
    broken = load_experiment(toml, Experiment, [*EVERYTHING, f"out={tmp_path / 'two'}"])
    broken.out.mkdir()
    killed = ExpressionTrainer(broken, experiment_faces(broken).training)
    killed.run_epoch()
    killed.save(broken.out / "last.safetensors")
    killed.run_epoch()  # Lost: it was never saved.
    train_expression(broken, resume=True)
    assert_same_checkpoint(unbroken.out, broken.out)


def test_one_seed_gives_one_result_and_another_seed_another(toml: Path, tmp_path: Path) -> None:
    runs = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        changes = [*EVERYTHING, "training.epochs=1", "training.image_px_schedule=[]", f"seed={seed}"]
        runs.append(load_experiment(toml, Experiment, [*changes, f"out={tmp_path / name}"]))
        torch.rand(7)  # What else happened in the program makes no difference.
        train_expression(runs[-1])
    assert_same_checkpoint(runs[0].out, runs[1].out)
    with pytest.raises(AssertionError):
        assert_same_checkpoint(runs[0].out, runs[2].out)


@pytest.mark.parametrize("changes", [["training.optimizer=sgd"], ["training.optimizer=adam"]])
def test_other_optimizers_resume_too(changes: list[str], toml: Path, tmp_path: Path) -> None:
    short = ["training.epochs=2", "training.schedule=constant", *changes]
    one, two = (load_experiment(toml, Experiment, [*short, f"out={tmp_path / name}"]) for name in "ab")
    first, second = losses(one)
    assert second < first
    two.out.mkdir()
    killed = ExpressionTrainer(two, experiment_faces(two).training)
    killed.run_epoch()
    killed.save(two.out / "last.safetensors")
    train_expression(two, resume=True)
    assert_same_checkpoint(one.out, two.out)


def test_vectors_are_spared_the_weight_decay(toml: Path) -> None:
    how = load_experiment(toml, Experiment).training
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.LayerNorm(3))
    decayed, plain = make_optimizer(network, how).param_groups
    assert (decayed["weight_decay"], [w.ndim for w in decayed["params"]]) == (0.05, [2])
    assert (plain["weight_decay"], [w.ndim for w in plain["params"]]) == (0, [1, 1, 1])


def test_a_run_stops_when_it_gets_no_better(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.3, 0.5, 0.4, 0.5, 0.9, 0.1])
    monkeypatch.setattr(task, "score_network", lambda *_, **__: Scores(next(scores), 1.0, 0.0, 35, 35))
    changes = [
        "training.epochs=6",
        "training.patience=2",
        "training.image_px_schedule=[]",
        "training.select_by=fer2013",
    ]
    experiment = load_experiment(toml, Experiment, changes)
    rows = read_log(train_expression(experiment))
    assert [row["accuracy"] for row in rows] == [0.3, 0.5, 0.4, 0.5]  # Equal is no better.
    train_expression(experiment, resume=True)  # It stays finished.
    assert len(read_log(experiment.out)) == 4


def test_small_pictures_are_not_chosen_by(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.9, 0.2, 0.3])  # The first epoch is at 32 px.
    monkeypatch.setattr(task, "score_network", lambda *_, **__: Scores(next(scores), 1.0, 0.0, 35, 35))
    out = train_expression(load_experiment(toml, Experiment))
    assert load_checkpoint(out / "best.safetensors", {})["epoch"] == 2


def test_scores_choose_as_wanted() -> None:
    scores = Scores(0.4, 1.0, 0.8, 10, 9)
    chosen = [scores.selection(by) for by in ("fer2013", "ferplus", "mean")]
    assert chosen == pytest.approx([0.4, 0.8, 0.6])


def test_a_run_may_start_from_anothers_weights(toml: Path, tmp_path: Path) -> None:
    first = load_experiment(toml, Experiment, ["training.epochs=2", "training.image_px_schedule=[]"])
    train_expression(first)
    best = first.out / "best.safetensors"
    changes = [f"out={tmp_path / 'next'}", "training.epochs=1", "training.image_px_schedule=[]"]
    again = load_experiment(toml, Experiment, [*changes, f"init={best}"])
    data = experiment_faces(again).training
    started = ExpressionTrainer(again, data).network.state_dict()
    for key, value in load_file(best).items():
        assert torch.equal(value, started[key.removeprefix("model/")]), key
    assert losses(again)[0] < read_log(first.out)[0]["loss"]
    other = load_experiment(toml, Experiment, [*changes, f"init={best}", "model.widths=[4, 8, 32]"])
    with pytest.raises(InputError, match=r"best\.safetensors: made for another network"):
        ExpressionTrainer(other, data)


def test_a_network_may_start_from_the_first_layers_of_a_deeper_one(toml: Path, tmp_path: Path) -> None:
    network = KINDS["sparse"]
    deep = load_experiment(toml, Experiment, [network, "training.image_px_schedule=[]"])
    path = tmp_path / "deep.safetensors"
    save_checkpoint(path, {"model": build_model(deep.model)}, None, {})
    changes = [network.replace("layers=2", "layers=1"), "training.image_px_schedule=[]", f"init={path}"]
    data = experiment_faces(deep).training
    with pytest.raises(InputError, match="made for another network"):
        ExpressionTrainer(load_experiment(toml, Experiment, changes), data)
    started = ExpressionTrainer(
        load_experiment(toml, Experiment, [*changes, "init_deeper=true"]), data
    ).network
    assert torch.equal(started.state_dict()["positions"], load_file(path)["model/positions"])


def test_a_sparse_network_may_start_from_the_first_convolutions_of_a_vgg(toml: Path, tmp_path: Path) -> None:
    plain = ["training.image_px_schedule=[]", "training.epochs=1"]
    out = train_expression(load_experiment(toml, Experiment, [KINDS["vgg"], *plain]))
    begun = [KINDS["sparse"].replace("[8, 16]", "[8, 16, 16]"), *plain, f"init_stem={out}"]
    experiment = load_experiment(toml, Experiment, [*begun, f"out={tmp_path / 'begun'}"])
    data = experiment_faces(experiment).training
    network = ExpressionTrainer(experiment, data).network
    assert card._start(experiment) == f"random weights, its stem from those of {out}"
    convolutions = 3 * 2
    stored = load_file(out / "best.safetensors")
    own = network.get_submodule("stem")[:-1].state_dict()  # type: ignore[index]
    assert sum(key.endswith("conv.weight") for key in own) == convolutions
    for key, value in own.items():
        assert torch.equal(value, stored[f"model/stages.{key}"]), key
    # The trained network is read back from its run, without the other one.
    best = train_expression(experiment) / "best.safetensors"
    again = load_experiment(toml, Experiment, [*begun, "init_stem=nowhere", f"init={best}"])
    started = ExpressionTrainer(again, data).network.state_dict()
    assert torch.equal(started["stem.0.conv.weight"], load_file(best)["model/stem.0.conv.weight"])
    for change, found in (
        ("model.stem=[8, 16, 24]", r"init_stem: .*run: does not begin with convolutions of \[8, 16, 24\]"),
        ("model.stem=[8, 16]", "model.stem with three numbers"),
        ("reading.pixels=unit", "another"),
        ("init_stem=nowhere", "init_stem: nowhere: no run"),
    ):
        with pytest.raises(InputError, match=found):
            ExpressionTrainer(load_experiment(toml, Experiment, [*begun, change]), data)
    with pytest.raises(InputError, match=r"init_stem needs model\.kind sparse"):
        load_experiment(toml, Experiment, [KINDS["vgg"], *plain, f"init_stem={out}"])


@pytest.mark.parametrize("key", ["init", "init_stem"])
def test_missing_weights_are_told_before_the_faces_are_read(
    key: str, toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "read_splits", lambda *_, **__: pytest.fail("too late"))
    sparse = KINDS["sparse"].replace("[8, 16]", "[8, 16, 16]")
    experiment = load_experiment(toml, Experiment, [sparse, f"{key}=nowhere"])
    with pytest.raises(InputError, match=f"{key}: nowhere: no such file or folder; expected weights"):
        train_expression(experiment)


def test_a_loss_that_leaves_the_numbers_ends_the_run(toml: Path) -> None:
    experiment = load_experiment(
        toml, Experiment, ["training.learning_rate=1e30", "training.warmup=0", "training.optimizer=sgd"]
    )
    with pytest.raises(InputError, match=r"the loss became .*: lower learning_rate"):
        train_expression(experiment)


def test_fp16_needs_a_gpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match="mixed_precision fp16"):
        make_accelerator("fp16")


def test_command_line_trains_exports_and_reports(
    toml: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = ["--set", "training.epochs=1", "--set", "training.image_px_schedule=[[0.0, 48]]"]
    assert run_visavis("train", toml, *short) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["validation"]["faces"] == 35
    assert (toml.parent / "run" / "expression.onnx").stat().st_size == report["bytes"]
    assert (report["seed"], report["epochs"], report["best_epoch"], report["kind"]) == (0, 1, 1, "hybrid")
    assert report["training_s"] > 0
    assert report["macs"] > report["parameters"] > 1000
    assert report["machine"]["processor"]
    monkeypatch.setattr(task, "seen_in", lambda faces, _: np.ones(len(faces), np.bool_))
    assert run_visavis("train", toml, *short, "--resume") == 0  # All faces were learnt, too.
    assert json.loads(capsys.readouterr().out)["validation_without_images_of_training"] is None


def test_ctrl_c_leaves_a_run_that_can_go_on(
    toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = load_experiment(toml, Experiment, [f"out={tmp_path / 'whole'}"])
    train_expression(whole)
    run_epoch = ExpressionTrainer.run_epoch

    def interrupted(self: ExpressionTrainer, *watch: Any) -> dict[str, float]:
        if self.epoch == 1:
            raise KeyboardInterrupt
        return run_epoch(self, *watch)

    with monkeypatch.context() as patch:
        patch.setattr(ExpressionTrainer, "run_epoch", interrupted)
        assert run_visavis("train", toml) == 130
    assert "--resume" in capsys.readouterr().err
    train_expression(load_experiment(toml, Experiment), resume=True)
    assert_same_checkpoint(whole.out, toml.parent / "run")
    assert [row["epoch"] for row in read_log(toml.parent / "run")] == [0, 1, 2]


@pytest.mark.shared
def test_real_faces_lower_the_loss(shared: Path) -> None:
    data = fer2013.load(shared / "data" / "fer2013").split("Training")[slice(0, 512)].faces("Training")
    values: dict[str, Any] = {"name": "real", "data": ".", "out": "runs/real", "threads": 1}
    values["training"] = {
        "epochs": 3,
        "batch_size": 64,
        "image_px_schedule": [[0.0, 32], [0.6, 48]],
        "mixup": 0,
    }
    values["model"] = {"widths": [8, 16, 32], "blocks": [1, 1], "layers": 1, "heads": 2}
    trainer = ExpressionTrainer(Experiment.model_validate(values), data)
    means = [trainer.run_epoch()["loss"] for _ in range(3)]
    assert means[2] < means[0] - 0.05


def test_one_expression_alone_teaches_nothing(tmp_path: Path, toml: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(20):
        path = tmp_path / "faces" / "happy" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 255, (48, 48, 3), np.uint8))
    one = load_experiment(toml, Experiment).model_copy(
        update={"data": (DataSource(path=tmp_path / "faces"),)}
    )
    with pytest.raises(
        InputError, match="faces: all faces to learn from are 'happy'; name pictures of at least"
    ):
        experiment_faces(one)
