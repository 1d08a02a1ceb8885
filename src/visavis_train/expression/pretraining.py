"""Pretraining of an expression network on face states, without labels.

``visavis train experiments/pretraining_vgg_small.toml [--resume] [--set key=value]``

The network learns the task of the embedded face network (landmarks, blendshape weights and head rotation)
from its features alone. The run folder (:mod:`visavis_train.loop.rounds`) also has ``network.safetensors``,
which the expression task's ``init`` takes. The network's two heads stay untrained.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from visavis.errors import InputError
from visavis_train.expression.data.augment import Augmentation, augment
from visavis_train.expression.models.factory import ModelConfig, build_model
from visavis_train.expression.models.graph import ExpressionGraph
from visavis_train.expression.models.heads import ExpressionNet
from visavis_train.expression.models.hybrid import HybridConfig
from visavis_train.expression.trainer import make_accelerator
from visavis_train.face.data.face_states import FaceStates
from visavis_train.loop.checkpoint import LAST, save_checkpoint
from visavis_train.loop.command import Task
from visavis_train.loop.ema import running_average
from visavis_train.loop.experiment import RunFolder, Seed, Settings
from visavis_train.loop.memory_layout import channels_last
from visavis_train.loop.progress import progress_bar
from visavis_train.loop.rounds import descend, run_rounds, set_learning_rate, warm_cosine

PARTS = ("shape", "weights", "facing")
NETWORK = "network.safetensors"
# Added to the standard deviation that scales a number's error, so numbers that hardly move count less.
SPREAD = 0.02
_BATCH = 256


class Pretraining(Settings):
    """One run of the pretraining task.

    Attributes:
        task: which task the file is for.
        pack: face states, written by ``visavis lab face-states``.
        out: the run folder, relative to the working folder.
        seed: seed of all randomness.
        threads: processor threads.
        mixed_precision: ``no`` or ``bf16``.
        epochs: passes over the faces.
        batch_size: faces per step.
        learning_rate: peak of the learning rate, which falls by half a cosine over all steps, down to 1%.
        warmup: share of the steps over which the learning rate rises linearly first.
        weight_decay: weight decay of AdamW, on all weights.
        clip_grad_norm: norm to which gradients are clipped.
        ema_decay: decay per step of the running average of the weights; the average is the result.
    """

    task: Literal["pretraining"] = "pretraining"
    pack: Path
    out: RunFolder
    seed: Seed = 0
    threads: int = Field(default=2, ge=1)
    mixed_precision: Literal["no", "bf16"] = "no"
    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=128, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.05, ge=0)
    clip_grad_norm: float = Field(default=1.0, gt=0)
    ema_decay: float = Field(default=0.998, ge=0, lt=1)
    model: ModelConfig = HybridConfig()
    augmentation: Augmentation = Augmentation()


class StateNet(nn.Module):
    """A network that predicts the numbers of a face state from an expression network's features.

    The expression network's own heads are not used.
    """

    def __init__(self, network: ExpressionNet, numbers: int) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(network.labels.in_features, numbers)

    def forward(self, images: Tensor) -> Tensor:
        """Standardised grey crops (N, 1, S, S) -> standardised states (N, numbers)."""
        answer: Tensor = self.head(self.network.features(images))
        return answer


class PretrainingTrainer:
    """The state of one run: network, running average, optimiser and data.

    Args:
        config: the experiment.
        fresh: fetch pretrained weights if there are any; off if a checkpoint replaces them.

    Raises:
        InputError: the pack cannot be used, or more than one process was started.
        VisavisError: pretrained weights cannot be fetched.
    """

    def __init__(self, config: Pretraining, *, fresh: bool = True) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.accelerator = make_accelerator(config.mixed_precision)
        if self.accelerator.num_processes > 1:
            raise InputError(
                f"{self.accelerator.num_processes} processes were started; pretraining takes one: raise "
                "threads instead"
            )
        states = FaceStates.load(config.pack)
        shown = ~states.held_out
        self.images = torch.from_numpy(states.images)[:, None]
        both_sides = (states.parts(), states.mirrored_parts())
        sides = [torch.from_numpy(np.concatenate(parts, axis=1)) for parts in both_sides]
        both = torch.cat([side[shown] for side in sides])
        mean, spread = both.mean(dim=0), both.std(dim=0) + SPREAD
        self.plain, self.mirrored = ((side - mean) / spread for side in sides)
        self.widths = [part.shape[1] for part in states.parts()]
        self.rows, self.held_out = (torch.from_numpy(np.flatnonzero(part)) for part in (shown, ~shown))
        self.net = StateNet(build_model(config.model, download=fresh), len(mean))
        channels_last(self.net)
        self.net.to(self.accelerator.device)
        self.average = running_average(self.net, config.ema_decay)
        optimizer = torch.optim.AdamW(
            self.net.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.model, self.optimizer = self.accelerator.prepare(self.net, optimizer)

    @property
    def trained(self) -> ExpressionNet:
        """The averaged expression network: the result."""
        network = self.average.module.network
        if not isinstance(network, ExpressionNet):
            raise TypeError(f"the average of an expression network is a {type(network).__name__}")
        return network

    def run_epoch(self, number: int) -> dict[str, Any]:
        """Train for one epoch; returns its mean loss, and R squared of the held-out faces' states."""
        config, device = self.config, self.accelerator.device
        rng = torch.Generator(device).manual_seed(int(torch.randint(2**31, ())))
        batches = torch.split(self.rows[torch.randperm(len(self.rows))], config.batch_size)
        if len(batches) > 1 and len(batches[-1]) < config.batch_size // 2:
            batches = batches[:-1]  # A very small last batch would spoil the batch statistics.
        total, steps = 0.0, config.epochs * len(batches)
        rise = max(round(config.warmup * steps), 1)
        self.model.train()
        with progress_bar(f"epoch {number + 1}/{config.epochs}", len(batches)) as advance:
            for step, rows in enumerate(batches, start=number * len(batches)):
                set_learning_rate(self.optimizer, config.learning_rate * warm_cosine(step, steps, rise))
                total += self._step(rows, rng, number)
                advance()
        return {"loss": total / len(batches), "explained": self.explained()}

    def _step(self, rows: Tensor, rng: torch.Generator, number: int) -> float:
        device = self.accelerator.device
        mirrored = torch.rand(len(rows)) < 0.5
        wanted = torch.where(mirrored[:, None], self.mirrored[rows], self.plain[rows]).to(device)
        side_px, faces = self.config.model.image_px, self.images[rows].to(device)
        images = augment(faces, side_px, self.config.augmentation, rng, mirrored.to(device))
        found = self.model(images.contiguous(memory_format=torch.channels_last)).float()
        errors = zip(found.split(self.widths, dim=1), wanted.split(self.widths, dim=1), strict=True)
        # All parts have equal weight, with any number of numbers.
        loss = torch.stack([functional.smooth_l1_loss(one, other) for one, other in errors]).mean()
        value = descend(loss, self.net, self.optimizer, self.config.clip_grad_norm, number + 1)
        self.average.update_parameters(self.net)
        return value

    @torch.no_grad()
    def explained(self) -> dict[str, float | None]:
        """R squared of the averaged network for each part of held-out states; None if they do not vary."""
        net = self.average.module.eval()
        graph = ExpressionGraph(self.trained, self.config.model.image_px)
        found = torch.cat(
            [
                net(graph.prepare(self.images[rows].to(self.accelerator.device))).cpu()
                for rows in torch.split(self.held_out, _BATCH)
            ]
        )
        wanted = self.plain[self.held_out]
        parts = zip(PARTS, found.split(self.widths, dim=1), wanted.split(self.widths, dim=1), strict=True)
        return {name: _r_squared(part, true) for name, part, true in parts}


def _r_squared(found: Tensor, wanted: Tensor) -> float | None:
    spread = float((wanted - wanted.mean(dim=0)).square().sum())
    return round(1 - float((found - wanted).square().sum()) / spread, 4) if spread > 0 else None


def pretrain(config: Pretraining, *, resume: bool = False) -> Path:
    """Run (or finish) one pretraining; returns the start file for expression runs.

    Raises:
        InputError: the pack cannot be used, the run folder holds a run and ``resume`` is off, or its
            checkpoint does not fit.
        VisavisError: pretrained weights cannot be fetched.
    """
    torch.set_num_threads(config.threads)
    trainer = PretrainingTrainer(config, fresh=not (resume and (config.out / LAST).exists()))
    modules = {"model": trainer.net, "average": trainer.average}
    rounds, optimizer = config.epochs, trainer.optimizer
    run_rounds(config.out, config, config.seed, rounds, trainer.run_epoch, modules, optimizer, resume=resume)
    path = config.out / NETWORK
    save_checkpoint(path, {"model": trainer.trained}, None, {})
    return path


TASK = Task(Pretraining, pretrain)
