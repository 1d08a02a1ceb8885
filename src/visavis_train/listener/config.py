"""Settings of a listener experiment, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from visavis.reaction.listener import DEFAULT_SAMPLING
from visavis.reaction.sampling import Sampling
from visavis_train.listener.network import ListenerSize
from visavis_train.listener.trainer import ListenerTraining
from visavis_train.loop.experiment import RunFolder, Seed, Settings

Speech = bool | Literal["mfcc"]


class SamplingSettings(Settings):
    """Settings for drawing tokens in measurements; the default is the program's.

    Attributes:
        temperature: 1 draws as predicted, lower values prefer likely tokens, 0 takes the likeliest.
        top_k: draw each digit only from its k likeliest values.
        top_p: draw each digit only from its likeliest values that together reach this probability.
        guidance: how strongly the speaker influences the draw: 1 as predicted, above 1 more than predicted.
    """

    temperature: float = Field(default=DEFAULT_SAMPLING.temperature, ge=0)
    top_k: int | None = Field(default=DEFAULT_SAMPLING.top_k, ge=1)
    top_p: float = Field(default=DEFAULT_SAMPLING.top_p, gt=0, le=1)
    guidance: float = Field(default=DEFAULT_SAMPLING.guidance, ge=0)

    @property
    def sampling(self) -> Sampling:
        """The settings for the runtime."""
        return Sampling(self.temperature, self.top_k, self.top_p, self.guidance)


class ListenerExperiment(Settings):
    """One run of the listener task.

    Attributes:
        task: which task the file is for.
        name: name of the run, for its report.
        data: the folder of packs made by ``visavis lab conversations``, relative to the working folder.
        tokenizer: the run folder of the face tokenizer; by default, the tokenizer of the package's listener.
        out: the run folder, relative to the working folder.
        seed: seed of all randomness.
        threads: processor threads.
        steady: how much nearer to the face another token must be, in standard deviations, before the
            listener's token changes; without it, every frame gets its nearest token.
        speech: whether the listener hears the speaker; ``"mfcc"`` is 13 cepstral coefficients in place of the
            44 features and the cues, for comparisons in bits: the program does not run such a listener.
        style: whether the listener gets its style, or its Big Five, if the data have them.
        ahead: frames of the speaker that the listener sees in advance: 0 is online; more is for the offline
            track of the challenges, and such a listener cannot run live.
    """

    task: Literal["listener"] = "listener"
    name: str
    data: Path
    tokenizer: Path | None = None
    out: RunFolder
    seed: Seed = 0
    threads: int = Field(default=1, ge=1)
    steady: float | None = Field(default=None, ge=0)
    speech: Speech = True
    style: bool = True
    ahead: int = Field(default=0, ge=0)
    model: ListenerSize = ListenerSize()
    training: ListenerTraining = ListenerTraining()
    sampling: SamplingSettings = SamplingSettings()
