from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

import visavis_train
from visavis.channels import EXPRESSIONS
from visavis.datasets.fer2013 import Fer2013
from visavis.errors import InputError
from visavis.expression.labels import FERPLUS_COLUMNS
from visavis_train.expression.config import Experiment, Training
from visavis_train.expression.models.hybrid import HybridConfig
from visavis_train.expression.targets import soft_targets
from visavis_train.face.detector_task import DetectorConfig
from visavis_train.face.face_task import FaceConfig
from visavis_train.listener.config import ListenerExperiment
from visavis_train.loop.experiment import Settings, load_experiment
from visavis_train.tokenizer.config import TokenizerExperiment

PUBLISHED = sorted((Path(visavis_train.__file__).parents[2] / "experiments").glob("fer_*.toml"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epoch=3", r"training\.epoch: no such key; did you mean training\.epochs"),
        ("epochs=3", r"epochs: no such key; did you mean training\.epochs\?"),
        ("training.epochs=0", r"training\.epochs: found 0; expected at least 1"),
        ("training.image_px_schedule=[[0.0, 40]]", r"ends with 40 px; model\.image_px is 48"),
        ("training.image_px_schedule=[[0.2, 48]]", "image_px_schedule must start at 0"),
        ("training.image_px_schedule=[[0.0, 44], [0.5, 48]]", "holds 44 px; hybrid needs multiples of 8 px"),
        (
            "training.epochs=1",
            r"with 1 epoch the last of training\.image_px_schedule",
        ),
        ("training.optimizer=lion", "'adamw', 'adam' or 'sgd'"),
        ("task=face", "task: found 'face'; expected 'expression'"),
        ("model.kind=forest", r"model\.kind: found 'forest'; expected one of 'hybrid', 'vit', 'vgg', 'timm'"),
        ("model=3", r"model: found 3; expected a table"),
        ("data=5", r"data: found 5; expected a table"),
        ("data=[{person=''}]", r"data\.0\.path: is missing"),
        ("data={labels=3}", r"data\.path: is missing"),
        ("model={kind='timm', name=3}", r"model\.name: found 3; expected a text"),
        (
            "model={kind='timm', name='x', arguments={depth={a=1}}}",
            r"model\.arguments\.depth: found \{'a': 1\}; expected a text or true or false or a whole number",
        ),
        ("model.layer=2", r"model\.layer: no such key; did you mean model\.layers\?"),
        ("model={kind='vit', widths=[8]}", r"model\.widths: no such key; did you mean model\.width\?"),
        ("model={kind='vgg', blocks=[1]}", r"model\.blocks: no such key; expected one of model\.kind"),
        (
            "model={kind='sparse', pruning={keep=1}}",
            r"pruning\.keep: no such key; did you mean model\.pruning\.keep_rate",
        ),
        (
            "model={kind='timm', name='x', arguments={num_classes=3}}",
            "num_classes is not for arguments: visavis",
        ),
        (
            "model={kind='timm', name='x', pretrained=true, weights='a'}",
            "pretrained and weights are two starts",
        ),
        ("model.colour=3", r"expected one of model\.kind, model\.image_px, model\.widths"),
        ("data=[{path='a', perso='x'}]", r"data\.0\.perso: no such key; did you mean data\.person\?"),
        ("data=[{path='a', sex='x'}]", r"sex: no such key; expected one of data\.path, data\.labels"),
        ("seed=-1", "seed: found -1; expected at least 0"),
        ("seed=true", "seed: found 'true'; expected a whole number"),
        ("training.learning_rate=false", r"training\.learning_rate: found 'false'; expected a number"),
        ("out=.", r"out: \. has no name of its own; expected a folder such as runs/first"),
        ("out=..", r"out: \.\. has no name of its own"),
        ("out=pyproject.toml", r"out: pyproject\.toml is a file; expected a folder"),
        (
            "distillation.faces=crops",
            r"distillation\.faces: found 'crops'; expected a list",
        ),
        ("training", "expected key=value"),
        ("name.first=x", "name is a value, not a table"),
    ],
)
def test_unknown_keys_and_bad_values_fail(toml: Path, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_experiment(toml, Experiment, [override])


@pytest.mark.parametrize(
    ("pruning", "fits"),
    [
        ("queries='kept', keep_rate=0.3", True),
        ("queries='kept', keep_rate=0.3, layers=[1]", True),
        ("queries='kept', keep_rate=1.0", False),
        ("queries='all', keep_rate=0.3", False),
        ("queries='kept', keep_rate=0.3, layers=[0, 1]", False),
        ("queries='kept', keep_rate=0.3, method='random'", False),
    ],
)
def test_many_keep_rates_need_pruning_that_can_be_exported(toml: Path, pruning: str, fits: bool) -> None:
    overrides = [f"model={{kind='sparse', pruning={{{pruning}}}}}", "training.keep_rates=[1.0, 0.3]"]
    if fits:
        assert load_experiment(toml, Experiment, overrides).training.keep_rates == (1.0, 0.3)
    else:
        with pytest.raises(InputError, match=r"queries kept, and a keep_rate below 1 in one layer"):
            load_experiment(toml, Experiment, overrides)


def test_what_does_not_go_together_fails(toml: Path) -> None:
    with pytest.raises(InputError, match=r"sam_rho does not go with fp16"):
        load_experiment(toml, Experiment, ["training.sam_rho=0.05", "mixed_precision=fp16"])
    with pytest.raises(InputError, match="holds 32 px; timm needs multiples of 48 px"):
        load_experiment(toml, Experiment, ["model={kind='timm', name='resnet18', image_px=48}"])
    with pytest.raises(InputError, match=r"keep_rates needs model\.kind sparse, .* and a keep_rate below 1"):
        load_experiment(toml, Experiment, ["training.keep_rates=[0.5]"])
    with pytest.raises(InputError, match=r"keep_rate is 1\.5; expected above 0 and at most 1"):
        load_experiment(toml, Experiment, ["training.keep_rates=[1.5]"])


def test_overrides_win(toml: Path) -> None:
    found = load_experiment(toml, Experiment, ["training.epochs=9", "name=other", "model.layers=2"])
    assert isinstance(found.model, HybridConfig)
    assert (found.training.epochs, found.name, found.model.layers) == (9, "other", 2)
    assert found.training.batch_size == 16


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_experiments_are_valid_and_named_after_their_file(path: Path) -> None:
    experiment = load_experiment(path, Experiment)
    assert experiment.name == path.stem
    assert experiment.out == Path("runs") / path.stem


def test_configurations_survive_json(toml: Path) -> None:
    found = load_experiment(
        toml, Experiment, ["model={kind='vit'}", "training.image_px_schedule=[]", "init=a/b"]
    )
    assert Experiment.model_validate_json(found.model_dump_json()) == found


def face_votes(**votes: int) -> np.ndarray:
    return np.asarray([votes.get(column, 0) for column in FERPLUS_COLUMNS], np.int64)


def test_targets_mix_votes_and_labels() -> None:
    votes = np.stack([face_votes(neutral=6, happiness=4), face_votes()])
    data = Fer2013(
        np.zeros((2, 48, 48), np.uint8), np.asarray([3, 0]), votes, np.asarray(["Training"] * 2)
    ).faces("Training")
    eight, seven = soft_targets(data, Training(label_smoothing=0, votes_in_labels=0.5))
    assert eight[0, EXPRESSIONS.index("neutral")].item() == pytest.approx(0.6)
    assert eight[1, EXPRESSIONS.index("anger")].item() == 1  # No votes: FER-2013's own label.
    assert seven[0, 3].item() == pytest.approx(0.5 + 0.5 * 0.4)
    for votes_wanted in ("soft", "majority", "none"):
        smooth8, smooth7 = soft_targets(data, Training(ferplus_targets=votes_wanted))
        assert torch.allclose(smooth8.sum(1), torch.ones(2))
        assert torch.allclose(smooth7.sum(1), torch.ones(2))


def test_hard_targets() -> None:
    votes = np.stack([face_votes(neutral=6, happiness=4), face_votes(neutral=5, happiness=5)])
    data = Fer2013(
        np.zeros((2, 48, 48), np.uint8), np.asarray([3, 3]), votes, np.asarray(["Training"] * 2)
    ).faces("Training")
    hard = {"label_smoothing": 0, "votes_in_labels": 0}
    majority, labels = soft_targets(data, Training(ferplus_targets="majority", **hard))
    assert [EXPRESSIONS[row.argmax()] for row in majority] == ["neutral", "happy"]  # No majority: the label.
    none, _ = soft_targets(data, Training(ferplus_targets="none", **hard))
    assert [EXPRESSIONS[row.argmax()] for row in none] == ["happy", "happy"]
    for part in (majority, none, labels):
        assert set(part.unique().tolist()) == {0.0, 1.0}


def test_schedules(toml: Path) -> None:
    how = Training(epochs=10, learning_rate=1.0, warmup=0.1)
    rates = [how.rate(step, 100) for step in range(100)]
    assert int(np.argmax(rates)) in (9, 10)
    assert max(rates) == pytest.approx(1)
    assert rates[-1] < 0.02
    assert (np.diff(rates[10:]) < 0).all()
    steady = how.model_copy(update={"schedule": "constant"})
    assert [steady.rate(step, 100) for step in (0, 10, 99)] == [pytest.approx(0.1), 1, 1]
    falling = Training(epochs=10, learning_rate=1.0, warmup=0, schedule="exponential", decay=0.5)
    assert [falling.rate(step, 100) for step in (0, 9, 10, 19, 20, 99)] == [1, 1, 0.5, 0.5, 0.25, 0.5**9]
    changing = load_experiment(toml, Experiment, ["training.epochs=10"])
    assert [changing.side_px(epoch) for epoch in (0, 4, 5, 9)] == [32, 32, 48, 48]
    still = load_experiment(toml, Experiment, ["training.image_px_schedule=[]"])
    assert [still.side_px(epoch) for epoch in (0, 2)] == [48, 48]


@pytest.mark.parametrize(
    "kind", [Experiment, DetectorConfig, FaceConfig, ListenerExperiment, TokenizerExperiment]
)
def test_a_seed_is_one_that_numpy_takes(kind: type[Settings]) -> None:
    for seed in (-1, 2**32):
        with pytest.raises(ValidationError, match=r"(?m)^seed$"):
            kind.model_validate({"seed": seed})
