"""The listener's network: a distribution over its next tokens, from the speaker and from its own past.

After Dam et al. 2024, section II-C, but online: in every layer, position t sees the speaker up to the first
frame of t, and itself before t. This holds for a whole clip and for single frames.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from visavis_train.listener.causal_attention import GatedCrossLayer, Memory, Past, View
from visavis_train.listener.digits import UNKNOWN, TokenEmbedding, TokenHead
from visavis_train.loop.experiment import Settings


class ListenerSize(Settings):
    """How large the network is.

    Attributes:
        width: D of all streams.
        heads: attention heads.
        layers: of each stream.
        mlp_ratio: hidden width of an MLP over ``width``.
        context: positions that a position sees before itself, in each layer.
        gate: where the gates to the other streams start: 0 is closed, as in FIBER, whose streams were
            trained before; 1 is open.
        patch: frames of a position. More make it cheaper and slower to react.
        dropout: share of each branch's output dropped in training.
    """

    width: int = Field(default=128, ge=8)
    heads: int = Field(default=4, ge=1)
    layers: int = Field(default=3, ge=1)
    mlp_ratio: float = Field(default=2.0, gt=0)
    context: int = Field(default=125, ge=1)
    gate: float = Field(default=0.0, ge=0, le=1)
    patch: int = Field(default=1, ge=1, le=32)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        return self


class ListenerConfig(ListenerSize):
    """The network: its size, and what it hears and says.

    Attributes:
        levels: of a token's digits, least significant first; the vocabulary is their product.
        sound_channels: of a frame of sound; 0 for none.
        controls: numbers of the temperament; 0 for none.
    """

    levels: tuple[int, ...] = Field(min_length=1)
    sound_channels: int = Field(default=0, ge=0)
    controls: int = Field(default=0, ge=0)


class Heard(NamedTuple):
    """What a listener has of T positions of P frames each.

    Attributes:
        partner: (N, T, P) int64 tokens; -1 where none is known.
        own: (N, T, P) int64: one's own tokens of the position before; -1 before the first.
        sound: (N, T, P, S) float, NaN where there is none.
        controls: (N, T, C) float, NaN where the temperament is free.
    """

    partner: Tensor
    own: Tensor
    sound: Tensor
    controls: Tensor


class NumberEmbedding(nn.Module):
    """(..., S) numbers -> (..., D); rows with a NaN become a vector of their own.

    Args:
        channels: S.
        width: D.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.read = nn.Linear(channels, width)
        self.unknown = nn.Parameter(torch.randn(width) * 0.02)

    def forward(self, numbers: Tensor) -> Tensor:
        """(..., S) -> (..., D)."""
        missing = numbers.isnan().any(dim=-1, keepdim=True)
        clean = torch.where(numbers.isnan(), 0.0, numbers)
        return torch.where(missing, self.unknown, self.read(clean))


class ListenerNet(nn.Module):
    """Streams of the partner's face and sound and of one's own face, joined in every layer.

    Args:
        config: its sizes.
    """

    def __init__(self, config: ListenerConfig) -> None:
        super().__init__()
        self.config = config
        width, joined = config.width, config.patch * config.width
        self.view = View(config.context)
        self.partner = TokenEmbedding(config.levels, width)
        self.own = TokenEmbedding(config.levels, width)
        self.join_partner, self.join_own = nn.Linear(joined, width), nn.Linear(joined, width)
        heard = 1
        self.sound: NumberEmbedding | None = None
        if config.sound_channels:
            heard = 2
            self.sound = NumberEmbedding(config.sound_channels, width)
            self.join_sound = nn.Linear(joined, width)
            self.sound_layers = self._layers(width)
        self.controls = NumberEmbedding(config.controls, width) if config.controls else None
        self.partner_layers = self._layers(width * (heard - 1))
        self.own_layers = self._layers(width * heard)
        self.norm = nn.LayerNorm(width)
        self.frames = nn.Parameter(torch.randn(config.patch, width) * 0.02)
        self.head = TokenHead(config.levels, width)

    def _layers(self, source: int) -> nn.ModuleList:
        c = self.config
        return nn.ModuleList(
            GatedCrossLayer(c.width, c.heads, source, c.mlp_ratio, c.dropout, c.gate) for _ in range(c.layers)
        )

    @property
    def attentions(self) -> int:
        """How many attentions keep a past."""
        return self.config.layers * (6 if self.sound is not None else 3)

    def forward(
        self, heard: Heard, ages: Tensor | None = None, past: Past | None = None
    ) -> tuple[Tensor, Memory]:
        """Hidden states of T positions.

        Args:
            heard: of these positions.
            ages: (N, W) of the past, see :class:`~visavis_train.listener.causal_attention.View`.
            past: of the positions before.

        Returns:
            (N, T, P, D), and what these positions add to the past.
        """
        memory = Memory(past)
        sight = self.view.whole() if ages is None else self.view.stepwise(heard.own.shape[1], ages)
        face = self.join_partner(self.partner(heard.partner).flatten(2))
        x = self.join_own(self.own(heard.own).flatten(2))
        if self.controls is not None:
            x = x + self.controls(heard.controls)
        sound = self.join_sound(self.sound(heard.sound).flatten(2)) if self.sound is not None else None
        for layer in range(self.config.layers):
            if sound is None:
                face = self.partner_layers[layer](face, None, sight, memory)
                speaker = face
            else:
                face_before = face
                face = self.partner_layers[layer](face, sound, sight, memory)
                sound = self.sound_layers[layer](sound, face_before, sight, memory)
                speaker = torch.cat([face, sound], dim=-1)
            x = self.own_layers[layer](x, speaker, sight, memory)
        return self.norm(x)[:, :, None] + self.frames, memory

    def loss(self, heard: Heard, tokens: Tensor) -> Tensor:
        """Nats of each frame: tokens (N, T, P), -1 where unknown -> (N, T, P), NaN there."""
        hidden, _ = self(heard)
        nats = self.head(hidden, tokens.clamp(min=0))
        return torch.where(tokens < 0, torch.nan, nats)


class ListenerGraph(nn.Module):
    """What the runtime calls: T positions and the past -> hidden states, what the past gains, the head."""

    def __init__(self, net: ListenerNet) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        partner: Tensor,
        own: Tensor,
        sound: Tensor,
        controls: Tensor,
        ages: Tensor,
        past_keys: Tensor,
        past_values: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As :class:`Heard` and :meth:`ListenerNet.forward`.

        Returns:
            (N, T, P, D), the T positions' Past, and the head's weights, which no input changes.
        """
        heard = Heard(partner, own, sound, controls)
        hidden, memory = self.net(heard, ages, Past(past_keys, past_values))
        return hidden, *memory.now(), self.net.head.weights()


def into_patches(frames: Tensor, patch: int, *, ahead: int = 0) -> Tensor:
    """(N, F, ...) frames -> (N, F / P, P, ...), with ``ahead`` unknown frames put before the first.

    A position is predicted when its first frame is due. So the partner comes with ``patch - 1`` frames ahead,
    and one's own past with ``patch``: position t then holds nothing later than that frame.

    Args:
        frames: tokens, of which :data:`UNKNOWN` is unknown, or numbers, of which NaN is not.
        patch: P; F must be a multiple of it.
        ahead: frames by which they come late; as many at the end are left out.
    """
    late = frames
    if ahead:
        fill = torch.nan if frames.is_floating_point() else UNKNOWN
        start = frames.new_full((frames.shape[0], ahead, *frames.shape[2:]), fill)
        late = torch.cat([start, frames[:, : frames.shape[1] - ahead]], dim=1)
    patches: Tensor = late.unflatten(1, (-1, patch))
    return patches
