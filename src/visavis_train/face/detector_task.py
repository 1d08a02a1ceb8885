"""The training task of the face detector.

``visavis train experiments/detector_second.toml [--resume] [--set key=value]``
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.utils.data import DataLoader

from visavis.base.reading import regular
from visavis_train.face.data.scenes import Material, SceneDataset, load_frames, load_photographs
from visavis_train.face.detector import INPUT_PX, DetectorNet, DetectorOutput
from visavis_train.loop.checkpoint import write_tensors
from visavis_train.loop.command import Task
from visavis_train.loop.experiment import RunFolder, Seed, Settings
from visavis_train.loop.memory_layout import channels_last
from visavis_train.loop.rounds import descend, run_rounds, set_learning_rate, warm_cosine

# Every n-th still and photograph is held out from training, for choosing the threshold.
VALIDATION_STEP = 16
# Stills whose ids begin with these are photographs of one face, which can be pasted.
PASTED = ("utk_", "lfwx_", "yawdd_")


class DetectorConfig(Settings):
    """One training run.

    Attributes:
        pack: folder of :mod:`visavis_train.face.data.teacher`.
        videos: folder of the videos that the pack labels.
        photographs: folder of pictures without faces; None: drawn ones only.
        out: the run folder; the result is its ``detector.safetensors``.
        test_clips: videos that training never sees.
        stills: every n-th still of the pack is used.
        workers: processes that prepare pictures.
    """

    task: Literal["detector"] = "detector"
    pack: Path
    videos: Path
    photographs: Path | None = None
    out: RunFolder
    test_clips: tuple[str, ...]
    seed: Seed = 0
    width: int = Field(16, ge=1)
    batch: int = Field(48, ge=2)
    steps: int = Field(3000, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    round_steps: int = Field(250, ge=1)
    warm_steps: int = Field(200, ge=1)
    stills: int = Field(4, ge=1)
    validation: int = Field(600, ge=1)
    workers: int = Field(1, ge=0)
    threads: int = Field(2, ge=1)


def detector_loss(out: DetectorOutput, batch: dict[str, Tensor]) -> Tensor:
    """Focal loss of the heat map (eq. 1 of arXiv:1904.07850), errors of size, offset and roll."""
    heat = batch["heat"]
    chance = torch.sigmoid(out.heat).clamp(1e-5, 1 - 1e-5)
    hit = heat == 1
    focal = torch.where(
        hit, (1 - chance) ** 2 * chance.log(), (1 - heat) ** 4 * chance**2 * (1 - chance).log()
    )
    count = hit.sum().clamp(min=1)
    mask = batch["mask"]
    total = mask.sum().clamp(min=1)
    size = ((out.size - batch["size"]).abs() * mask).sum() / total
    offset = ((out.offset - batch["offset"]).abs() * mask[:, None]).sum() / total
    # Absolute errors of the direction get stuck at the median, upright. Squared errors do not.
    roll = ((out.roll - batch["roll"]).square() * mask[:, None]).sum() / total
    return -focal.sum() / count + 4 * size + offset + 4 * roll


class DetectorTrainer:
    """The state of one run: network, optimiser and data."""

    def __init__(self, config: DetectorConfig) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        videos = [p for p in sorted(config.videos.glob("*.mp4")) if p.stem not in config.test_clips]
        frames = load_frames(config.pack / "labels.npz", videos, 3)
        crops = load_stills(config.pack, config.stills)
        photographs = load_photographs(config.photographs) if config.photographs else []
        self.material = Material(frames, *(_without_validation(part) for part in (crops, photographs)))
        self.validation = Material([], crops[::VALIDATION_STEP], photographs[::VALIDATION_STEP])
        self.net = DetectorNet(config.width)
        channels_last(self.net)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), config.learning_rate, weight_decay=0.01)

    def run_round(self, number: int) -> dict[str, Any]:
        """Train for ``round_steps`` steps (fewer in the last round); returns loss and validation."""
        config = self.config
        first = number * config.round_steps
        steps = min(config.round_steps, config.steps - first)
        data = SceneDataset(self.material, config.batch * steps)
        total = 0.0
        self.net.train()
        for step, batch in enumerate(DataLoader(data, config.batch, num_workers=config.workers), start=first):
            rate = config.learning_rate * warm_cosine(step, config.steps, config.warm_steps)
            set_learning_rate(self.optimizer, rate)
            loss = detector_loss(self.net(pixels(batch)), batch)
            total += descend(loss, self.net, self.optimizer, 10.0, number + 1)
        return {"step": first + steps, "loss": round(total / steps, 4), **self.validate()}

    @torch.no_grad()
    def validate(self) -> dict[str, Any]:
        """Share of faces found, and false faces a picture, by threshold, on the same scenes every time."""
        torch.manual_seed(1)
        data = SceneDataset(self.validation, self.config.validation)
        self.net.eval()
        found = [Finding(self.net(pixels(batch)), batch) for batch in DataLoader(data, self.config.batch)]
        result: dict[str, Any] = {}
        for threshold in (0.3, 0.4, 0.5, 0.6):
            hits = np.concatenate([part.heat for part in found]) > threshold
            side = np.concatenate([part.side for part in found])
            false = sum(int((part.false > threshold).sum()) for part in found)
            small = side < 12
            result[f"at_{threshold}"] = {
                "found": round(float(hits[~small].mean()), 4) if (~small).any() else None,
                "found_small": round(float(hits[small].mean()), 4) if small.any() else None,
                "false": round(false / len(data), 4),
            }
        error = np.concatenate([part.size_error for part in found])
        turn = np.concatenate([part.roll_deg for part in found])
        result["size_error"] = round(float(np.median(error)), 4) if error.size else None
        result["roll_deg"] = round(float(np.median(turn)), 2) if turn.size else None
        return result


class Finding:
    """One batch's answers for the true faces, and false faces.

    Attributes:
        heat: (F,) highest heat within one cell of each face's centre.
        side: (F,) of the faces, in pixels.
        size_error: (F,) of the logarithm of the side.
        roll_deg: (F,) error of the roll.
        false: (P,) heat of the peaks farther than two cells from any face's centre.
    """

    def __init__(self, out: DetectorOutput, batch: dict[str, Tensor]) -> None:
        heat = torch.sigmoid(out.heat)
        around = torch.nn.functional.max_pool2d(heat[:, None], 3, 1, 1)[:, 0]
        hit = batch["heat"] == 1
        self.heat = around[hit].numpy()
        self.side = (batch["size"][hit].exp() * INPUT_PX).numpy()
        self.size_error = (out.size - batch["size"])[hit].abs().numpy()
        angles = [torch.atan2(maps[:, 1][hit], maps[:, 0][hit]) for maps in (out.roll, batch["roll"])]
        turn = (angles[0] - angles[1] + math.pi) % (2 * math.pi) - math.pi
        self.roll_deg = turn.abs().rad2deg().numpy()
        near = torch.nn.functional.max_pool2d(hit[:, None].float(), 5, 1, 2)[:, 0] > 0
        self.false = heat[(heat == around) & ~near & (heat > 0.05)].numpy()


def pixels(batch: dict[str, Tensor]) -> Tensor:
    """Pictures (B, 3, 160, 160) in 0..1."""
    return batch["image"].permute(0, 3, 1, 2).float() / 255


def load_stills(pack: Path, step: int) -> NDArray[np.uint8]:
    """Every ``step``-th still of a pack: crops (N, 224, 224, 3)."""
    with np.load(regular(pack / "labels.npz")) as labels:
        # Warped copies, named with a tilde, are the same faces.
        rows = [i for i, name in enumerate(labels["source"]) if name.startswith(PASTED) and "~" not in name]
    crops = np.load(regular(pack / "crops.npy"), mmap_mode="r")
    return np.asarray(crops[rows[::step]])


def _without_validation(part: Any) -> Any:
    if isinstance(part, np.ndarray):
        return np.delete(part, np.s_[::VALIDATION_STEP], axis=0)
    return [each for place, each in enumerate(part) if place % VALIDATION_STEP]


def train_detector(config: DetectorConfig, *, resume: bool = False) -> DetectorNet:
    """Run (or finish) one training; returns the network and writes ``detector.safetensors``.

    Raises:
        InputError: the run folder holds a run and ``resume`` is off, or its checkpoint does not fit.
    """
    torch.set_num_threads(config.threads)
    trainer = DetectorTrainer(config)
    rounds = math.ceil(config.steps / config.round_steps)
    modules = {"model": trainer.net}
    run_rounds(
        config.out, config, config.seed, rounds, trainer.run_round, modules, trainer.optimizer, resume=resume
    )
    write_tensors(config.out / "detector.safetensors", trainer.net.state_dict())
    return trainer.net


TASK = Task(DetectorConfig, train_detector)
