"""The listener's network: a distribution over its next tokens, from the speaker and from its own past.

After Dam et al. 2024, section II-C, but online: in every layer, position t sees the speaker up to the first
frame of t, and itself before t. This holds for a whole clip and for single frames.
"""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from visavis.reaction.predictor import UNKNOWN
from visavis_train.listener.causal_attention import (
    AttentionMemory,
    AttentionWindow,
    CausalAttention,
    GatedCrossLayer,
    Past,
    Sight,
)
from visavis_train.listener.digits import DigitHead, TokenEmbedding
from visavis_train.loop.experiment import Settings


class ListenerSize(Settings):
    """How large the network is.

    Attributes:
        width: channels of all streams (D in the paper).
        heads: attention heads.
        layers: layers of each stream, or of each stack.
        mlp_ratio: hidden width of an MLP over ``width``.
        context: earlier positions that a position sees, in each layer.
        gate: initial value of the gates to the other streams: 0 is closed, as in FIBER, whose streams were
            trained before; 1 is open. ``"none"`` leaves the gates out, for comparisons.
        form: ``joined``: three streams see one another in every layer. ``stacks``: the six stacks of the
            third paper (Fig. 2 and its code): sound, face, both crossed; speaker, listener, both crossed. In
            a crossed stack, only the first layer sees the other stream.
        patch: frames per position. More frames make the network cheaper and its reactions later.
        dropout: share of each branch's output dropped in training.
    """

    width: int = Field(default=128, ge=8)
    heads: int = Field(default=4, ge=1)
    layers: int = Field(default=3, ge=1)
    mlp_ratio: float = Field(default=2.0, gt=0)
    context: int = Field(default=125, ge=1)
    gate: Annotated[float, Field(ge=0, le=1)] | Literal["none"] = 0.0
    form: Literal["joined", "stacks"] = "joined"
    patch: int = Field(default=1, ge=1, le=32)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        return self


class ListenerConfig(ListenerSize):
    """The configuration of the network: its size, inputs and outputs.

    Attributes:
        levels: levels of a token's digits, least significant first; the vocabulary is their product.
        sound_channels: channels of a frame of sound; 0 for none.
        controls: size of the style; 0 for none.
    """

    levels: tuple[int, ...] = Field(min_length=1)
    sound_channels: int = Field(default=0, ge=0)
    controls: int = Field(default=0, ge=0)


class HeardTensors(NamedTuple):
    """Inputs of a listener at T positions of P frames each; of M speakers with K listeners each, if streamed.

    Attributes:
        speaker: (N, T, P) or (M, T, P) int64 tokens of the speaker; -1 where unknown.
        own: (N, T, P) or (M, K, T, P) int64 tokens of the listener at the previous position; -1 before the
            first.
        sound: (N, T, P, S) or (M, T, P, S) float, NaN where there is none.
        controls: (N, T, C) or (M, K, T, C) float, NaN where the style is free.
    """

    speaker: Tensor
    own: Tensor
    sound: Tensor
    controls: Tensor


class NumberEmbedding(nn.Module):
    """(..., S) numbers -> (..., D); rows with a NaN get a separate vector."""

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
    """Streams of the speaker's face and sound and of the listener's face."""

    def __init__(self, config: ListenerConfig) -> None:
        super().__init__()
        self.config = config
        width, joined = config.width, config.patch * config.width
        self.view = AttentionWindow(config.context)
        self.speaker = TokenEmbedding(config.levels, width)
        self.own = TokenEmbedding(config.levels, width)
        self.join_speaker, self.join_own = nn.Linear(joined, width), nn.Linear(joined, width)
        stacks = config.form == "stacks"
        heard = width if config.sound_channels else 0
        self.sound: NumberEmbedding | None = None
        if config.sound_channels:
            self.sound = NumberEmbedding(config.sound_channels, width)
            self.join_sound = nn.Linear(joined, width)
            self.sound_layers = self._layers(0 if stacks else width)
        self.controls = NumberEmbedding(config.controls, width) if config.controls else None
        self.speaker_layers = self._layers(0 if stacks else heard)
        self.own_layers = self._layers(0 if stacks else width + heard)
        if stacks:
            self.face_layers = self._layers(0)
            self.heard_layers = self._layers(heard) if heard else None
            self.answer_layers = self._layers(width)
        self.norm = nn.LayerNorm(width)
        self.frames = nn.Parameter(torch.randn(config.patch, width) * 0.02)
        self.head = DigitHead(config.levels, width)

    def _layers(self, source: int) -> nn.ModuleList:
        c = self.config
        gate = None if c.gate == "none" else c.gate
        return nn.ModuleList(
            GatedCrossLayer(c.width, c.heads, source, c.mlp_ratio, c.dropout, gate) for _ in range(c.layers)
        )

    @property
    def attentions(self) -> tuple[int, int]:
        """Number of attentions that keep a past of the speaker, and of the listener."""
        total = sum(isinstance(module, CausalAttention) for module in self.modules())
        # A listener looks at itself; in crossed stacks also where the published block forgets the speaker.
        own = self.config.layers if self.config.form == "joined" else 3 * self.config.layers - 1
        return total - own, own

    def forward(
        self, heard: HeardTensors, ages: Tensor | None = None, past: tuple[Past, Past] | None = None
    ) -> tuple[Tensor, AttentionMemory]:
        """Hidden states of T positions.

        Args:
            heard: the inputs at these positions.
            ages: (W,) ages of the past, see
                :class:`~visavis_train.listener.causal_attention.AttentionWindow`.
            past: the past before these positions, of the speakers and of their listeners.

        Returns:
            (N, T, P, D) or (M, K, T, P, D), and the additions to the past.
        """
        memory = AttentionMemory(past)
        sight = self.view.whole() if ages is None else self.view.stepwise(heard.own.shape[-2], ages)
        face = self.join_speaker(self.speaker(heard.speaker).flatten(2))
        x = self.join_own(self.own(heard.own).flatten(-2))
        if self.controls is not None:
            x = x + self.controls(heard.controls)
        sound = self.join_sound(self.sound(heard.sound).flatten(2)) if self.sound is not None else None
        answer = self._joined if self.config.form == "joined" else self._stacks
        x = answer(face, sound, x, sight, memory)
        return self.norm(x)[..., None, :] + self.frames, memory

    def _joined(
        self, face: Tensor, sound: Tensor | None, x: Tensor, sight: Sight, memory: AttentionMemory
    ) -> Tensor:
        for layer in range(self.config.layers):
            if sound is None:
                face = self.speaker_layers[layer](face, None, sight, memory)
                speaker = face
            else:
                face_before = face
                face = self.speaker_layers[layer](face, sound, sight, memory)
                sound = self.sound_layers[layer](sound, face_before, sight, memory)
                speaker = torch.cat([face, sound], dim=-1)
            x = self.own_layers[layer](x, speaker, sight, memory)
        return x

    def _stacks(
        self, face: Tensor, sound: Tensor | None, x: Tensor, sight: Sight, memory: AttentionMemory
    ) -> Tensor:
        def through(layers: nn.ModuleList, x: Tensor, source: Tensor | None = None) -> Tensor:
            for layer in layers:
                x = layer(x, source, sight, memory)
                source = None if source is None else x  # The published block returns (x, x).
            return x

        speaker = through(self.face_layers, face)
        if sound is not None and self.heard_layers is not None:
            speaker = through(self.heard_layers, speaker, through(self.sound_layers, sound))
        speaker = through(self.speaker_layers, speaker)
        return through(self.answer_layers, through(self.own_layers, x), speaker)

    def loss(self, heard: HeardTensors, tokens: Tensor) -> Tensor:
        """Nats of each frame: tokens (N, T, P), -1 where unknown -> (N, T, P), NaN there."""
        hidden, _ = self(heard)
        nats = self.head(hidden, tokens.clamp(min=0))
        return torch.where(tokens < 0, torch.nan, nats)


class ListenerGraph(nn.Module):
    """The runtime's network: T positions and the past -> hidden states, additions to the past, the head."""

    def __init__(self, net: ListenerNet) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        speaker: Tensor,
        own: Tensor,
        sound: Tensor,
        controls: Tensor,
        ages: Tensor,
        *past: Tensor,
    ) -> tuple[Tensor, ...]:
        """Arguments as in :class:`HeardTensors` and :meth:`ListenerNet.forward`; ``past``: keys and values of
        the speakers' attentions, then of their listeners'.

        Returns:
            (M, K, T, P, D), the T positions' keys and values of each kind, and the head's weights, which do
            not depend on the inputs.
        """
        heard, (speakers, listeners) = HeardTensors(speaker, own, sound, controls), self.net.attentions
        parts = iter(past)
        pasts = [Past(*(tuple(islice(parts, count)) for _ in range(2))) for count in (speakers, listeners)]
        hidden, memory = self.net(heard, ages, (pasts[0], pasts[1]))
        return hidden, *memory.now(), self.net.head.weights()


def into_patches(frames: Tensor, patch: int, *, ahead: int = 0) -> Tensor:
    """(N, F, ...) frames -> (N, F / P, P, ...), with ``ahead`` unknown frames before the first one.

    A position is predicted when its first frame is due. So the speaker has ``patch - 1`` frames ahead,
    and the listener's past has ``patch``: position t then contains nothing later than that frame.

    Args:
        frames: tokens, with :data:`UNKNOWN` for unknown ones, or numbers, with NaN.
        patch: P; F must be a multiple of it.
        ahead: delay in frames; the same number of frames at the end is left out.
    """
    late = frames
    if ahead:
        fill = torch.nan if frames.is_floating_point() else UNKNOWN
        start = frames.new_full((frames.shape[0], ahead, *frames.shape[2:]), fill)
        late = torch.cat([start, frames[:, : frames.shape[1] - ahead]], dim=1)
    patches: Tensor = late.unflatten(1, (-1, patch))
    return patches
