"""The training task of the face network, on packs of labelled real faces and of rendered faces.

``visavis train experiments/face_second.toml [--resume] [--set key=value]``
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
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from visavis.base.reading import regular
from visavis.errors import InputError
from visavis.types import FloatArray
from visavis_train.face.data.covering import CoveredFaces
from visavis_train.face.data.faces import (
    CropAugmentation,
    FaceDataset,
    FacePack,
    load_faces,
    recolor,
    validation_rows,
)
from visavis_train.face.heads import known_weights, train_head, train_seen
from visavis_train.face.losses import Losses
from visavis_train.face.measure import label_agreement
from visavis_train.face.network import FaceNet
from visavis_train.face.parts import WEIGHTS, WeightsHead, use_half_precision
from visavis_train.face.rendering.skins import read_skins
from visavis_train.face.start import mixed, settle_norms, started
from visavis_train.loop.checkpoint import write_tensors
from visavis_train.loop.command import Task
from visavis_train.loop.experiment import RunFolder, Seed, Settings
from visavis_train.loop.memory_layout import channels_last
from visavis_train.loop.rounds import run_rounds, set_learning_rate, warm_cosine

# Number of rounds between measurements of the held-out stills.
EVALUATED_ROUNDS = 4
# Views whose statistics the norms of an earlier network take before the first step.
SETTLING_VIEWS = 960


class FaceConfig(Settings):
    """One training run.

    Attributes:
        packs: folders of :mod:`visavis_train.face.data.teacher` and :mod:`visavis_train.face.rendering`.
        pairs: ``pairs.npz`` of :mod:`visavis_train.face.data.blendshape_pairs`.
        negatives: ``.npy`` of pictures (M, 160, 160, 3) without a face.
        truths: packs of rendered faces, without the people of ``packs``, to choose the heads' mixture with.
        init: ``face.safetensors`` of an earlier run, or ``face.onnx``, whose weights this one begins with.
        mix: ``face.onnx`` of another run that began with ``init``, then a ``face.onnx`` too: this run begins
            between the two.
        mix_share: share of ``mix``, 0..1.
        out: the run folder (see :mod:`visavis_train.loop.rounds`); the result is its ``face.safetensors``.
        test_clips: videos that training never sees.
        skins: file of :mod:`visavis_train.face.rendering.skins`; the photographs of its skins for validation
            and test are not trained on either.
        clip_weight: how often a video's frame is drawn, relative to a still.
        render_share: share of rendered faces in training.
        pair_steps: steps for only the weights head, on landmark pairs, before the joint training; 0 if
            ``init`` has trained that head.
        seen_views: views of covered faces for training only the head of visible parts, after ``steps``.
        seen_steps: steps of that training; 0: none.
        round_steps: steps between two checkpoints.
        bfloat16: compute convolutions in bfloat16.
        workers: processes that prepare pictures.
    """

    task: Literal["face"] = "face"
    packs: tuple[Path, ...]
    pairs: Path
    negatives: Path
    truths: tuple[Path, ...] = ()
    init: Path | None = None
    mix: Path | None = None
    mix_share: float = Field(0.5, ge=0, le=1)
    out: RunFolder
    test_clips: tuple[str, ...]
    skins: Path | None = None
    seed: Seed = 0
    width: int = Field(48, ge=1)
    batch: int = Field(96, ge=2)
    steps: int = Field(5000, ge=0)
    learning_rate: float = Field(1.5e-3, gt=0)
    weight_decay: float = Field(0.02, ge=0)
    ema_decay: float = Field(0.998, ge=0, lt=1)
    clip_weight: float = Field(3.0, gt=0)
    fer_weight: float = Field(0.6, gt=0)
    render_share: float = Field(0.3, ge=0, le=1)
    negative_count: int = Field(10, ge=1)
    pair_steps: int = Field(3000, ge=0)
    pair_batch: int = Field(256, ge=1)
    seen_views: int = Field(60_000, ge=1)
    seen_steps: int = Field(0, ge=0)
    round_steps: int = Field(250, ge=1)
    warm_steps: int = Field(300, ge=1)
    bfloat16: bool = False
    workers: int = Field(1, ge=0)
    threads: int = Field(2, ge=1)


def row_weights(pack: FacePack, rows: NDArray[np.int64], config: FaceConfig) -> FloatArray:
    """How often each face is drawn: more for rare expressions and turned heads, less for near-copies."""
    weights, rendered = pack.weights[rows], pack.rendered[rows]
    spread = weights[~rendered].std(axis=0) + 0.03
    unusual = np.abs(weights - np.median(weights[~rendered], axis=0)) / spread
    chance = 0.4 + np.clip(unusual.mean(axis=1), 0, 3)
    clip = pack.clip[rows]
    chance[clip == "fer"] *= config.fer_weight
    stills = np.isin(clip, ["fer", "utk", "lfwx", "yawdd", "own"])
    chance[~stills] *= config.clip_weight
    # One talker with a hundred sentences counts as a few clips, not as a hundred.
    names, counts = np.unique(clip, return_counts=True)
    short = dict(zip(names, counts, strict=True))
    sentence = np.asarray([short[c] < 30 for c in clip])
    chance[sentence] /= config.clip_weight
    if rendered.any() and not rendered.all():
        share = config.render_share
        chance[rendered] = share / rendered.sum()
        chance[~rendered] *= (1 - share) / chance[~rendered].sum()
    return np.asarray(chance / chance.mean(), np.float32)


class Pairs:
    """Endless batches of landmark-weight pairs."""

    def __init__(self, path: Path, batch: int, device: torch.device) -> None:
        self.device = device
        with np.load(regular(path)) as file:
            self.landmarks = torch.from_numpy(file["landmarks"])
            self.weights = torch.from_numpy(file["weights"])
        self.batch = batch

    def next(self) -> tuple[Tensor, Tensor]:
        """Landmarks (P, 146, 2) and weights (P, 51)."""
        rows = torch.randint(0, len(self.landmarks), (self.batch,))
        return self.landmarks[rows].to(self.device), self.weights[rows].to(self.device)


def train_pairs(head: WeightsHead, pairs: Pairs, losses: Losses, steps: int) -> float:
    """Train only the weights head; returns its last mean loss."""

    def loss() -> Tensor:
        landmarks, weights = pairs.next()
        return losses.shapes(head(landmarks), weights, torch.ones(len(weights), device=pairs.device))

    return train_head(head, loss, steps)


class FaceTrainer:
    """The state of one run: network, running average, optimiser and data."""

    def __init__(self, config: FaceConfig) -> None:
        torch.manual_seed(config.seed)
        use_half_precision(config.bfloat16)
        self.config = config
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.pack = load_faces(*config.packs)
        self.rows, self.held_out = validation_rows(self.pack, config.test_clips)
        if config.skins is not None:
            self.rows = self.rows[~self.pack.shows(read_skins(config.skins).held_out)[self.rows]]
        real = self.rows[~self.pack.rendered[self.rows]]
        if config.mix is None and "mix_share" in config.model_fields_set:
            raise InputError("mix_share: a share of mix, which is missing; name a face.onnx for mix")
        if config.mix is not None and config.init is None:
            raise InputError("mix: the run begins between two networks, but init is missing")
        if missing := [clip for clip in config.test_clips if clip not in set(self.pack.clip)]:
            raise InputError(f"test_clips: no face of {', '.join(missing)} in the packs; leave the clip out")
        if not len(real):
            raise InputError("packs hold no real face to learn from; name a pack of the teacher's")
        # The mean shape decides which points belong to the eyes and the mouth: both runs need the same.
        self.net = (
            FaceNet(torch.from_numpy(self.pack.landmarks[real].mean(axis=0)), config.width)
            if config.init is None
            else started(config.init, config.width)
            if config.mix is None
            else mixed(config.init, config.mix, config.mix_share, config.width)
        )
        seen = real[~self.pack.moved[real]]
        drawn = self.rows[self.pack.rendered[self.rows]]
        self.losses = Losses(
            self.net,
            torch.from_numpy(self.pack.weights[seen].std(axis=0)),
            torch.from_numpy(self.pack.weights[drawn].std(axis=0)) if len(drawn) else torch.ones(WEIGHTS),
        ).to(self.device)
        self.net.to(self.device)
        channels_last(self.net)
        self.pairs = Pairs(config.pairs, config.pair_batch, self.device)
        self.negatives = np.load(regular(config.negatives), mmap_mode="r")
        self.chances = torch.from_numpy(row_weights(self.pack, self.rows, config)).double()
        if config.init is not None and config.steps:
            settle_norms(self.net, self._views(SETTLING_VIEWS))
        self.average = AveragedModel(
            self.net, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True
        )
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
        )

    @property
    def trained(self) -> FaceNet:
        """The averaged network: the result."""
        net = self.average.module
        if not isinstance(net, FaceNet):
            raise TypeError(f"the average of a FaceNet is a {type(net).__name__}")
        return net

    def _views(self, count: int) -> DataLoader[dict[str, Tensor]]:
        """Random views of random training faces."""
        faces = FaceDataset(self.pack, self.rows, CropAugmentation())
        drawn = torch.multinomial(self.chances, count, replacement=True).tolist()
        return DataLoader(faces, self.config.batch, sampler=drawn, num_workers=self.config.workers)

    def run_round(self, number: int) -> dict[str, Any]:
        """Train for ``round_steps`` steps (fewer in the last round); returns the mean of every loss."""
        config = self.config
        row: dict[str, Any] = {}
        if number == 0 and config.pair_steps:
            row["weights_head_alone"] = train_pairs(
                self.net.weights, self.pairs, self.losses, config.pair_steps
            )
        first = number * config.round_steps
        steps = min(config.round_steps, config.steps - first)
        totals: dict[str, float] = {}
        for step, batch in enumerate(self._views(steps * config.batch), start=first):
            rate = config.learning_rate * warm_cosine(step, config.steps, config.warm_steps)
            set_learning_rate(self.optimizer, rate)
            for name, value in self._step(batch).items():
                totals[name] = totals.get(name, 0.0) + value / steps
        row |= {"step": first + steps} | {name: round(value, 4) for name, value in totals.items()}
        last = row["step"] == config.steps
        if len(self.held_out) and (last or number % EVALUATED_ROUNDS == EVALUATED_ROUNDS - 1):
            row["held_out"] = label_agreement(self.trained, self.pack, self.held_out)
        if last:
            row["test"] = {
                clip: label_agreement(self.trained, self.pack, np.flatnonzero(self.pack.clip == clip))
                for clip in config.test_clips
            }
            for path in config.truths:
                pack = load_faces(path)
                row["renders"] = label_agreement(self.trained, pack, np.arange(len(pack.source)))
        return row

    def train_seen(self) -> None:
        """Train only the averaged network's head for visible parts."""
        config = self.config
        real = torch.from_numpy(~self.pack.rendered[self.rows])
        # Rare faces too: a shut eye must not look like a hidden one.
        chances = self.chances * real
        drawn = torch.multinomial(chances, config.seen_views, replacement=True).numpy()
        faces = CoveredFaces(self.pack, self.rows[drawn], config.seed)
        loader = DataLoader(faces, config.batch, num_workers=config.workers)
        train_seen(self.trained, loader, config.seen_steps)

    def _step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        chosen = torch.randint(0, len(self.negatives), (self.config.negative_count,)).tolist()
        extra = torch.from_numpy(np.stack([recolor(self.negatives[i]) for i in chosen]))
        batch = {name: value.to(self.device) for name, value in batch.items()}
        images = torch.cat([batch["image"], extra.to(self.device)])
        out = self.net(images.permute(0, 3, 1, 2).float() / 255)
        parts = self.losses(out, batch)
        parts["pairs"] = known_weights(self.net, batch, self.pairs.next(), self.losses)
        self.optimizer.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self.average.update_parameters(self.net)
        return {name: float(part.detach()) for name, part in parts.items()}


def train_face(config: FaceConfig, *, resume: bool = False) -> FaceNet:
    """Run (or finish) one training; returns the averaged network and writes ``face.safetensors``.

    Raises:
        InputError: the run folder holds a run and ``resume`` is off, or its checkpoint does not fit.
    """
    torch.set_num_threads(config.threads)
    trainer = FaceTrainer(config)
    modules = {"model": trainer.net, "average": trainer.average}
    rounds = math.ceil(config.steps / config.round_steps)
    run_rounds(
        config.out, config, config.seed, rounds, trainer.run_round, modules, trainer.optimizer, resume=resume
    )
    if config.seen_steps:
        trainer.train_seen()
    write_tensors(config.out / "face.safetensors", trainer.trained.state_dict())
    return trainer.trained


TASK = Task(FaceConfig, train_face)
