import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from visavis.channels import EXPRESSIONS
from visavis.emotion.labels import FERPLUS_COLUMNS
from visavis.errors import InputError

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from visavis.datasets import fer2013  # noqa: E402
from visavis.datasets.fer2013 import Fer2013  # noqa: E402
from visavis_train.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from visavis_train.data.augment import Augmentation, augment  # noqa: E402
from visavis_train.experiment import load_experiment  # noqa: E402
from visavis_train.models.hybrid import standardise  # noqa: E402
from visavis_train.tasks import emotion  # noqa: E402
from visavis_train.tasks.emotion import Experiment, Trainer, Training, learning_rate, side_px, targets, train  # noqa: E402

CONFIG = """
name = "tiny"
data = "{data}"
out = "{out}"
threads = 1

[model]
widths = [4, 8, 16]
blocks = [1, 1]
layers = 1
heads = 2

[training]
epochs = 3
batch_size = 16
learning_rate = 5e-3
sizes = [[0.0, 32], [0.5, 48]]
"""


def patterns(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces of a kind: each label is a bright square at its own place."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 7
    images = rng.integers(0, 80, (n, 48, 48), np.uint8)
    for image, label in zip(images, labels, strict=True):
        y, x = (15 * v for v in divmod(int(label), 3))
        image[y + 2 : y + 14, 15:33] += 60
        image[y + 2 : y + 14, x + 2 : x + 14] += 100
    return images, labels


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fer2013")
    with (folder / "fer2013.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for usage, n, seed in (("Training", 140, 0), ("PublicTest", 35, 1)):
            for image, label in zip(*patterns(n, seed), strict=True):
                writer.writerow([label, " ".join(map(str, image.ravel())), usage])
    return folder


@pytest.fixture
def toml(data: Path, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(CONFIG.format(data=data, out=tmp_path / "run"))
    return path


def test_unknown_keys_and_bad_values_fail(toml: Path) -> None:
    with pytest.raises(InputError, match=r"training\.epoch: Extra inputs"):
        load_experiment(toml, Experiment, ["training.epoch=3"])
    with pytest.raises(InputError, match=r"training\.epochs: "):
        load_experiment(toml, Experiment, ["training.epochs=0"])
    with pytest.raises(InputError, match=r"ends with 40 px; model\.image_px is 48"):
        load_experiment(toml, Experiment, ["training.sizes=[[0.0, 40]]"])
    with pytest.raises(InputError, match="sizes must start at 0"):
        load_experiment(toml, Experiment, ["training.sizes=[[0.2, 48]]"])
    with pytest.raises(InputError, match="expected key=value"):
        load_experiment(toml, Experiment, ["training"])
    with pytest.raises(InputError, match="cannot be read"):
        load_experiment(toml.with_name("none.toml"), Experiment)


def test_overrides_win(toml: Path) -> None:
    found = load_experiment(toml, Experiment, ["training.epochs=9", "name=other", "model.layers=2"])
    assert (found.training.epochs, found.name, found.model.layers) == (9, "other", 2)
    assert found.training.batch_size == 16


def test_the_published_experiment_is_valid() -> None:
    path = Path(emotion.__file__).parents[3] / "experiments" / "fer_first.toml"
    assert load_experiment(path, Experiment).name == "fer_first"


def test_training_lowers_the_loss_and_learns(toml: Path) -> None:
    experiment = load_experiment(toml, Experiment, ["training.epochs=12", "augmentation.erase=0"])
    out = train(experiment)
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == list(range(12))
    assert rows[-1]["loss"] < 0.75 * rows[0]["loss"]
    assert max(row["fer2013_accuracy"] for row in rows) > 0.4  # Chance is 1 in 7.


def test_a_killed_and_resumed_run_equals_an_unbroken_one(toml: Path, tmp_path: Path) -> None:
    unbroken = load_experiment(toml, Experiment, [f"out={tmp_path / 'one'}"])
    train(unbroken)
    broken = load_experiment(toml, Experiment, [f"out={tmp_path / 'two'}"])
    broken.out.mkdir()
    killed = Trainer(broken, fer2013.load(broken.data).split("Training"))
    killed.run_epoch()
    killed.save(broken.out / "last.safetensors")
    killed.run_epoch()  # Lost: it was never saved.
    train(broken, resume=True)
    one, two = (load_file(e.out / "last.safetensors") for e in (unbroken, broken))
    assert one.keys() == two.keys()
    assert any(key.startswith("optimizer/") for key in one)
    for key, value in one.items():
        assert torch.equal(value, two[key]), key


def test_a_finished_run_is_not_overwritten(toml: Path) -> None:
    experiment = load_experiment(toml, Experiment, ["training.epochs=1", "training.sizes=[[0.0, 48]]"])
    train(experiment)
    with pytest.raises(InputError, match="--resume"):
        train(experiment)


def test_command_line_trains_exports_and_reports(
    toml: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys,
        "argv",
        ["emotion", str(toml), "--set", "training.epochs=1", "--set", "training.sizes=[[0.0, 48]]"],
    )
    assert emotion.main() == 0
    report = json.loads(capsys.readouterr().out)
    assert report["public_test"]["faces"] == 35
    assert (toml.parent / "run" / "emotion.onnx").stat().st_size == report["bytes"]
    monkeypatch.setattr(sys, "argv", ["emotion", str(toml), "--set", "data=/nowhere", "--resume"])
    assert emotion.main() == 2
    assert capsys.readouterr().err.strip().startswith("/nowhere: no FER-2013 here")


def test_targets_mix_votes_and_labels() -> None:
    votes = np.zeros((2, len(FERPLUS_COLUMNS)), np.int64)
    votes[0, :2] = 6, 4  # neutral, happiness
    data = Fer2013(np.zeros((2, 48, 48), np.uint8), np.asarray([3, 0]), votes, np.asarray(["Training"] * 2))
    eight, seven = targets(data, Training(label_smoothing=0, votes_in_labels=0.5))
    assert eight[0, EXPRESSIONS.index("neutral")].item() == pytest.approx(0.6)
    assert eight[1, EXPRESSIONS.index("anger")].item() == 1  # No votes: FER-2013's own label.
    assert seven[0, 3].item() == pytest.approx(0.5 + 0.5 * 0.4)
    smooth8, smooth7 = targets(data, Training())
    assert torch.allclose(smooth8.sum(1), torch.ones(2))
    assert torch.allclose(smooth7.sum(1), torch.ones(2))


def test_schedules() -> None:
    how = Training(epochs=10, learning_rate=1.0, warmup=0.1, sizes=((0.0, 32), (0.5, 48)))
    rates = [learning_rate(step, 100, how) for step in range(100)]
    assert int(np.argmax(rates)) in (9, 10)
    assert max(rates) == pytest.approx(1)
    assert rates[-1] < 0.02
    assert (np.diff(rates[10:]) < 0).all()
    assert [side_px(epoch, how) for epoch in (0, 4, 5, 9)] == [32, 32, 48, 48]


STILL = Augmentation(rotation_deg=0, scale=0, shift=0, gamma=0, blur=0, erase=0)


def test_augmentation_without_range_only_mirrors() -> None:
    images = torch.randint(0, 256, (16, 1, 48, 48), dtype=torch.uint8)
    found = augment(images, 48, STILL, torch.Generator().manual_seed(0))
    plain = standardise(images.float().clamp(0.255, 255) / 255)
    same = [torch.allclose(f, p, atol=1e-3) for f, p in zip(found, plain, strict=True)]
    mirrored = [torch.allclose(f.flip(2), p, atol=1e-3) for f, p in zip(found, plain, strict=True)]
    assert all(a or b for a, b in zip(same, mirrored, strict=True))
    assert any(same)
    assert any(mirrored)


def test_augmentation_repeats_with_its_seed_and_leaves_its_input() -> None:
    images = torch.randint(0, 256, (8, 1, 48, 48), dtype=torch.uint8)
    before = images.clone()
    one, two = (augment(images, 40, Augmentation(), torch.Generator().manual_seed(seed)) for seed in (5, 5))
    other = augment(images, 40, Augmentation(), torch.Generator().manual_seed(6))
    assert one.shape == (8, 1, 40, 40)
    assert torch.equal(one, two)
    assert not torch.allclose(one, other)
    assert torch.equal(images, before)


def test_checkpoints_of_other_networks_and_formats_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, {"model": torch.nn.Linear(2, 2)}, None, {"epoch": 4})
    assert load_checkpoint(path, {"model": torch.nn.Linear(2, 2)}) == {"epoch": 4}
    with pytest.raises(InputError, match="another network"):
        load_checkpoint(path, {"model": torch.nn.Linear(2, 3)})
    path.write_bytes(b"not safetensors")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        load_checkpoint(path, {})
    with pytest.raises(InputError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path / "none", {})


@pytest.mark.shared
def test_real_faces_lower_the_loss(shared: Path) -> None:
    data = fer2013.load(shared / "data" / "fer2013").split("Training")[slice(0, 512)]
    values = {"name": "real", "data": ".", "out": ".", "threads": 1}
    values["training"] = {"epochs": 3, "batch_size": 64, "sizes": [[0.0, 32], [0.9, 48]], "mixup": 0}
    values["model"] = {"widths": [8, 16, 32], "blocks": [1, 1], "layers": 1, "heads": 2}
    trainer = Trainer(Experiment.model_validate(values), data)
    losses = [trainer.run_epoch()["loss"] for _ in range(3)]
    assert losses[2] < losses[0] - 0.05
