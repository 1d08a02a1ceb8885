"""A transformer that draws reactions from a Gaussian latent.

A small network after Trans-VAE of the REACT challenges (Song et al. 2024, arXiv:2401.05166, and
``model/TransformerVAE.py`` of reactmultimodalchallenge/baseline_react2024). Same: a transformer encodes the
speaker, two learned positions read a Gaussian latent, and a transformer decoder turns a draw of the latent
into the reaction; the losses are L1, divergence and diversity. Differences: face weights and our speech
features instead of pictures and MFCC, five frames a position, sinusoidal positions, our own sizes and loss
weights. It sees the whole clip, with all later speech. Our listener never sees later speech.

:class:`OnlineTransVae` is for the online track: it sees the speaker and its own reaction before a window, and
reacts for the length of the window (16 frames in the official code, three positions here).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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

STRIDE = 5
HEADS, LAYERS, DROPOUT = 4, 2, 0.1
# Weights of the other losses relative to L1; our choice, so that none of them vanishes.
DIVERGENCE_WEIGHT, DIVERSITY_WEIGHT = 1e-3, 0.1
# Frames of an online reaction, and before it; whole positions.
WINDOW, CONTEXT = 3 * STRIDE, 20 * STRIDE


def places(count: int, width: int) -> Tensor:
    """(count, width) sinusoidal positions (Vaswani et al. 2017, section 3.5)."""
    angles = torch.arange(count)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(1e4) / width))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


class TransVaeNet(nn.Module):
    """(N, T, ``heard``) of a speaker -> (N, T, 83) of a listener, all standardised."""

    def __init__(self, width: int, latent: int, heard: int = HEARD_CHANNELS) -> None:
        super().__init__()
        self.width = width
        self.read = nn.Linear(STRIDE * heard, width)
        self.encoder = _encoder(width, LAYERS)
        self.moments = nn.Parameter(torch.randn(2, width) * 0.02)
        self.distribution = _encoder(width, 1)
        self.mean, self.log_variance = nn.Linear(width, latent), nn.Linear(width, latent)
        self.start = nn.Linear(latent, width)
        layer = nn.TransformerDecoderLayer(
            width, HEADS, 2 * width, DROPOUT, "gelu", batch_first=True, norm_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, LAYERS, nn.LayerNorm(width))
        self.write = nn.Linear(width, STRIDE * BEHAVIOR_CHANNELS)

    def encode(self, speaker: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, T, C) -> (N, T / 5, D), and mean and logarithm of the variance (N, Z) of the latent."""
        tokens = self.read(speaker.unflatten(1, (-1, STRIDE)).flatten(2))
        encoded = self.encoder(tokens + places(tokens.shape[1], self.width))
        asked = torch.cat([self.moments.expand(len(encoded), -1, -1), encoded], dim=1)
        moments = self.distribution(asked)
        return encoded, self.mean(moments[:, 0]), self.log_variance(moments[:, 1]).clamp(-10, 10)

    def decode(self, latent: Tensor, encoded: Tensor, count: int | None = None) -> Tensor:
        """(N, Z) and (N, T / 5, D) -> (N, T, 83), or ``count`` positions of five frames."""
        start = self.start(latent)[:, None]
        queries = start + places(encoded.shape[1] if count is None else count, self.width)
        hidden = self.decoder(queries, torch.cat([start, encoded], dim=1))
        reaction: Tensor = self.write(hidden).unflatten(2, (STRIDE, -1)).flatten(1, 2)
        return reaction

    def loss(self, speaker: Tensor, listener: Tensor) -> Tensor:
        """L1, divergence of the latent, and similarity of two draws (Yuan and Kitani 2020)."""
        count = listener.shape[1] // STRIDE
        encoded, mean, log_variance = self.encode(speaker)
        first, second = (self.decode(sampled(mean, log_variance), encoded, count) for _ in range(2))
        alike = (-((first - second) ** 2).mean(dim=(1, 2))).exp().mean()
        return (
            functional.l1_loss(first, listener)
            + DIVERGENCE_WEIGHT * divergence(mean, log_variance)
            + DIVERSITY_WEIGHT * alike
        )


def _encoder(width: int, layers: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        width, HEADS, 2 * width, DROPOUT, "gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)


class TransVae:
    """A trained Trans-VAE, with the scales of its training stretches."""

    def __init__(self, net: TransVaeNet, stretches: Stretches) -> None:
        self._net, self._heard, self._shown = net.eval(), stretches.heard, stretches.shown
        self.losses: list[float] = []

    @classmethod
    def trained(cls, train: ListeningPack, training: BaselineTraining, seed: int) -> Self:
        """Train a Trans-VAE.

        Raises:
            InputError: no conversation is long enough, or the training diverged.
        """
        torch.manual_seed(seed)
        stretches = Stretches(train, training.frames)
        net = TransVaeNet(training.width, training.latent)
        losses = fit_network("Trans-VAE", net, net.loss, stretches, training, np.random.default_rng(seed))
        baseline = cls(net, stretches)
        baseline.losses = losses
        return baseline

    def reactions(self, items: Sequence[PersonClip], samples: int, seed: int) -> FloatArray:
        """See :class:`~visavis_train.listener.baselines.method.Method`."""

        @torch.no_grad()
        def react(item: PersonClip, rng: np.random.Generator) -> FloatArray:
            rows = self._heard.into(speaker_input(item))
            full = np.pad(rows, ((0, -len(rows) % STRIDE), (0, 0)), "edge")
            encoded, mean, log_variance = self._net.encode(torch.from_numpy(full)[None])
            noise = torch.from_numpy(rng.standard_normal((samples, mean.shape[1]), np.float32))
            latents = mean + (0.5 * log_variance).exp() * noise
            made = self._net.decode(latents, encoded.expand(samples, -1, -1))
            return self._shown.back(made[:, : len(item)].numpy())

        return each_item(items, react, seed)


class OnlineTransVae(TransVae):
    """A trained Trans-VAE that reacts window by window, from what was before the window.

    Its network reads the speaker and its own reaction.
    """

    @classmethod
    def trained(cls, train: ListeningPack, training: BaselineTraining, seed: int) -> Self:
        """Train it on windows at random places.

        Raises:
            InputError: no conversation is long enough, or the training diverged.
        """
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        stretches = Stretches(train, training.frames)
        net = TransVaeNet(training.width, training.latent, HEARD_CHANNELS + BEHAVIOR_CHANNELS)

        def loss(speaker: Tensor, listener: Tensor) -> Tensor:
            start = int(rng.integers(training.frames - WINDOW + 1))
            return net.loss(_before(speaker, listener, start), listener[:, start : start + WINDOW])

        baseline = cls(net, stretches)
        baseline.losses = fit_network("online Trans-VAE", net, loss, stretches, training, rng)
        return baseline

    def reactions(self, items: Sequence[PersonClip], samples: int, seed: int) -> FloatArray:
        """See :class:`~visavis_train.listener.baselines.method.Method`."""

        @torch.no_grad()
        def react(item: PersonClip, rng: np.random.Generator) -> FloatArray:
            speaker = torch.from_numpy(self._heard.into(speaker_input(item))).expand(samples, -1, -1)
            shown = torch.zeros(samples, 0, BEHAVIOR_CHANNELS)
            while (start := shown.shape[1]) < len(item):
                encoded, mean, log_variance = self._net.encode(_before(speaker, shown, start))
                noise = torch.from_numpy(rng.standard_normal(mean.shape, np.float32))
                latent = mean + (0.5 * log_variance).exp() * noise
                window = self._net.decode(latent, encoded, WINDOW // STRIDE)
                shown = torch.cat([shown, window], dim=1)
            return self._shown.back(shown[:, : len(item)].numpy())

        return each_item(items, react, seed)


def _before(speaker: Tensor, listener: Tensor, start: int) -> Tensor:
    """(N, CONTEXT, 185) of both people before a frame; before the clip it is their mean, 0."""
    both = torch.cat([speaker[:, :start], listener[:, :start]], dim=-1)[:, -CONTEXT:]
    return functional.pad(both, (0, 0, CONTEXT - both.shape[1], 0))
