"""Frames and crops in, the trained detector out.

``visavis train experiments/detector_first.toml [--resume] [--set key=value]``
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from visavis_train.command import command_line
from visavis_train.data.faces import load_pack
from visavis_train.data.scenes import SceneDataset, load_frames
from visavis_train.experiment import Settings
from visavis_train.models.detector import DetectorNet, DetectorOutput
from visavis_train.models.layout import channels_last
from visavis_train.rounds import run_rounds, set_learning_rate, warm_cosine
from visavis_train.tasks.face import save


class DetectorConfig(Settings):
    """One training run; ``pack`` is the folder of :class:`visavis_train.tasks.face.FaceConfig`."""

    task: Literal["detector"] = "detector"
    pack: Path
    videos: Path
    out: Path
    test_clips: tuple[str, ...]
    seed: int = 0
    width: int = 24
    batch: int = 48
    steps: int = 3000
    learning_rate: float = 2e-3
    round_steps: int = 250
    warm_steps: int = 200
    workers: int = 1
    threads: int = 2


def detector_loss(out: DetectorOutput, batch: dict[str, Tensor]) -> Tensor:
    """Focal loss of the heat map (eq. 1 of arXiv:1904.07850) and absolute errors of size and offset."""
    heat = batch["heat"]
    chance = torch.sigmoid(out.heat).clamp(1e-5, 1 - 1e-5)
    hit = heat == 1
    focal = torch.where(
        hit, (1 - chance) ** 2 * chance.log(), (1 - heat) ** 4 * chance**2 * (1 - chance).log()
    )
    count = hit.sum().clamp(min=1)
    mask = batch["mask"]
    size = ((out.size - batch["size"]).abs() * mask).sum() / mask.sum().clamp(min=1)
    offset = ((out.offset - batch["offset"]).abs() * mask[:, None]).sum() / mask.sum().clamp(min=1)
    return -focal.sum() / count + 2 * size + offset


class Trainer:
    """The state of one run: network, optimiser and data."""

    def __init__(self, config: DetectorConfig) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        videos = [p for p in sorted(config.videos.glob("*.mp4")) if p.stem not in config.test_clips]
        self.frames = load_frames(config.pack / "labels.npz", videos, 3)
        pack = load_pack(config.pack)
        self.stills = pack.crops[np.flatnonzero(np.isin(pack.clip, ["utk", "lfwx", "yawdd"]))[::4]]
        self.backgrounds = np.load(config.pack / "negatives.npy")
        self.net = DetectorNet(config.width)
        channels_last(self.net)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), config.learning_rate, weight_decay=0.01)

    def run_round(self, number: int) -> dict[str, Any]:
        """Train for ``round_steps`` steps (fewer in the last round); returns the mean loss."""
        config = self.config
        first = number * config.round_steps
        steps = min(config.round_steps, config.steps - first)
        data = SceneDataset(self.frames, self.stills, self.backgrounds, config.batch * steps)
        total = 0.0
        for step, batch in enumerate(DataLoader(data, config.batch, num_workers=config.workers), start=first):
            rate = config.learning_rate * warm_cosine(step, config.steps, config.warm_steps)
            set_learning_rate(self.optimizer, rate)
            loss = detector_loss(self.net(batch["image"].permute(0, 3, 1, 2).float() / 255), batch)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
            self.optimizer.step()
            total += float(loss.detach())
        return {"step": first + steps, "loss": round(total / steps, 4)}


def train(config: DetectorConfig, *, resume: bool = False) -> DetectorNet:
    """Run (or finish) one training; returns the network and writes ``detector.safetensors``.

    Raises:
        InputError: the run folder holds a run and ``resume`` is off, or its checkpoint does not fit.
    """
    torch.set_num_threads(config.threads)
    trainer = Trainer(config)
    rounds = math.ceil(config.steps / config.round_steps)
    modules = {"model": trainer.net}
    run_rounds(
        config.out, config, config.seed, rounds, trainer.run_round, modules, trainer.optimizer, resume=resume
    )
    save(trainer.net, config.out / "detector.safetensors")
    return trainer.net


def main() -> int:
    """Command line; returns the exit status."""
    return command_line("Train the face detector.", DetectorConfig, train)


if __name__ == "__main__":
    sys.exit(main())
