"""Latent diffusion of a listener's reactions, window by window.

A small network after BeLFusion (Barquero, Escalera and Palmero 2023, arXiv:2211.14304), as the REACT
challenges use it (Song et al. 2024, arXiv:2401.05166). An autoencoder codes windows of the listener.
A network removes the noise from a window's latent, given the speaker's window and the listener's previous
latent. Sampling is DDIM (Song, Meng and Ermon 2021, arXiv:2010.02502). Differences: MLPs over pieces of five
frames instead of recurrent networks and a U-Net, windows of 2 s that follow one another, our own sizes. It
sees the speaker's window to its end, so up to 2 s of later speech.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis.types import FloatArray
from visavis_train.data.conversation_pack import BEHAVIOR_CHANNELS, ListeningPack, PersonClip
from visavis_train.listener.baselines.method import each_item
from visavis_train.listener.baselines.training import (
    HEARD_CHANNELS,
    BaselineTraining,
    Stretches,
    divergence,
    fit_network,
    sampled,
    speaker_input,
)
from visavis_train.tokenizer.coders import ResidualLayer

WINDOW, PIECE = 50, 5
NOISE_STEPS, SAMPLING_STEPS = 100, 10
# Our choice: the latent must be smooth, but preserve the window.
DIVERGENCE_WEIGHT = 1e-3
# Share of training windows without a previous window, as at the start of a clip.
FIRST_SHARE = 0.1
LAYERS = 3


def kept_share(step: Tensor) -> Tensor:
    """The latent's remaining share of the variance (Nichol and Dhariwal 2021, equation 17)."""
    angle = (step / NOISE_STEPS + 0.008) / 1.008 * math.pi / 2
    share: Tensor = (angle.cos() ** 2).clamp(1e-4, 0.9999)
    return share


class WindowReader(nn.Sequential):
    """(N, 50, C) -> (N, out): pieces of five frames, one after the other, then all together."""

    def __init__(self, channels: int, width: int, out: int) -> None:
        super().__init__(
            nn.Unflatten(1, (WINDOW // PIECE, PIECE)),
            nn.Flatten(2),
            nn.Linear(PIECE * channels, width),
            nn.GELU(),
            nn.Flatten(1),
            nn.Linear(WINDOW // PIECE * width, out),
        )


class WindowVae(nn.Module):
    """Windows of a listener's behaviour <-> latents (N, Z)."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.encoder = WindowReader(BEHAVIOR_CHANNELS, width, 2 * latent)
        pieces = WINDOW // PIECE
        self.decoder = nn.Sequential(
            nn.Linear(latent, pieces * width),
            nn.GELU(),
            nn.Unflatten(1, (pieces, width)),
            nn.Linear(width, PIECE * BEHAVIOR_CHANNELS),
            nn.Unflatten(2, (PIECE, BEHAVIOR_CHANNELS)),
            nn.Flatten(1, 2),
        )

    def encode(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 50, 83) -> mean and logarithm of the variance, (N, Z)."""
        mean, log_variance = self.encoder(windows).chunk(2, dim=-1)
        return mean, log_variance.clamp(-10, 10)

    def loss(self, speaker: Tensor, listener: Tensor) -> Tensor:
        """Mean L1 over the windows of a stretch, plus divergence."""
        windows = listener.unflatten(1, (-1, WINDOW)).flatten(0, 1)
        mean, log_variance = self.encode(windows)
        again = self.decoder(sampled(mean, log_variance))
        return functional.l1_loss(again, windows) + DIVERGENCE_WEIGHT * divergence(mean, log_variance)


class Denoiser(nn.Module):
    """A noisy latent, the speaker's window and the previous latent -> the latent without noise.

    Args:
        vae: the trained autoencoder; it is frozen.
        width: hidden width.
        latent: Z.
        best_of: of so many noisy copies of a window, only the nearest answer is trained (BeLFusion's k).
    """

    def __init__(self, vae: WindowVae, width: int, latent: int, best_of: int = 1) -> None:
        super().__init__()
        self.best_of = best_of
        self._encode = vae.encode
        self.speaker = WindowReader(HEARD_CHANNELS, width, width)
        self.first = nn.Parameter(torch.randn(latent) * 0.02)
        self.join = nn.Linear(width + 2 * latent + 1, width)
        self.layers = nn.Sequential(*(ResidualLayer(width) for _ in range(LAYERS)))
        self.out = nn.Linear(width, latent)

    def forward(self, noisy: Tensor, kept: Tensor, context: Tensor, before: Tensor) -> Tensor:
        """(N, Z), (N, 1), (N, D) and (N, Z) -> (N, Z)."""
        joined = self.join(torch.cat([noisy, kept, context, before], dim=-1))
        clean: Tensor = self.out(self.layers(joined))
        return clean

    def loss(self, speaker: Tensor, listener: Tensor) -> Tensor:
        """Squared error of the latent of the second window of each stretch."""
        with torch.no_grad():
            before = self._encode(listener[:, :WINDOW])[0]
            clean = self._encode(listener[:, WINDOW : 2 * WINDOW])[0]
        before = torch.where(torch.rand(len(before), 1) < FIRST_SHARE, self.first, before)
        kept = kept_share(torch.randint(1, NOISE_STEPS + 1, (len(clean), 1)))
        context = self.speaker(speaker[:, WINDOW : 2 * WINDOW])
        errors = [
            (self(self._noisy(clean, kept), kept, context, before) - clean).square().mean(dim=-1)
            for _ in range(self.best_of)
        ]
        return torch.stack(errors).amin(dim=0).mean()

    def _noisy(self, clean: Tensor, kept: Tensor) -> Tensor:
        return kept.sqrt() * clean + (1 - kept).sqrt() * torch.randn_like(clean)

    def sample(self, noise: Tensor, context: Tensor, before: Tensor) -> Tensor:
        """Remove the noise in a few steps of DDIM without new noise: (N, Z) -> (N, Z)."""
        steps = torch.linspace(NOISE_STEPS, 0, SAMPLING_STEPS + 1)
        latent = noise
        for now, then in pairwise(steps):
            kept, later = kept_share(now), kept_share(then)
            clean = self(latent, kept.expand(len(latent), 1), context, before)
            direction = (latent - kept.sqrt() * clean) / (1 - kept).sqrt()
            latent = later.sqrt() * clean + (1 - later).sqrt() * direction
        return latent


class LatentDiffusion:
    """A trained pair of networks, with the scales of its training stretches."""

    def __init__(self, vae: WindowVae, denoiser: Denoiser, stretches: Stretches) -> None:
        self._vae, self._denoiser = vae.eval(), denoiser.eval()
        self._heard, self._shown = stretches.heard, stretches.shown
        self.losses: tuple[list[float], list[float]] = ([], [])

    @classmethod
    def trained(
        cls, train: ListeningPack, training: BaselineTraining, seed: int, *, best_of: int = 1
    ) -> Self:
        """Train the autoencoder, then the denoiser.

        Raises:
            InputError: no conversation is long enough, or a training diverged.
        """
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        stretches = Stretches(train, training.frames)
        vae = WindowVae(training.width, training.latent)
        first = fit_network("latent diffusion: autoencoder", vae, vae.loss, stretches, training, rng)
        pairs = training.model_copy(update={"frames": 2 * WINDOW, "batch_size": 4 * training.batch_size})
        denoiser = Denoiser(vae, training.width, training.latent, best_of)
        short = Stretches(train, pairs.frames)
        short.heard, short.shown = stretches.heard, stretches.shown
        second = fit_network("latent diffusion: denoiser", denoiser, denoiser.loss, short, pairs, rng)
        baseline = cls(vae, denoiser, stretches)
        baseline.losses = (first, second)
        return baseline

    def reactions(self, items: Sequence[PersonClip], samples: int, seed: int) -> FloatArray:
        """See :class:`~visavis_train.listener.baselines.method.Method`."""

        @torch.no_grad()
        def react(item: PersonClip, rng: np.random.Generator) -> FloatArray:
            rows = self._heard.into(speaker_input(item))
            full = torch.from_numpy(np.pad(rows, ((0, -len(rows) % WINDOW), (0, 0)), "edge"))
            before = self._denoiser.first.expand(samples, -1)
            windows = []
            for context in self._denoiser.speaker(full.unflatten(0, (-1, WINDOW))):
                noise = torch.from_numpy(rng.standard_normal(before.shape, np.float32))
                before = self._denoiser.sample(noise, context.expand(samples, -1), before)
                windows.append(self._vae.decoder(before))
            return self._shown.back(torch.cat(windows, dim=1)[:, : len(item)].numpy())

        return each_item(items, react, seed)
