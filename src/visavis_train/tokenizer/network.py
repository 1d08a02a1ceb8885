"""The network of a face tokenizer, and its two graphs: faces to tokens, tokens to faces and expressions.

After Dam et al. 2024, section II-B: an encoder, a quantiser, a decoder for the face and one for the
expression. In contrast to theirs, every frame's token depends only on that frame, or on it and on earlier
frames.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from visavis.channels import ACTION_UNITS, BLENDSHAPES, EXPRESSION_CHANNELS, EXPRESSIONS
from visavis.types import FloatArray
from visavis_train.loop.experiment import Settings
from visavis_train.tokenizer.coders import CoderConfig, MlpConfig, build_decoder, build_encoder
from visavis_train.tokenizer.quantizers import FsqConfig, QuantizerConfig, build_quantizer

_EXPRESSION = len(EXPRESSION_CHANNELS)


class TokenizerConfig(Settings):
    """The network.

    Attributes:
        expression_width: channels of the expression decoder, an MLP.
    """

    quantizer: QuantizerConfig = FsqConfig()
    coder: CoderConfig = MlpConfig()
    expression_width: int = 128


class Coded(NamedTuple):
    """Outputs of the network for training.

    Attributes:
        face: (N, 58) decoded, standardised.
        tokens: (N, R).
        loss: () the quantiser's own loss.
    """

    face: Tensor
    tokens: Tensor
    loss: Tensor


class TokenizerNet(nn.Module):
    """A face tokenizer, with the scale of its inputs: mean (58,) and spread (58,) of the training faces."""

    def __init__(self, config: TokenizerConfig, mean: FloatArray, spread: FloatArray) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("spread", torch.tensor(spread))
        self.quantizer = build_quantizer(config.quantizer)
        self.encoder = build_encoder(config.coder, self.quantizer.width)
        self.decoder = build_decoder(self.quantizer.width, config.coder)
        self.expression = nn.Sequential(
            nn.Linear(self.quantizer.width, config.expression_width),
            nn.GELU(),
            nn.Linear(config.expression_width, config.expression_width),
            nn.GELU(),
            nn.Linear(config.expression_width, _EXPRESSION),
        )

    @property
    def window(self) -> int:
        """Number of frames that the encoder sees."""
        return self.config.coder.window

    def standardize(self, faces: Tensor) -> Tensor:
        """(..., 58) in natural units -> mean 0, spread 1; unknown numbers (NaN) become the mean."""
        return torch.nan_to_num((faces - self.get_buffer("mean")) / self.get_buffer("spread"), nan=0.0)

    def forward(self, windows: Tensor) -> Coded:
        """Encode, quantise and decode windows (N, W, 58) in natural units."""
        quantized = self.quantizer(self.encoder(self.standardize(windows)))
        return Coded(self.decoder(quantized.codes), quantized.tokens, quantized.loss)

    def tokens(self, windows: Tensor) -> Tensor:
        """(N, W, 58) in natural units -> (N, R) int64."""
        return self.quantizer.tokens(self.encoder(self.standardize(windows)))

    def faces(self, codes: Tensor) -> Tensor:
        """(N, D) codes -> (N, 58) in natural units, blendshape weights within 0..1."""
        faces = self.decoder(codes) * self.get_buffer("spread") + self.get_buffer("mean")
        weights, pose = faces[:, : len(BLENDSHAPES)], faces[:, len(BLENDSHAPES) :]
        return torch.cat([weights.clamp(0, 1), pose], dim=1)

    def expressions(self, codes: Tensor) -> Tensor:
        """(N, D) codes -> (N, 25) within their ranges; the 8 expressions sum to 1."""
        raw = self.expression(codes)
        units, rest = raw[:, : len(ACTION_UNITS)], raw[:, len(ACTION_UNITS) :]
        feeling, expressions = rest[:, : -len(EXPRESSIONS)], rest[:, -len(EXPRESSIONS) :].clamp(min=1e-6)
        shares = expressions / expressions.sum(dim=1, keepdim=True)
        return torch.cat([units.clamp(0, 1), feeling.clamp(-1, 1), shares], dim=1)


class EncoderGraph(nn.Module):
    """The runtime's encoder: windows (N, W, 58) in natural units -> tokens (N, R) int64."""

    def __init__(self, net: TokenizerNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, windows: Tensor) -> Tensor:
        """(N, W, 58) -> (N, R)."""
        # All numbers are known here: the runtime replaces unknown ones by the mean.
        scaled = (windows - self.net.get_buffer("mean")) / self.net.get_buffer("spread")
        return self.net.quantizer.tokens(self.net.encoder(scaled))


class DecoderGraph(nn.Module):
    """The runtime's decoder: tokens (N, R) int64 -> faces (N, 58) and expressions (N, 25)."""

    def __init__(self, net: TokenizerNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(N, R) -> (N, 58) and (N, 25)."""
        codes = self.net.quantizer.codes(tokens)
        return self.net.faces(codes), self.net.expressions(codes)
