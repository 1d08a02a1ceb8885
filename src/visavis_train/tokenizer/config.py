"""Settings of a tokenizer experiment, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from visavis_train.loop.experiment import RunFolder, Seed, Settings
from visavis_train.tokenizer.network import TokenizerConfig


class HeldOutClips(Settings):
    """Clips that training never sees, by patterns of their names such as `lp_d9` or `grid_p*`.

    Attributes:
        validation: clips for choosing settings.
        test: clips for the reported figures.
    """

    validation: tuple[str, ...] = Field(min_length=1)
    test: tuple[str, ...] = Field(min_length=1)


class TokenizerTraining(Settings):
    """How the network is trained: the face first, then the expression decoder alone on frozen tokens.

    Attributes:
        face_rounds: rounds of the first phase.
        expression_rounds: rounds of the second phase.
        round_steps: steps of a round, between two checkpoints.
        batch_size: frames per step.
        learning_rate: peak of the learning rate in either phase; it rises linearly and falls by half a cosine
            to 1%.
        warm_steps: steps of the linear rise.
        weight_decay: weight decay of AdamW.
        clip_grad_norm: norm to which gradients are clipped.
        groups: whether the 13 groups of a face's numbers count the same (Dam et al. 2024, Eq. 4); else all
            numbers are one group.
        squared: weight of the squared error, added to the absolute error. With the absolute error alone (0),
            a token of many faces is decoded to their median, and rare movements are lost.
        shares: share of each source of the pack in a batch, in any unit; sources that are not named are left
            out.
    """

    face_rounds: int = Field(default=12, ge=1)
    expression_rounds: int = Field(default=3, ge=1)
    round_steps: int = Field(default=500, ge=1)
    batch_size: int = Field(default=256, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    warm_steps: int = Field(default=200, ge=1)
    weight_decay: float = Field(default=0.01, ge=0)
    clip_grad_norm: float = Field(default=1.0, gt=0)
    groups: bool = True
    squared: float = Field(default=0.0, ge=0)
    shares: dict[str, Annotated[float, Field(gt=0)]] = Field(min_length=1)


class TokenizerExperiment(Settings):
    """One run of the tokenizer task.

    Attributes:
        task: which task the file is for.
        name: name of the run, for its report.
        data: the pack made by ``visavis lab tracks``, relative to the working folder.
        out: the run folder, relative to the working folder.
        seed: seed of all randomness.
        threads: processor threads.
        one_rest: whether everybody is moved to one face at rest, the mean over the training's people, so that
            tokens describe movement and not identity.
        split: the table `[split]`.
        training: the table `[training]`.
    """

    task: Literal["tokenizer"] = "tokenizer"
    name: str
    data: Path
    out: RunFolder
    seed: Seed = 0
    threads: int = Field(default=1, ge=1)
    one_rest: bool = False
    split: HeldOutClips
    model: TokenizerConfig = TokenizerConfig()
    training: TokenizerTraining
