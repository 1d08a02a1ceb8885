"""The trainer of tokenizers.

Two phases (Dam et al. 2024, section II-B): first encoder, quantiser and face decoder by the 13 group losses,
then only the expression decoder, on tokens that no longer change. The authors' code trains it in both phases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from visavis.errors import InputError
from visavis_train.data.track_pack import Clip, Sampler, face_scale, tracked
from visavis_train.loop.rounds import descend, set_learning_rate, warm_cosine
from visavis_train.tokenizer.config import TokenizerExperiment
from visavis_train.tokenizer.face_groups import group_means
from visavis_train.tokenizer.measure import fidelity
from visavis_train.tokenizer.network import Coded, TokenizerNet


class TokenizerTrainer:
    """The state of one run: network, optimiser, and the clips ``training`` and ``validation``.

    Raises:
        InputError: a source of ``training.shares`` has no clip, a channel is never known, or no clip of the
            validation has a whole face.
    """

    def __init__(self, experiment: TokenizerExperiment, parts: Mapping[str, Sequence[Clip]]) -> None:
        torch.manual_seed(experiment.seed)
        self.experiment, self.how = experiment, experiment.training
        clips, shares = parts["training"], self.how.shares
        self.sampler = Sampler(clips, shares, experiment.model.coder.window)
        self.net = TokenizerNet(experiment.model, *face_scale(clips, shares))
        self.validation = tracked(parts["validation"])
        if not self.validation:
            raise InputError(
                "split.validation names no clip with all channels of a face; add a tracked video"
            )
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), self.how.learning_rate, weight_decay=self.how.weight_decay
        )

    @property
    def rounds(self) -> int:
        """Number of rounds of both phases."""
        return self.how.face_rounds + self.how.expression_rounds

    def run_round(self, number: int) -> dict[str, Any]:
        """Train the round of a number, from 0; returns its mean loss and the validation error."""
        on_face = number < self.how.face_rounds
        self._take_up(on_face)
        rng = np.random.default_rng((self.experiment.seed, number, 1))
        first, rounds = (
            (number, self.how.face_rounds)
            if on_face
            else (number - self.how.face_rounds, self.how.expression_rounds)
        )
        total, steps = 0.0, self.how.round_steps
        for step in range(first * steps, (first + 1) * steps):
            share = warm_cosine(step, rounds * steps, self.how.warm_steps)
            set_learning_rate(self.optimizer, self.how.learning_rate * share)
            total += self._step(on_face, rng, number) / steps
        result = fidelity(self.net, self.validation)
        row: dict[str, Any] = {"phase": "face" if on_face else "expression", "loss": round(total, 5)}
        return row | {"validation_unexplained": round(result.unexplained, 5)}

    def _take_up(self, on_face: bool) -> None:
        """Unfreeze this phase's part of the network, and freeze all other parts."""
        self.net.train(on_face)
        self.net.requires_grad_(on_face)
        self.net.expression.requires_grad_(not on_face)

    def _step(self, on_face: bool, rng: np.random.Generator, number: int) -> float:
        faces, expressions = (torch.from_numpy(part) for part in self.sampler.draw(self.how.batch_size, rng))
        loss = self._face_loss(faces) if on_face else self._expression_loss(faces, expressions)
        return descend(loss, self.net, self.optimizer, self.how.clip_grad_norm, number)

    def _face_loss(self, windows: Tensor) -> Tensor:
        """Sum of the 13 groups' mean errors (Eq. 4), standardised, and the quantiser's own loss.

        One group counts 13 times, so that the sum has the same size.
        """
        now = windows[:, -1]
        coded: Coded = self.net(windows)
        errors = (coded.face - self.net.standardize(now)).abs()
        errors = errors + self.how.squared * errors.square()
        return group_means(errors, now.isfinite(), one=not self.how.groups).sum() + coded.loss

    def _expression_loss(self, windows: Tensor, expressions: Tensor) -> Tensor:
        """Mean absolute error of the known numbers of the expression (Eq. 5)."""
        with torch.no_grad():
            codes = self.net.quantizer.codes(self.net.tokens(windows))
        known = expressions.isfinite()
        errors = (self.net.expression(codes) - expressions.nan_to_num(0.0)).abs()
        return torch.where(known, errors, 0.0).sum() / known.sum().clamp(min=1)
