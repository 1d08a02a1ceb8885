from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from support.tiny_fer import patterns
from visavis.datasets import fer2013
from visavis.errors import InputError, WeightsError
from visavis_train.expression.config import Experiment
from visavis_train.expression.distillation import ask, distillation_loss, soften
from visavis_train.expression.models.graph import ExpressionGraph
from visavis_train.expression.models.heads import standardize
from visavis_train.expression.run_folder import load_run
from visavis_train.expression.task import experiment_faces, release_expression, train_expression
from visavis_train.expression.teachers import ConsistentTeachers, open_teacher, teacher_answers
from visavis_train.expression.trainer import ExpressionTrainer
from visavis_train.loop.experiment import load_experiment
from visavis_train.loop.log import read_log
from visavis_train.loop.progress import no_progress


@given(st.floats(0.5, 8), st.integers(0, 100))
def test_the_loss_is_zero_where_network_and_teacher_agree_and_positive_elsewhere(
    temperature: float, seed: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(5, 8, generator=rng)
    teacher = soften(logits.softmax(dim=1), temperature)
    assert torch.allclose(teacher, (logits / temperature).softmax(dim=1), atol=1e-4)
    assert distillation_loss(logits, teacher, temperature).item() == pytest.approx(0, abs=1e-4)
    assert distillation_loss(logits + 7, teacher, temperature).item() == pytest.approx(0, abs=1e-4)
    assert distillation_loss(logits.flip(1), teacher, temperature).item() > 0.01


def test_its_gradient_is_that_of_the_cross_entropy() -> None:
    logits = torch.randn(4, 7, requires_grad=True)
    teacher = torch.randn(4, 7).softmax(dim=1)
    (one,) = torch.autograd.grad(distillation_loss(logits, teacher, 1.0), logits)
    (other,) = torch.autograd.grad(functional.cross_entropy(logits, teacher), logits)
    assert torch.allclose(one, other, atol=1e-6)


def test_several_teachers_are_averaged_and_see_faces_mirrored_too() -> None:
    def left(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        share = images[:, 0, 0, :1].float() / 255
        return share.repeat(1, 8), share.repeat(1, 7)

    def half(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((len(images), 8), 0.5), torch.full((len(images), 7), 0.5)

    images = torch.zeros(600, 1, 48, 48, dtype=torch.uint8)
    images[300:, :, :, 0] = 255
    calls: list[None] = []
    eight, seven = ask([left, half], images, lambda: calls.append(None))
    assert (eight.shape, seven.shape) == ((600, 8), (600, 7))
    assert torch.allclose(eight[:300], torch.tensor(0.25))
    assert torch.allclose(seven[300:], torch.tensor((1 + 0 + 0.5 + 0.5) / 4))
    assert len(calls) == 3


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained teacher's run folder."""
    out = tmp_path_factory.mktemp("teacher") / "run"
    values = {
        "name": "teacher",
        "data": data,
        "out": out,
        "threads": 1,
        "model": {"kind": "vgg", "widths": [8, 16]},
    }
    values["training"] = {"epochs": 6, "batch_size": 16, "learning_rate": 5e-3}
    experiment = Experiment.model_validate(values)
    train_expression(experiment)
    release_expression(experiment, Path("teacher.toml"))
    return out


def test_a_checkpoint_and_its_onnx_file_teach_the_same(run: Path) -> None:
    faces = torch.randint(0, 256, (5, 1, 48, 48), dtype=torch.uint8)
    one, two = (open_teacher(run / name, 1)(faces) for name in ("best.safetensors", "expression.onnx"))
    for first, second in zip(one, two, strict=True):
        assert torch.allclose(first, second, atol=1e-5)
        assert torch.allclose(first.sum(dim=1), torch.ones(5))
    assert torch.allclose(ExpressionGraph(*load_run(run))(faces)[0], one[0])


def test_a_network_learns_from_teachers_alone(run: Path, toml: Path) -> None:
    teachers = f"distillation.teachers=['{run / 'expression.onnx'}', '{run / 'best.safetensors'}']"
    experiment = load_experiment(
        toml, Experiment, [teachers, "distillation.weight=1.0", "training.epochs=10", "training.mixup=0"]
    )
    data = experiment_faces(experiment).training
    taught = teacher_answers(experiment, [data.gray(48)], no_progress)
    assert taught is not None
    assert [part.shape for part in taught] == [(140, 8), (140, 7)]
    losses = [row["loss"] for row in read_log(train_expression(experiment))]
    assert len(losses) == 10
    assert 0 < losses[-1] < 0.6 * losses[0]


def test_without_teachers_there_are_no_answers(toml: Path) -> None:
    experiment = load_experiment(toml, Experiment)
    assert teacher_answers(experiment, [fer2013.load(experiment.data[0].path).images], no_progress) is None


def test_consistent_teachers_answer_what_the_network_sees(run: Path, toml: Path) -> None:
    teachers = [f"distillation.teachers=['{run / 'best.safetensors'}']", "distillation.consistent=true"]
    experiment = load_experiment(toml, Experiment, [*teachers, "distillation.temperature=2.0"])
    assert teacher_answers(experiment, [fer2013.load(experiment.data[0].path).images], no_progress) is None
    ask_all = ConsistentTeachers(experiment, torch.device("cpu"))
    network, _ = load_run(run)
    pictures = torch.randn(5, 1, 48, 48)
    for said, logits in zip(ask_all(pictures), network(pictures), strict=True):
        assert torch.allclose(said, (logits / 2).softmax(dim=1), atol=1e-5)
        assert not said.requires_grad
    assert [said.shape for said in ask_all(torch.randn(5, 1, 32, 32))] == [(5, 8), (5, 7)]  # Enlarged.


@pytest.mark.usefixtures("as_users_export")
@pytest.mark.slow
def test_an_embedded_network_teaches_consistently(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])  # Its experiment says which network it is.
    teachers = ["distillation.teachers=['expression']", "distillation.consistent=true"]
    experiment = load_experiment(toml, Experiment, [*teachers, "distillation.temperature=1.0"])
    faces = torch.from_numpy(fer2013.load(experiment.data[0].path).images)[:6, None]
    said = ConsistentTeachers(experiment, torch.device("cpu"))(standardize(faces.float() / 255))
    for one, runtime in zip(said, open_teacher(Path("expression"), 1)(faces), strict=True):
        assert torch.allclose(one, runtime, atol=1e-3)


def test_a_network_learns_from_consistent_teachers(run: Path, toml: Path) -> None:
    teachers = [f"distillation.teachers=['{run / 'best.safetensors'}']", "distillation.consistent=true"]
    changes = [*teachers, "distillation.weight=1.0", "training.epochs=10", "training.mixup=0.4"]
    losses = [row["loss"] for row in read_log(train_expression(load_experiment(toml, Experiment, changes)))]
    assert 0 < losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("consistent", ["true", "false"])
def test_faces_without_labels_are_learned_from_teachers_alone(
    consistent: str, run: Path, toml: Path, tmp_path: Path
) -> None:
    crops = tmp_path / "crops"
    crops.mkdir()
    images, _ = patterns(70, 3)
    for number, image in enumerate(images):
        cv2.imwrite(str(crops / f"{number}.png"), image)
    changes = [
        f"distillation.teachers=['{run / 'best.safetensors'}']",
        f"distillation.consistent={consistent}",
        f"distillation.faces=['{crops}']",
        "distillation.weight=1.0",
        "training.epochs=10",
    ]
    experiment = load_experiment(toml, Experiment, changes)
    rows = read_log(train_expression(experiment))
    assert rows[-1]["loss"] < 0.7 * rows[0]["loss"]
    assert rows[0]["faces_per_s"] * rows[0]["seconds"] == pytest.approx(140 + 70, abs=16)
    trainer = ExpressionTrainer(experiment, experiment_faces(experiment).training, unlabeled=images)
    labeled, unknown = trainer.goals[0][:140], trainer.goals[0][140:]
    assert torch.allclose(labeled.sum(dim=1), torch.ones(140))
    assert (len(unknown), float(unknown.abs().max())) == (70, 0.0)
    assert torch.equal(trainer.images[140:, 0], torch.from_numpy(images))


def test_labels_weigh_the_same_beside_faces_without_them(run: Path, toml: Path) -> None:
    teachers = f"distillation.teachers=['{run / 'best.safetensors'}']"
    changes = [
        teachers,
        "distillation.consistent=true",
        "distillation.weight=0.0",
        "training.image_px_schedule=[]",
    ]
    experiment = load_experiment(toml, Experiment, changes)
    data = experiment_faces(experiment).training
    crops, _ = patterns(300, 3)
    losses = []
    for more in (None, crops):
        trainer = ExpressionTrainer(experiment, data, unlabeled=more)
        pictures = standardize(trainer.images.float() / 255)
        trainer.model.eval()
        losses.append(trainer._loss(pictures, trainer.goals + trainer.teachers(pictures)).item())
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_what_asks_for_teachers_without_teachers_is_refused(toml: Path) -> None:
    for change in ("distillation.consistent=true", "distillation.faces=['faces']"):
        with pytest.raises(InputError, match=r"distillation: consistent and faces .*name teachers"):
            load_experiment(toml, Experiment, [change])


def test_bad_teachers_are_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"net\.pt: a teacher is an .*, or the name of an embedded network"):
        open_teacher(tmp_path / "net.pt", 1)
    with pytest.raises(InputError, match=r"none\.onnx: cannot be read: No such file"):
        open_teacher(tmp_path / "none.onnx", 1)
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"bad\.onnx"):
        open_teacher(tmp_path / "bad.onnx", 1)
    values = {"name": "a", "data": tmp_path, "out": tmp_path}
    values["distillation"] = {"teachers": [run / "expression.onnx"], "consistent": True}
    with pytest.raises(InputError, match=r"expression\.onnx: distillation\.consistent wants checkpoints"):
        ConsistentTeachers(Experiment.model_validate(values), torch.device("cpu"))
    values["distillation"] = {"teachers": [tmp_path / "no.safetensors"], "consistent": True}
    with pytest.raises(InputError, match=r"no run: config\.json cannot be read"):
        ConsistentTeachers(Experiment.model_validate(values), torch.device("cpu"))
    (tmp_path / "lost.safetensors").write_bytes((run / "best.safetensors").read_bytes())
    with pytest.raises(InputError, match=r"no run: config\.json cannot be read"):
        open_teacher(tmp_path / "lost.safetensors", 1)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"config\.json: not the settings of an expression run: model"):
        open_teacher(tmp_path / "lost.safetensors", 1)


def test_graphs_enlarge_and_shrink() -> None:
    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            seen.append(tuple(x.shape))
            return torch.zeros(len(x), 8), torch.zeros(len(x), 7)

    seen: list[tuple[int, ...]] = []
    faces = torch.randint(0, 256, (2, 1, 48, 48), dtype=torch.uint8)
    for side_px in (40, 48, 96):
        ExpressionGraph(Net(), side_px)(faces)
    assert seen == [(2, 1, 40, 40), (2, 1, 48, 48), (2, 1, 96, 96)]
