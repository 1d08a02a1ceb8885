"""A teacher's pack in, the trained face network out.

``visavis train experiments/face_first.toml [--resume] [--set key=value]``
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from visavis.channels import BLENDSHAPES
from visavis.types import FloatArray
from visavis_train.command import command_line
from visavis_train.data.faces import Augmentation, FaceDataset, FacePack, load_pack, recolour
from visavis_train.experiment import Settings
from visavis_train.models.face import FaceNet, FaceOutput, WeightsHead, rotation_matrix
from visavis_train.models.layout import channels_last
from visavis_train.rounds import run_rounds, set_learning_rate, warm_cosine


class FaceConfig(Settings):
    """One training run.

    Attributes:
        pack: folder of :mod:`visavis_train.data.teacher` with ``pairs.npz`` and ``negatives.npy``.
        out: the run folder (see :mod:`visavis_train.rounds`); the result is its ``face.safetensors``.
        test_clips: videos that training never sees.
        clip_weight: how often a video's frame is drawn, relative to a still.
        pair_steps: steps of the weights head alone, on landmark pairs, before the joint training.
        round_steps: steps between two checkpoints.
        workers: processes that prepare pictures.
    """

    task: Literal["face"] = "face"
    pack: Path
    out: Path
    test_clips: tuple[str, ...]
    seed: int = 0
    width: int = 48
    batch: int = 96
    steps: int = 5000
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    ema: float = 0.998
    clip_weight: float = 3.0
    fer_weight: float = 0.6
    negatives: int = 8
    pair_steps: int = 3000
    pair_batch: int = 256
    round_steps: int = 250
    warm_steps: int = 300
    workers: int = 1
    threads: int = 2


def sample_weights(pack: FacePack, rows: NDArray[np.int64], config: FaceConfig) -> FloatArray:
    """How often each face is drawn: rare expressions and turned heads more, near-copies less."""
    weights = pack.weights[rows]
    spread = weights.std(axis=0) + 0.03
    unusual = np.abs(weights - np.median(weights, axis=0)) / spread
    chance = 0.4 + np.clip(unusual.mean(axis=1), 0, 3)
    clip = pack.clip[rows]
    chance[clip == "fer"] *= config.fer_weight
    stills = np.isin(clip, ["fer", "utk", "lfwx", "yawdd"])
    chance[~stills] *= config.clip_weight
    # One talker filmed for a hundred sentences counts as a few clips, not as a hundred.
    names, counts = np.unique(clip, return_counts=True)
    short = dict(zip(names, counts, strict=True))
    sentence = np.asarray([short[c] < 30 for c in clip])
    chance[sentence] /= config.clip_weight
    return np.asarray(chance / chance.mean(), np.float32)


class Losses:
    """Weighted sum of everything the network is asked for.

    Args:
        net: for the indices of its eye and mouth points.
        spread: (51,) standard deviation of each weight over the training faces.
    """

    def __init__(self, net: FaceNet, spread: Tensor) -> None:
        focus = torch.ones(len(net.mean_shape), 1)
        focus[torch.cat([net.eye, net.other_eye, net.mouth])] = 3.0
        self.focus = focus * torch.tensor([1.0, 1.0, 0.4])
        # Weights that move count alike, however little; those that never move do not count.
        balance = (1 / (spread + 0.05)) * (spread > 0.004)
        self.balance = balance / balance.mean()

    def __call__(self, out: FaceOutput, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Every part by name, for a batch whose first rows are faces and whose last ones are not."""
        faces = len(batch["landmarks"])
        return {
            "coarse": 12 * self.points(out.coarse[:faces], batch["landmarks"]),
            "landmarks": 25 * self.points(out.landmarks[:faces], batch["landmarks"]),
            "weights": self.shapes(out.weights[:faces], batch["weights"]),
            "rotation": 4 * (rotation_matrix(out.rotation[:faces]) - batch["rotation"]).abs().mean(),
            "score": 0.3
            * functional.binary_cross_entropy_with_logits(
                out.score, (torch.arange(len(out.score)) < faces).float()
            ),
        }

    def points(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Mean absolute error of landmarks, eyes and mouth counting most."""
        return ((found - wanted).abs() * self.focus).mean()

    def shapes(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """Cross-entropy of blendshape weights, each balanced by its spread."""
        # An absolute error through a sigmoid gets stuck at the median, near zero: this does not.
        loss = functional.binary_cross_entropy_with_logits(logits, wanted, weight=self.balance)
        return 3 * loss


class Pairs:
    """Endless batches of landmark-weight pairs, some of them mirrored or disturbed."""

    def __init__(self, pack: Path, batch: int) -> None:
        with np.load(pack / "pairs.npz") as file:
            self.landmarks = torch.from_numpy(file["landmarks"])
            self.weights = torch.from_numpy(file["weights"])
        self.batch = batch

    def next(self) -> tuple[Tensor, Tensor]:
        """Landmarks (P, 146, 2) and weights (P, 51)."""
        rows = torch.randint(0, len(self.landmarks), (self.batch,))
        return self.landmarks[rows], self.weights[rows]


def train_pairs(head: WeightsHead, pairs: Pairs, losses: Losses, steps: int) -> float:
    """Teach the weights head alone; returns its last mean loss."""
    optimizer = torch.optim.AdamW(head.parameters(), 2e-3, weight_decay=1e-4)
    recent = 0.0
    for step in range(steps):
        set_learning_rate(optimizer, 2e-3 * warm_cosine(step, steps, steps // 20))
        landmarks, weights = pairs.next()
        loss = losses.shapes(head(landmarks), weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recent += 0.01 * (float(loss.detach()) - recent)
    return recent


@torch.no_grad()
def evaluate(net: FaceNet, pack: FacePack, clips: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Agreement with the teacher on each clip.

    ``r`` is the mean Pearson correlation over the weights that move (teacher's standard deviation > 0.03),
    ``landmark`` the mean error in units of the region, ``yaw_deg`` and ``pitch_deg`` mean errors.
    """
    net.eval()
    result = {}
    for clip in clips:
        rows = np.flatnonzero(pack.clip == clip)
        data = FaceDataset(pack, rows, None)
        outs = []
        for start in range(0, len(rows), 64):
            images = torch.stack([data[i]["image"] for i in range(start, min(start + 64, len(rows)))])
            outs.append(net(images.permute(0, 3, 1, 2).float() / 255))
        found = torch.sigmoid(torch.cat([o.weights for o in outs])).numpy()
        wanted = pack.weights[rows]
        moving = wanted.std(axis=0) > 0.03
        r = [np.corrcoef(found[:, c], wanted[:, c])[0, 1] for c in np.flatnonzero(moving)]
        turned = angles(rotation_matrix(torch.cat([o.rotation for o in outs])).numpy())
        true = angles(pack.rotation[rows])
        error = np.abs(turned - true).mean(axis=0)
        points = torch.cat([o.landmarks for o in outs]).numpy() - pack.landmarks[rows]
        blink = BLENDSHAPES.index("eyeBlinkLeft")
        result[clip] = {
            "r": float(np.mean(r)),
            "blink_r": float(np.corrcoef(found[:, blink], wanted[:, blink])[0, 1]),
            "landmark": float(np.linalg.norm(points[..., :2], axis=2).mean()),
            "yaw_deg": float(error[0]),
            "pitch_deg": float(error[1]),
            "score": float(torch.sigmoid(torch.cat([o.score for o in outs])).mean()),
        }
    net.train()
    return result


def angles(rotation: FloatArray) -> FloatArray:
    """Yaw and pitch (N, 2) in degrees of rotations (N, 3, 3)."""
    forward = rotation[:, :, 2]
    yaw = np.arctan2(forward[:, 0], forward[:, 2])
    pitch = np.arcsin(np.clip(forward[:, 1], -1, 1))
    return np.asarray(np.degrees(np.stack([yaw, pitch], axis=1)), np.float32)


class Trainer:
    """The state of one run: network, running average, optimiser and data."""

    def __init__(self, config: FaceConfig) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.pack = load_pack(config.pack)
        self.rows = np.flatnonzero(~np.isin(self.pack.clip, config.test_clips))
        mean_shape = self.pack.landmarks[self.rows].mean(axis=0)
        self.net = FaceNet(torch.from_numpy(mean_shape), config.width)
        channels_last(self.net)
        self.average = AveragedModel(
            self.net, multi_avg_fn=get_ema_multi_avg_fn(config.ema), use_buffers=True
        )
        self.losses = Losses(self.net, torch.from_numpy(self.pack.weights[self.rows].std(axis=0)))
        self.pairs = Pairs(config.pack, config.pair_batch)
        self.negatives = np.load(config.pack / "negatives.npy", mmap_mode="r")
        self.chances = torch.from_numpy(sample_weights(self.pack, self.rows, config)).double()
        self.faces = FaceDataset(self.pack, self.rows, Augmentation())
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )

    @property
    def trained(self) -> FaceNet:
        """The averaged network: the result."""
        net = self.average.module
        if not isinstance(net, FaceNet):
            raise TypeError(f"the average of a FaceNet is a {type(net).__name__}")
        return net

    def run_round(self, number: int) -> dict[str, Any]:
        """Train for ``round_steps`` steps (fewer in the last round); returns the mean of every loss."""
        config = self.config
        row: dict[str, Any] = {}
        if number == 0:
            row["weights_head_alone"] = train_pairs(
                self.net.weights, self.pairs, self.losses, config.pair_steps
            )
        first = number * config.round_steps
        steps = min(config.round_steps, config.steps - first)
        drawn = torch.multinomial(self.chances, steps * config.batch, replacement=True)
        loader = DataLoader(self.faces, config.batch, sampler=drawn.tolist(), num_workers=config.workers)
        totals: dict[str, float] = {}
        for step, batch in enumerate(loader, start=first):
            rate = config.learning_rate * warm_cosine(step, config.steps, config.warm_steps)
            set_learning_rate(self.optimizer, rate)
            for name, value in self._step(batch).items():
                totals[name] = totals.get(name, 0.0) + value / steps
        row |= {"step": first + steps} | {name: round(value, 4) for name, value in totals.items()}
        if row["step"] == config.steps:
            row["test"] = evaluate(self.trained, self.pack, config.test_clips)
        return row

    def _step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        chosen = torch.randint(0, len(self.negatives), (self.config.negatives,)).tolist()
        extra = torch.from_numpy(np.stack([recolour(self.negatives[i]) for i in chosen]))
        out = self.net(torch.cat([batch["image"], extra]).permute(0, 3, 1, 2).float() / 255)
        parts = self.losses(out, batch)
        landmarks, weights = self.pairs.next()
        known = torch.cat([landmarks, batch["landmarks"][..., :2]])
        parts["pairs"] = self.losses.shapes(self.net.weights(known), torch.cat([weights, batch["weights"]]))
        self.optimizer.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self.average.update_parameters(self.net)
        return {name: float(part.detach()) for name, part in parts.items()}


def train(config: FaceConfig, *, resume: bool = False) -> FaceNet:
    """Run (or finish) one training; returns the averaged network and writes ``face.safetensors``.

    Raises:
        InputError: the run folder holds a run and ``resume`` is off, or its checkpoint does not fit.
    """
    torch.set_num_threads(config.threads)
    trainer = Trainer(config)
    modules = {"model": trainer.net, "average": trainer.average}
    rounds = math.ceil(config.steps / config.round_steps)
    run_rounds(
        config.out, config, config.seed, rounds, trainer.run_round, modules, trainer.optimizer, resume=resume
    )
    save(trainer.trained, config.out / "face.safetensors")
    return trainer.trained


def save(net: torch.nn.Module, path: Path) -> None:
    """Write a network's tensors as safetensors (which wants them in plain memory order)."""
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, path)


def main() -> int:
    """Command line; returns the exit status."""
    return command_line("Train the face network.", FaceConfig, train)


if __name__ == "__main__":
    sys.exit(main())
