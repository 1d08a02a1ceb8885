"""The trainer of listeners."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from visavis.errors import InputError
from visavis.reaction.predictor import UNKNOWN
from visavis_train.listener.batches import Batch, Conversation, draw_batch
from visavis_train.listener.network import HeardTensors, ListenerNet, into_patches
from visavis_train.loop.experiment import Settings
from visavis_train.loop.rounds import descend, set_learning_rate, warm_cosine


class ListenerTraining(Settings):
    """How a listener is trained.

    Attributes:
        rounds: number of rounds.
        round_steps: steps of a round, between two checkpoints.
        batch_size: segments per step.
        frames: frames of a segment; a multiple of the network's patch.
        learning_rate: peak of the learning rate; it rises linearly and falls by half a cosine to 1%.
        warm_steps: steps of the linear rise.
        weight_decay: weight decay of AdamW.
        clip_grad_norm: norm to which gradients are clipped.
        masked_past: in each segment, a random share from 0 to this of the listener's own past is hidden
            (Dam et al. 2024, section II-C, name no share; their code hides half). Our listeners became worse
            by it.
        own_draws: share of the listener's own past that the network's own draws replace, each drawn after
            the true past, so that it learns to go on after a wrong draw (Duckworth et al. 2019,
            arXiv:1906.04331: parallel scheduled sampling). A step takes 1.4 times as long.
            With 0.5, gestures became more like the teachers', and the eyes trembled.
        masked_speaker: as ``masked_past`` for the speaker's frames, separately for face and sound, so that
            the network does not rely on one of them.
        sound_noise: standard deviation of noise added to the sound features.
        no_speaker: chance that a segment has no speaker, so that the network can also predict without one.
        no_past: chance that all of the listener's own past is hidden in a segment. The next frame depends
            mostly on this past, so the network needs the speaker in every frame only when the past is hidden.
        no_controls: chance that a segment has no style, so that the style can be left open.
    """

    rounds: int = Field(default=10, ge=1)
    round_steps: int = Field(default=100, ge=1)
    batch_size: int = Field(default=8, ge=1)
    frames: int = Field(default=500, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    warm_steps: int = Field(default=100, ge=1)
    weight_decay: float = Field(default=0.05, ge=0)
    clip_grad_norm: float = Field(default=1.0, gt=0)
    masked_past: float = Field(default=0.0, ge=0, le=1)
    own_draws: float = Field(default=0.0, ge=0, le=1)
    masked_speaker: float = Field(default=0.0, ge=0, le=1)
    sound_noise: float = Field(default=0.0, ge=0)
    no_speaker: float = Field(default=0.2, ge=0, le=1)
    no_past: float = Field(default=0.0, ge=0, le=1)
    no_controls: float = Field(default=0.2, ge=0, le=1)


class ListenerTrainer:
    """The state of one run: network and optimiser. Without ``validation``, rounds are not measured.

    Raises:
        InputError: there is no conversation, or a stretch is not a whole number of positions.
    """

    def __init__(
        self,
        net: ListenerNet,
        training: ListenerTraining,
        conversations: Sequence[Conversation],
        validation: Sequence[Conversation],
        seed: int,
    ) -> None:
        if not conversations:
            raise InputError("there is no conversation to learn from")
        if training.frames % net.config.patch:
            raise InputError(f"training.frames is {training.frames}; expected a multiple of model.patch")
        self.net, self.how, self.seed = net, training, seed
        self._conversations, self._validation = conversations, validation
        self.optimizer = torch.optim.AdamW(
            net.parameters(), training.learning_rate, weight_decay=training.weight_decay
        )

    def run_round(self, number: int) -> dict[str, Any]:
        """Train the round of a number, from 0; returns bits a frame, in training and validation."""
        self.net.train()
        rng = np.random.default_rng((self.seed, number, 1))
        steps = self.how.round_steps
        total = 0.0
        for step in range(number * steps, (number + 1) * steps):
            share = warm_cosine(step, self.how.rounds * steps, self.how.warm_steps)
            set_learning_rate(self.optimizer, self.how.learning_rate * share)
            total += self._step(rng, number) / steps
        row: dict[str, Any] = {"bits_per_frame": round(total / math.log(2), 5)}
        if self._validation:
            row["validation_bits_per_frame"] = round(self.measure(self._validation), 5)
        return row

    @torch.no_grad()
    def measure(self, conversations: Sequence[Conversation]) -> float:
        """Mean bits a frame of whole conversations, in pieces as long as in training."""
        self.net.eval()
        nats, frames = 0.0, 0
        for item in conversations:
            length = min(len(item.own), self.how.frames)
            batch = draw_batch([item], 1, length - length % self.net.config.patch, np.random.default_rng(0))
            loss = self._loss(batch, batch.heard(self.net.config.patch))
            nats += float(loss.nansum())
            frames += int(loss.isfinite().sum())
        return nats / max(frames, 1) / math.log(2)

    def _step(self, rng: np.random.Generator, number: int) -> float:
        batch = draw_batch(self._conversations, self.how.batch_size, self.how.frames, rng)
        heard = self._with_gaps(batch.heard(self.net.config.patch))
        if self.how.own_draws:
            heard = self._with_own_draws(heard)
        loss = self._loss(batch, heard).nanmean()
        return descend(loss, self.net, self.optimizer, self.how.clip_grad_norm, number)

    def _loss(self, batch: Batch, heard: HeardTensors) -> Tensor:
        return self.net.loss(heard, into_patches(batch.own, self.net.config.patch))

    @torch.no_grad()
    def _with_own_draws(self, heard: HeardTensors) -> HeardTensors:
        """Replace a part of the listener's own past by what the network draws there; the targets stay."""
        hidden, _ = self.net(heard)
        drawn = torch.cat([heard.own[:, :1], self.net.head.draw(hidden)[:, :-1]], dim=1)
        replaced = (torch.rand(heard.own.shape) < self.how.own_draws) & (heard.own != UNKNOWN)
        return heard._replace(own=torch.where(replaced, drawn, heard.own))

    def _with_gaps(self, heard: HeardTensors) -> HeardTensors:
        """Hide parts of the inputs; the targets do not change."""
        count, how = len(heard.own), self.how
        own, speaker, sound = (
            torch.rand(heard.own.shape) < torch.rand(count, 1, 1) * most
            for most in (how.masked_past, how.masked_speaker, how.masked_speaker)
        )
        noise = torch.randn_like(heard.sound) * how.sound_noise
        alone = torch.rand(count, 1, 1) < how.no_speaker
        forgetful = torch.rand(count, 1, 1) < how.no_past
        free = torch.rand(count, 1, 1) < how.no_controls
        return HeardTensors(
            heard.speaker.masked_fill(speaker | alone, UNKNOWN),
            heard.own.masked_fill(own | forgetful, UNKNOWN),
            (heard.sound + noise).masked_fill((sound | alone)[..., None], torch.nan),
            heard.controls.masked_fill(free, torch.nan),
        )
