"""The face network's and the detector's tasks on a small pack: the portrait, labelled by our network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import typer
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from visavis.base.networks import open_session
from visavis.capture.portrait import PortraitClip
from visavis.datasets.face_labels import STORED_MARGIN
from visavis.errors import InputError
from visavis.face.detector import FaceDetector
from visavis.face.network import FaceNetwork
from visavis.face.region import LANDMARK_MARGIN, FaceRegion
from visavis.recording.video_writer import VideoWriter
from visavis_train.commands import mount
from visavis_train.face import detector_task, face_task
from visavis_train.face.data.faces import load_faces, warp
from visavis_train.face.data.teacher import CROP_PX
from visavis_train.face.detector_task import DetectorConfig
from visavis_train.face.face_task import FaceConfig
from visavis_train.face.parts import TEACHER_WEIGHTS
from visavis_train.face.start import mixed, settle_norms, started
from visavis_train.loop.command import Task
from visavis_train.loop.experiment import Settings, load_experiment
from visavis_train.loop.rounds import warm_cosine
from visavis_train.onnx.export import ASSETS

FRAMES = 36
TEST_CLIP = "unseen"


def read_portrait() -> Iterator[tuple[int, Any, FaceRegion]]:
    """Some frames of the portrait, well apart, with the network's reading and the region it holds for."""
    network = FaceNetwork()
    region = None
    for frame in PortraitClip():
        if region is None:
            box = FaceDetector().detect(frame.image_rgb)[0].box_xyxy
            region = FaceRegion.from_box(box, LANDMARK_MARGIN)
        reading = network.read(frame.image_rgb, [region])[0]
        region = network.next_region(reading)
        if frame.index % 8 == 0:
            yield frame.index, frame, region
        if frame.index >= 8 * (FRAMES - 1):
            return


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as :mod:`visavis_train.face.data.teacher` and its companions write it, and ``videos/``."""
    folder = tmp_path_factory.mktemp("pack")
    network = FaceNetwork()
    crops, rows = [], []
    (folder / "videos").mkdir()
    with VideoWriter(folder / "videos" / "portrait.mp4", (480, 480), 25.0) as video:
        for place, (index, frame, region) in enumerate(read_portrait()):
            reading = network.read(frame.image_rgb, [region])[0]
            kind = min(place % 6, 2)
            clip = (f"portrait:{place:05d}", f"{TEST_CLIP}:{index:05d}", f"utk_{place}")[kind]
            if place % 6 == 5:
                clip = f"render:{place:06d}"
            crops.append(region.scaled(STORED_MARGIN).crop(frame.image_rgb, CROP_PX))
            box = (*region.center_xy, region.size_px, region.roll_rad)
            rows.append((reading.landmarks, reading.weights, reading.rotation, clip, (480, 480), box))
            video.write(frame.image_rgb, frame.time_s)
    names = ("landmarks146", "blendshapes", "rotation", "source", "frame_size", "region")
    columns = (np.asarray(column) for column in zip(*rows, strict=True))
    labels = dict(zip(names, columns, strict=True))
    np.savez(folder / "labels.npz", **labels)
    np.save(folder / "crops.npy", np.stack(crops))
    rng = np.random.default_rng(0)
    shapes = labels["landmarks146"][..., :2]
    noise = rng.normal(0, 0.002, (20, *shapes.shape))
    np.savez(
        folder / "pairs.npz",
        landmarks=(shapes + noise).reshape(-1, 146, 2).astype(np.float32),
        weights=np.tile(labels["blendshapes"][:, :TEACHER_WEIGHTS], (20, 1)),
    )
    np.save(folder / "negatives.npy", rng.integers(0, 256, (20, 160, 160, 3), np.uint8))
    return folder


def face_config(pack: Path, out: Path, **changes: Any) -> FaceConfig:
    values: dict[str, Any] = {"width": 8, "batch": 8, "negative_count": 2, "pair_steps": 20}
    values |= {"pair_batch": 16, "steps": 24, "round_steps": 8, "warm_steps": 4, "workers": 0, "threads": 1}
    values |= {"packs": (pack,), "pairs": pack / "pairs.npz", "negatives": pack / "negatives.npy"}
    return FaceConfig(**{"out": out, "test_clips": (TEST_CLIP,), **values, **changes})


def detector_config(pack: Path, out: Path) -> DetectorConfig:
    return DetectorConfig(
        pack=pack,
        videos=pack / "videos",
        out=out,
        test_clips=(TEST_CLIP,),
        width=8,
        batch=4,
        steps=45,
        round_steps=15,
        warm_steps=4,
        validation=24,
        workers=0,
        threads=1,
    )


def kill_after_one_round(monkeypatch: pytest.MonkeyPatch, trainer: type) -> None:
    run_round = trainer.run_round

    def run(self: Any, number: int) -> Any:
        if number == 1:
            raise KeyboardInterrupt
        return run_round(self, number)

    monkeypatch.setattr(trainer, "run_round", run)


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = load_file(one), load_file(other)
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_face_training_lowers_every_loss_and_reports_the_unseen_clip(pack: Path, tmp_path: Path) -> None:
    trainer = face_task.FaceTrainer(face_config(pack, tmp_path, steps=96, round_steps=32))
    rows = [trainer.run_round(number) for number in range(3)]
    for name in ("coarse", "landmarks", "weights", "truth", "rotation"):
        assert rows[2][name] < rows[0][name], name
    assert rows[0].keys() - rows[1].keys() == {"weights_head_alone"}
    assert rows[2]["test"].keys() == {TEST_CLIP}
    assert rows[2]["test"][TEST_CLIP].keys() >= {"r", "landmark", "yaw_deg"}


def test_the_head_of_visible_parts_learns_alone(pack: Path, tmp_path: Path) -> None:
    trainer = face_task.FaceTrainer(face_config(pack, tmp_path, seen_steps=60, seen_views=24))
    before = {name: value.clone() for name, value in trainer.trained.state_dict().items()}
    trainer.train_seen()
    changed = {
        name.split(".")[0]
        for name, value in trainer.trained.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"seen"}


def test_a_run_begins_with_a_network_of_an_earlier_version(pack: Path, tmp_path: Path) -> None:
    whole = face_task.FaceTrainer(face_config(pack, tmp_path / "a")).net.state_dict()
    old = {
        name: value.contiguous()
        for name, value in whole.items()
        if not name.startswith(("seen.", "indexed.", "mesh."))
    }
    old["truth.look.0.weight"] = old["truth.look.0.weight"][:, :800].contiguous()
    save_file(old, tmp_path / "old.safetensors")
    new = face_task.FaceTrainer(face_config(pack, tmp_path / "b", init=tmp_path / "old.safetensors")).net
    assert torch.equal(new.state_dict()["score.bias"], old["score.bias"])
    assert torch.equal(new.truth.look[0].weight[:, :800], old["truth.look.0.weight"])
    assert not new.truth.look[0].weight[:, 800:].any()
    del old["score.bias"]
    save_file(old, tmp_path / "old.safetensors")
    with pytest.raises(InputError, match=r"init: .*old\.safetensors has other tensors"):
        face_task.FaceTrainer(face_config(pack, tmp_path / "c", init=tmp_path / "old.safetensors"))


def test_a_run_begins_with_the_embedded_network(pack: Path, tmp_path: Path) -> None:
    net = started(ASSETS / "face.onnx", 48).eval()
    faces = load_faces(pack)
    crops = np.stack([warp(faces.crop(row), np.eye(2, 3, dtype=np.float32)) for row in range(4)])
    with torch.no_grad():
        found = net(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255)
    # The file rounds the inputs and outputs of six convolutions.
    landmarks, _, _, scores, _ = open_session("face", 1, False).run(None, {"crops": crops})
    np.testing.assert_allclose(found.landmarks, landmarks, atol=3e-3)
    np.testing.assert_allclose(found.score.sigmoid(), scores, atol=3e-3)
    with pytest.raises(InputError, match="no mean_shape"):
        started(ASSETS / "detector.onnx", 48)
    for name in ("bad.onnx", "bad.safetensors"):
        (tmp_path / name).write_bytes(b"nonsense")
        with pytest.raises(InputError, match=rf"{name}.* readable"):
            started(tmp_path / name, 48)
    for name in ("none.onnx", "none.safetensors"):
        with pytest.raises(InputError, match=rf"{name}: (no such file|cannot be read)"):
            started(tmp_path / name, 48)
    with pytest.raises(InputError, match="expected a face network of width 32"):
        started(ASSETS / "face.onnx", 32)


def test_a_run_begins_between_two_networks(tmp_path: Path) -> None:
    model = onnx.load(ASSETS / "face.onnx")
    bias = next(each for each in model.graph.initializer if each.name == "net.score.bias")
    moved = onnx.numpy_helper.to_array(bias) + np.asarray(1.0, onnx.numpy_helper.to_array(bias).dtype)
    bias.CopyFrom(onnx.numpy_helper.from_array(moved, bias.name))
    onnx.save(model, tmp_path / "second.onnx")
    first = started(ASSETS / "face.onnx", 48)
    between = mixed(ASSETS / "face.onnx", tmp_path / "second.onnx", 0.25, 48)
    torch.testing.assert_close(between.score.bias, first.score.bias + 0.25, atol=2e-3, rtol=0)
    torch.testing.assert_close(between.eye_net.last.weight, first.eye_net.last.weight)
    with pytest.raises(InputError, match="no exported network"):
        mixed(tmp_path / "face.safetensors", tmp_path / "second.onnx", 0.5, 48)
    with pytest.raises(InputError, match=r"mix: .*detector\.onnx has no mean_shape"):
        mixed(ASSETS / "face.onnx", ASSETS / "detector.onnx", 0.5, 48)


def test_the_embedded_network_trains_on_from_its_own_answers(pack: Path) -> None:
    net = started(ASSETS / "face.onnx", 48)
    faces = load_faces(pack)
    crops = np.stack([warp(faces.crop(row), np.eye(2, 3, dtype=np.float32)) for row in range(12)])
    images = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255

    @torch.no_grad()
    def landmarks(training: bool) -> torch.Tensor:
        return net.train(training)(images).landmarks[..., :2]

    before, astray = landmarks(False), landmarks(True)
    net = started(ASSETS / "face.onnx", 48)
    settle_norms(net, [{"image": torch.from_numpy(half)} for half in (crops[:6], crops[6:])])
    np.testing.assert_allclose(landmarks(False), before, atol=1e-4)
    away = (landmarks(True) - before).norm(dim=2).mean()
    assert away < 0.01
    assert (astray - before).norm(dim=2).mean() > 5 * away


def test_face_training_killed_and_resumed_equals_an_unbroken_one(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = (face_config(pack, tmp_path / name, steps=9, round_steps=3) for name in "ab")
    face_task.train_face(whole)
    with monkeypatch.context() as patch:
        kill_after_one_round(patch, face_task.FaceTrainer)
        with pytest.raises(KeyboardInterrupt):
            face_task.train_face(broken)
    assert not (broken.out / "face.safetensors").exists()
    face_task.train_face(broken, resume=True)
    assert_same_weights(whole.out / "face.safetensors", broken.out / "face.safetensors")
    assert len((broken.out / "log.jsonl").read_text().splitlines()) == 3


def test_detector_training_lowers_the_loss_and_resumes_exactly(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    detector_task.train_detector(detector_config(pack, whole))
    rows = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    # The roll, which weighs much, takes longer than these 45 steps.
    assert rows[2]["loss"] < 0.92 * rows[0]["loss"]
    with monkeypatch.context() as patch:
        kill_after_one_round(patch, detector_task.DetectorTrainer)
        with pytest.raises(KeyboardInterrupt):
            detector_task.train_detector(detector_config(pack, broken))
    detector_task.train_detector(detector_config(pack, broken), resume=True)
    assert_same_weights(whole / "detector.safetensors", broken / "detector.safetensors")


def test_a_test_clip_that_no_pack_holds_is_refused_before_the_training(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no face of nowhere in the packs"):
        face_task.train_face(face_config(pack, tmp_path, test_clips=("nowhere",)))


def test_a_share_of_no_other_network_is_refused(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mix_share: a share of mix, which is missing"):
        face_task.train_face(face_config(pack, tmp_path, init=ASSETS / "face.onnx", mix_share=0.5))


@pytest.mark.parametrize(
    ("kind", "name", "wrong"),
    [
        (FaceConfig, "face_second", "steps=-2"),
        (FaceConfig, "face_second", "render_share=2"),
        (FaceConfig, "face_second", "ema_decay=2"),
        (FaceConfig, "face_second", "learning_rate=-1"),
        (FaceConfig, "face_second", "seen_steps=-1"),
        (DetectorConfig, "detector_second", "batch=0"),
    ],
)
def test_numbers_that_cannot_be_are_refused_by_key(kind: type[Settings], name: str, wrong: str) -> None:
    with pytest.raises(InputError, match=f"{wrong.split('=')[0]}: found"):
        load_experiment(Path(__file__).parents[3] / f"experiments/{name}.toml", kind, [wrong])


def test_a_folder_that_holds_a_run_is_refused_without_resume(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "last.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="already holds a run"):
        face_task.train_face(face_config(pack, tmp_path))
    with pytest.raises(InputError, match="not a readable checkpoint"):
        face_task.train_face(face_config(pack, tmp_path), resume=True)


def test_the_command_reads_the_experiment_and_its_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "e.toml"
    path.write_text(
        'task = "face"\npacks = ["p"]\npairs = "p"\nnegatives = "n"\nout = "o"\ntest_clips = []\n'
    )
    seen: list[tuple[FaceConfig, bool]] = []
    task = Task(FaceConfig, lambda config, resume: seen.append((config, resume)))
    monkeypatch.setattr(face_task, "TASK", task)
    app = typer.Typer()
    mount(app)
    assert CliRunner().invoke(app, ["train", str(path), "--resume", "--set", "steps=7"]).exit_code == 0
    assert (seen[0][0].steps, seen[0][1]) == (7, True)
    ran = CliRunner().invoke(app, ["train", str(path), "--set", "stepps=7"])
    assert isinstance(ran.exception, InputError)
    assert "stepps" in str(ran.exception)


def test_learning_rate_rises_then_falls_to_a_hundredth() -> None:
    shares = [warm_cosine(step, 100, 10) for step in range(101)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[9] == pytest.approx(1)
    assert (np.diff(shares[10:]) < 0).all()
    assert shares[100] == pytest.approx(0.01)
