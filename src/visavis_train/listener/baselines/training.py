"""Training of baselines on standardised stretches of speakers and listeners."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from visavis.base.console import progress
from visavis.channels import FACE_CHANNELS
from visavis.errors import InputError
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.types import FloatArray
from visavis_train.data.conversation_pack import ListeningPack, PersonClip
from visavis_train.loop.experiment import Settings
from visavis_train.loop.rounds import set_learning_rate, warm_cosine

# Inputs of a baseline for each frame of the speaker: face and speech.
HEARD_CHANNELS = len(FACE_CHANNELS) + len(SPEECH_CHANNELS)
# Lower limit of the spread, so that channels that stand still are not enlarged.
_LEAST_SPREAD = 0.02


class BaselineTraining(Settings):
    """The training of a baseline.

    Attributes:
        steps: steps for each of its networks.
        batch_size: stretches a step.
        frames: frames of a stretch; a multiple of 50.
        learning_rate: its peak; it rises linearly over a twentieth and falls by half a cosine to 1%.
        width: width of its networks.
        latent: size of its latent.
    """

    steps: int = Field(default=1500, ge=1)
    batch_size: int = Field(default=16, ge=2)
    frames: int = Field(default=250, ge=100, multiple_of=50)
    learning_rate: float = Field(default=1e-3, gt=0)
    width: int = Field(default=96, ge=8, multiple_of=8)
    latent: int = Field(default=32, ge=1)


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Mean and spread of the training data.

    Attributes:
        mean, spread: (C,).
    """

    mean: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, parts: Iterable[FloatArray]) -> Scale:
        """The scale of (T, C) arrays, with one in memory at a time; unknown numbers do not count."""
        # Count, sum and sum of squares of each channel.
        totals: NDArray[np.float64] = np.float64(0) + sum(
            np.stack(
                [np.isfinite(part), np.nan_to_num(part), np.nan_to_num(part.astype(np.float64)) ** 2]
            ).sum(1)
            for part in parts
        )
        count = np.maximum(totals[0], 1)
        mean = totals[1] / count
        spread = np.sqrt(np.maximum(totals[2] / count - mean**2, 0))
        return cls(mean.astype(np.float32), np.maximum(spread, _LEAST_SPREAD).astype(np.float32))

    def into(self, values: FloatArray) -> FloatArray:
        """Standardised numbers; unknown ones become 0, the mean."""
        scaled: FloatArray = np.nan_to_num((values - self.mean) / self.spread).astype(np.float32)
        return scaled

    def back(self, values: FloatArray) -> FloatArray:
        """The inverse of :meth:`into`."""
        return (values * self.spread + self.mean).astype(np.float32)


def speaker_input(clip: PersonClip) -> FloatArray:
    """(T, 102) of a speaker: face and speech."""
    speech = np.full((len(clip), len(SPEECH_CHANNELS)), np.nan) if clip.speech is None else clip.speech
    return np.concatenate([clip.face, speech], axis=1).astype(np.float32)


class Stretches:
    """Random stretches of some frames of the training conversations.

    Raises:
        InputError: no conversation is long enough.
    """

    def __init__(self, pack: ListeningPack, frames: int) -> None:
        self.items = [item for item in pack.items if len(item.speaker) >= frames]
        if not self.items:
            raise InputError(f"{pack.corpus}, {pack.split}: no conversation has {frames} frames")
        self.frames = frames
        speakers = {id(item.speaker): item.speaker for item in self.items}.values()
        self.heard = Scale.of(speaker_input(clip) for clip in speakers)
        self.shown = Scale.of(item.listener.behavior for item in self.items)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """(N, F, 102) of speakers and (N, F, 83) of their listeners, standardised."""
        speakers, listeners = [], []
        for item in (self.items[k] for k in rng.integers(len(self.items), size=count)):
            start = int(rng.integers(len(item.speaker) - self.frames + 1))
            cut = slice(start, start + self.frames)
            speakers.append(self.heard.into(speaker_input(item.speaker)[cut]))
            listeners.append(self.shown.into(item.listener.behavior[cut]))
        return torch.from_numpy(np.stack(speakers)), torch.from_numpy(np.stack(listeners))


def fit_network(
    what: str,
    net: nn.Module,
    loss_of: Callable[[Tensor, Tensor], Tensor],
    stretches: Stretches,
    training: BaselineTraining,
    rng: np.random.Generator,
) -> list[float]:
    """Train a network, then put it into evaluation mode; returns the loss of each step.

    Raises:
        InputError: the loss is not a finite number.
    """
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), training.learning_rate)
    losses = []
    with progress(what, training.steps, "steps") as advance:
        for step in range(training.steps):
            share = warm_cosine(step, training.steps, max(training.steps // 20, 1))
            set_learning_rate(optimizer, training.learning_rate * share)
            loss = loss_of(*stretches.draw(training.batch_size, rng))
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]):
                raise InputError(f"{what}: the loss became {losses[-1]} in step {step}: lower learning_rate")
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            advance()
    net.eval()
    return losses


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Mean Kullback-Leibler divergence of N(mean, variance) from N(0, 1), over all numbers."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()


def sampled(mean: Tensor, log_variance: Tensor) -> Tensor:
    """One draw of N(mean, variance), through which gradients pass (Kingma and Welling 2014)."""
    return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
