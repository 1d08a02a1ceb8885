"""The voice network: convolutions over time on the runtime's speech features, pooled by attention."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from visavis.expression.voice import VOICE_LABELS
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis_train.loop.experiment import Settings

HEADS = 4
_LEAST_VARIANCE = 1e-4
_NOT_THERE = -1e4


class VoiceSize(Settings):
    """The table `[model]`.

    Attributes:
        width: channels.
        layers: convolutions after the first one; layer i looks 2 ** i rows far.
        dropout: share of channels that training leaves out.
    """

    width: int = Field(default=64, ge=8)
    layers: int = Field(default=3, ge=1, le=6)
    dropout: float = Field(default=0.3, ge=0, lt=1)


class VoiceNet(nn.Module):
    """Speech features to logits of :data:`~visavis.expression.voice.VOICE_LABELS`.

    Each of four attention heads gives the mean and the standard deviation over time that it attends to
    (attentive statistics pooling: Okabe, Koshinaka and Shinoda 2018, arXiv:1803.10963).
    """

    def __init__(self, size: VoiceSize) -> None:
        super().__init__()
        width = size.width
        self.first = nn.Conv1d(len(SPEECH_CHANNELS), width, 5, padding=2)
        self.layers = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=2**i, dilation=2**i) for i in range(size.layers)
        )
        self.attention = nn.Conv1d(width, HEADS, 1)
        self.dropout = nn.Dropout(size.dropout)
        self.last = nn.Linear(2 * HEADS * width, len(VOICE_LABELS))

    def forward(self, rows: Tensor, there: Tensor | None = None) -> Tensor:
        """(B, T, 44) rows -> (B, 7) logits; ``there`` (B, T) is 1 where a clip has a row, else 0."""
        mask = torch.ones_like(rows[:, None, :, 0]) if there is None else there[:, None]
        hidden = functional.gelu(self.first(rows.transpose(1, 2))) * mask
        for layer in self.layers:
            hidden = (hidden + self.dropout(functional.gelu(layer(hidden)))) * mask
        weights = (self.attention(hidden) + _NOT_THERE * (1 - mask)).softmax(-1)
        mean = weights @ hidden.transpose(1, 2)
        square = weights @ hidden.square().transpose(1, 2)
        spread = (square - mean.square()).clamp(min=_LEAST_VARIANCE).sqrt()
        logits: Tensor = self.last(self.dropout(torch.cat([mean, spread], 1).flatten(1)))
        return logits


class VoiceExport(nn.Module):
    """Rows to probabilities, softened by a temperature."""

    def __init__(self, net: VoiceNet, temperature: float) -> None:
        super().__init__()
        self.net, self.temperature = net, temperature

    def forward(self, rows: Tensor) -> Tensor:
        """(B, T, 44) -> (B, 7) probabilities."""
        logits: Tensor = self.net(rows)
        return (logits / self.temperature).softmax(-1)
