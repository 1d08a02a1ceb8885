"""Embeddings and probabilities of tokens, digit by digit.

A token is read as its digits: the levels of FSQ's dimensions, or of quantised signals. Digits are embedded
and predicted one by one, so tokens that share digits also share what is learned about these digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional


class Digits(nn.Module):
    """The digits of a token, least significant first, as in FSQ.

    Args:
        levels: number of values of each digit; a vocabulary that is not a product is one digit.
    """

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.vocabulary = prod(levels)
        self.register_buffer("levels_of", torch.tensor(self.levels), persistent=False)
        places = [prod(self.levels[:place]) for place in range(len(self.levels))]
        self.register_buffer("place_values", torch.tensor(places), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(...) int64 tokens, 0 or more -> (..., K) digits."""
        return (tokens[..., None] // self.get_buffer("place_values")) % self.get_buffer("levels_of")


class TokenEmbedding(nn.Module):
    """(...) tokens -> (..., D): the sum over the digits, or a separate vector for :data:`UNKNOWN`."""

    def __init__(self, levels: Sequence[int], width: int) -> None:
        super().__init__()
        self.digits = Digits(levels)
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in levels)
        self.unknown = nn.Parameter(torch.randn(width) * 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """(...) int64 -> (..., D)."""
        parts = self.digits(tokens.clamp(min=0)).unbind(-1)
        known = sum(table(part) for table, part in zip(self.tables, parts, strict=True))
        return torch.where((tokens < 0)[..., None], self.unknown, known)


class DigitHead(nn.Module):
    """A hidden state -> a distribution over tokens, as a chain over the digits.

    Each digit is predicted from the state and the previous digits (Larochelle and Murray 2011, NADE). The
    program draws from it with :class:`visavis.reaction.head.TokenHead`.
    """

    def __init__(self, levels: Sequence[int], width: int) -> None:
        super().__init__()
        self.digits = Digits(levels)
        self.given = nn.ParameterList(torch.randn(size, width) for size in levels[:-1])
        self.out = nn.ModuleList(nn.Linear(width, size) for size in levels)

    def forward(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """Negative log-likelihood in nats: hidden (..., D) and known tokens (...) -> (...)."""
        parts = self.digits(tokens).unbind(-1)
        total = hidden.new_zeros(tokens.shape)
        for place, (out, digit) in enumerate(zip(self.out, parts, strict=True)):
            chances = functional.log_softmax(out(functional.gelu(hidden, approximate="tanh")), dim=-1)
            total = total - chances.gather(-1, digit[..., None])[..., 0]
            if place < len(self.given):
                hidden = hidden + functional.embedding(digit, self.given[place])
        return total

    @torch.no_grad()
    def draw(self, hidden: Tensor) -> Tensor:
        """Draw tokens as predicted: hidden (..., D) -> (...) int64."""
        token = torch.zeros(hidden.shape[:-1], dtype=torch.int64)
        for place, (out, worth) in enumerate(
            zip(self.out, self.digits.get_buffer("place_values"), strict=True)
        ):
            chances = functional.softmax(out(functional.gelu(hidden, approximate="tanh")), dim=-1)
            digit = torch.multinomial(chances.flatten(0, -2), 1).view(token.shape)
            token = token + digit * worth
            if place < len(self.given):
                hidden = hidden + functional.embedding(digit, self.given[place])
        return token

    def weights(self) -> Tensor:
        """All weights as one vector, as the program's head takes them."""
        layers = [part.flatten() for out in self.out for part in out.parameters()]
        return torch.cat([*layers, *(given.flatten() for given in self.given)])
