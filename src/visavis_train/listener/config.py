"""Settings of a listener experiment, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from visavis.reaction.listener import DEFAULT_SAMPLING
from visavis.reaction.sampling import Sampling
from visavis_train.listener.network import ListenerSize
from visavis_train.listener.trainer import ListenerTraining
from visavis_train.loop.experiment import Settings


class Drawing(Settings):
    """Settings for drawing tokens in measurements; the default is the program's.

    Attributes:
        temperature: 1 draws as predicted, lower ones more of what is likely, 0 the likeliest.
        top_k: only the k likeliest values of each digit.
        top_p: only the likeliest values of each digit that together reach this probability.
        guidance: how much of what the partner changes is taken: 1 as predicted, more goes beyond.
    """

    temperature: float = Field(default=DEFAULT_SAMPLING.temperature, ge=0)
    top_k: int | None = Field(default=DEFAULT_SAMPLING.top_k, ge=1)
    top_p: float = Field(default=DEFAULT_SAMPLING.top_p, gt=0, le=1)

    guidance: float = Field(default=DEFAULT_SAMPLING.guidance, ge=0)

    @property
    def guided(self) -> bool:
        """Whether the network also runs without a speaker."""
        return self.sampling.guided

    @property
    def sampling(self) -> Sampling:
        """The settings for the runtime."""
        return Sampling(self.temperature, self.top_k, self.top_p, self.guidance)


class ListenerExperiment(Settings):
    """One run of the listener task.

    Attributes:
        task: which task the file is for.
        name: of the run, for its report.
        data: the folder of packs that `visavis lab conversations` made, from the working folder.
        tokenizer: the run folder of the face tokenizer; that of the package's listener if it is left out.
        out: the run folder, from the working folder.
        seed: of all randomness.
        threads: processor threads.
        steady: by how much another token must be nearer to the face, in standard deviations, for the
            listener's own to change; left out, every frame has its own token.
        speech: whether the listener hears the speaker.
        temperament: whether it is told its temperament, where the data know it.
    """

    task: Literal["listener"] = "listener"
    name: str
    data: Path
    tokenizer: Path | None = None
    out: Path
    seed: int = Field(default=0, ge=0)
    threads: int = Field(default=1, ge=1)
    steady: float | None = Field(default=None, ge=0)
    speech: bool = True
    temperament: bool = True
    model: ListenerSize = ListenerSize()
    training: ListenerTraining = ListenerTraining()
    sampling: Drawing = Drawing()
