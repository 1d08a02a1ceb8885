"""Frames and crops in, the trained detector out: ``python -m visavis_train.tasks.detector CONFIG.toml``."""

from __future__ import annotations

import argparse
import json
import time
import tomllib
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor
from torch.utils.data import DataLoader

from visavis_train.data.faces import load_pack
from visavis_train.data.scenes import SceneDataset, load_frames
from visavis_train.models.detector import DetectorNet, DetectorOutput
from visavis_train.models.layout import channels_last
from visavis_train.tasks.face import save


class DetectorConfig(BaseModel):
    """One training run; ``pack`` is the folder of :class:`visavis_train.tasks.face.FaceConfig`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pack: Path
    videos: Path
    out: Path
    test_clips: tuple[str, ...]
    seed: int = 0
    width: int = 24
    batch: int = 48
    steps: int = 3000
    learning_rate: float = 2e-3
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


def train(config: DetectorConfig) -> DetectorNet:
    """Run one training; returns the network and writes ``detector.safetensors``."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    config.out.mkdir(parents=True, exist_ok=True)
    videos = [p for p in sorted(config.videos.glob("*.mp4")) if p.stem not in config.test_clips]
    frames = load_frames(config.pack / "labels.npz", videos, 3)
    pack = load_pack(config.pack)
    stills = pack.crops[np.flatnonzero(np.isin(pack.clip, ["utk", "lfwx", "yawdd"]))[::4]]
    backgrounds = np.load(config.pack / "negatives.npy")
    data = SceneDataset(frames, stills, backgrounds, config.batch * config.steps)
    net = DetectorNet(config.width)
    channels_last(net)
    optimizer = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.steps, pct_start=0.1
    )
    start_s, recent = time.time(), 0.0
    with (config.out / "log.jsonl").open("a") as log:
        for step, batch in enumerate(DataLoader(data, config.batch, num_workers=1), start=1):
            loss = detector_loss(net(batch["image"].permute(0, 3, 1, 2).float() / 255), batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
            optimizer.step()
            schedule.step()
            recent += (float(loss.detach()) - recent) / min(step, 100)
            if step % 100 == 0:
                log.write(
                    json.dumps({"step": step, "loss": recent, "minutes": (time.time() - start_s) / 60}) + "\n"
                )
                log.flush()
    save(net, config.out / "detector.safetensors")
    return net


def main() -> None:
    """Read the experiment and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    args = parser.parse_args()
    with args.config.open("rb") as file:
        train(DetectorConfig(**tomllib.load(file)))


if __name__ == "__main__":
    main()
