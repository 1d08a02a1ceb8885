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
from visavis_train.listener.batches import Batch, Conversation, draw
from visavis_train.listener.network import Heard, ListenerNet, into_patches
from visavis_train.loop.experiment import Settings
from visavis_train.loop.rounds import descend, set_learning_rate, warm_cosine


class ListenerTraining(Settings):
    """How a listener is trained.

    Attributes:
        rounds: how many there are.
        round_steps: steps of a round, between two checkpoints.
        batch_size: stretches a step.
        frames: of a stretch; a multiple of the network's patch.
        learning_rate: its peak; it rises linearly and falls by half a cosine to 1%.
        warm_steps: steps of the rise.
        weight_decay: AdamW's.
        max_gradient: norm that gradients are cut to.
        masked_past: of each stretch, a share drawn from 0 to this of the own past is hidden, so that the
            partner is listened to (Dam et al. 2024, section II-C, hide half).
        masked_partner: likewise of the partner's frames, face and sound each, so that none is relied on.
        sound_noise: standard deviation of noise that is added to the sound's numbers.
        no_partner: chance of a stretch to lose its partner, so that the listener can be alone.
        no_past: chance of a stretch to lose all of its own past: what one does next is mostly what one did,
            and only where that is hidden is the partner needed in every frame.
        no_controls: chance of a stretch to lose its temperament, so that it can be left free.
    """

    rounds: int = Field(default=10, ge=1)
    round_steps: int = Field(default=100, ge=1)
    batch_size: int = Field(default=8, ge=1)
    frames: int = Field(default=500, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    warm_steps: int = Field(default=100, ge=1)
    weight_decay: float = Field(default=0.05, ge=0)
    max_gradient: float = Field(default=1.0, gt=0)
    masked_past: float = Field(default=0.5, ge=0, le=1)
    masked_partner: float = Field(default=0.0, ge=0, le=1)
    sound_noise: float = Field(default=0.0, ge=0)
    no_partner: float = Field(default=0.2, ge=0, le=1)
    no_past: float = Field(default=0.0, ge=0, le=1)
    no_controls: float = Field(default=0.2, ge=0, le=1)


class ListenerTrainer:
    """The state of one run: network and optimiser.

    Args:
        net: the network.
        training: the settings.
        conversations: the training data.
        validation: the data for measuring after each round; may be empty.
        seed: seed of the draws.

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
            batch = draw([item], 1, length - length % self.net.config.patch, np.random.default_rng(0))
            loss = self._loss(batch, batch.heard(self.net.config.patch))
            nats += float(loss.nansum())
            frames += int(loss.isfinite().sum())
        return nats / max(frames, 1) / math.log(2)

    def _step(self, rng: np.random.Generator, number: int) -> float:
        batch = draw(self._conversations, self.how.batch_size, self.how.frames, rng)
        loss = self._loss(batch, self._with_gaps(batch.heard(self.net.config.patch))).nanmean()
        return descend(loss, self.net, self.optimizer, self.how.max_gradient, number)

    def _loss(self, batch: Batch, heard: Heard) -> Tensor:
        return self.net.loss(heard, into_patches(batch.own, self.net.config.patch))

    def _with_gaps(self, heard: Heard) -> Heard:
        """Hide parts of the inputs; the targets do not change."""
        count, how = len(heard.own), self.how
        own, partner, sound = (
            torch.rand(heard.own.shape) < torch.rand(count, 1, 1) * most
            for most in (how.masked_past, how.masked_partner, how.masked_partner)
        )
        noise = torch.randn_like(heard.sound) * how.sound_noise
        alone = torch.rand(count, 1, 1) < how.no_partner
        forgetful = torch.rand(count, 1, 1) < how.no_past
        free = torch.rand(count, 1, 1) < how.no_controls
        return Heard(
            heard.partner.masked_fill(partner | alone, UNKNOWN),
            heard.own.masked_fill(own | forgetful, UNKNOWN),
            (heard.sound + noise).masked_fill((sound | alone)[..., None], torch.nan),
            heard.controls.masked_fill(free, torch.nan),
        )
