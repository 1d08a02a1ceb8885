"""The training task of the voice network.

``visavis train experiments/voice.toml [--set seed=2] [--install]``

Actors are held out: 16 train, four choose (validation), four are reported once (test). The run folder
receives ``voice.onnx`` and ``report.json``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from visavis.base.console import print_note
from visavis.base.files import write_json
from visavis.evaluate.voices import WitnessScores
from visavis.expression.voice import NAME, VOICE_LABELS
from visavis.metrics.expression import Float64Array, fit_temperature, with_temperature
from visavis.reaction.speech import FRAME_RATE_HZ, SPEECH_CHANNELS
from visavis.types import FloatArray
from visavis_train.loop.command import Command, Task
from visavis_train.loop.ema import running_average
from visavis_train.loop.experiment import RunFolder, Seed, Settings
from visavis_train.loop.rounds import descend, run_rounds, set_learning_rate, warm_cosine
from visavis_train.onnx.export import export_onnx, install
from visavis_train.voice.data import SpokenClip, Variation, padded, read_spoken, varied
from visavis_train.voice.network import VoiceExport, VoiceNet, VoiceSize

LICENCE = "CC BY-NC-SA 4.0, as RAVDESS; non-commercial"
TRAINING_DATA = "RAVDESS speech, 16 of 24 actors (Livingstone and Russo 2018; CC BY-NC-SA 4.0)"
FILE, REPORT = f"{NAME}.onnx", "report.json"


class VoiceTraining(Settings):
    """The table `[training]`.

    Attributes:
        epochs: passes over the clips.
        batch: clips of a step.
        learning_rate: highest, of AdamW; it rises over ``warm_steps`` and falls as a cosine.
        warm_steps: steps until the highest learning rate.
        weight_decay: of AdamW.
        mixup: parameter of the beta distribution that mixes two clips (arXiv:1710.09412); 0 mixes none.
        average: how much of its past the average of the weights keeps in each step.
        talks: how many talks each actor holds; half of the clips in training come from talks.
    """

    epochs: int = Field(default=60, ge=1)
    batch: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    warm_steps: int = Field(default=50, ge=1)
    weight_decay: float = Field(default=0.05, ge=0)
    mixup: float = Field(default=0.4, ge=0)
    average: float = Field(default=0.99, ge=0, lt=1)
    talks: int = Field(default=2, ge=1)


class VoiceExperiment(Settings):
    """One run.

    Attributes:
        task: which task the file is for.
        data: the folder of RAVDESS's files.
        out: the run folder.
        seed: of all randomness.
        threads: processor threads.
        model: the table `[model]`.
        variation: the table `[variation]`.
        training: the table `[training]`.
    """

    task: Literal["voice"] = "voice"
    data: Path
    out: RunFolder
    seed: Seed = 1
    threads: int = Field(default=1, ge=1)
    model: VoiceSize = VoiceSize()
    variation: Variation = Variation()
    training: VoiceTraining = VoiceTraining()


class VoiceTrainer:
    """The state of one run: network, its average, optimiser and clips."""

    def __init__(self, experiment: VoiceExperiment) -> None:
        torch.manual_seed(experiment.seed)
        self.experiment, settings = experiment, experiment.training
        self.clips = {
            split: read_spoken(experiment.data, split, settings.talks, experiment.seed)
            for split in ("train", "val", "test")
        }
        self.net = VoiceNet(experiment.model)
        self.average = running_average(self.net, settings.average)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        labels = np.asarray([clip.label for clip in self.clips["train"]])
        counts = np.maximum(np.bincount(labels, minlength=len(VOICE_LABELS)), 1)
        # Expressions weigh the same, so that the network assumes that each is as frequent as the others.
        self._weights = torch.from_numpy((counts.mean() / counts).astype(np.float32))

    def run_round(self, number: int) -> dict[str, Any]:
        """Train one epoch; returns the loss, and the loss and mean recall of validation."""
        experiment, settings, clips = self.experiment, self.experiment.training, self.clips["train"]
        rng = np.random.default_rng((experiment.seed, number, 1))
        order = rng.permutation(len(clips))
        steps = max(len(clips) // settings.batch, 1)
        losses = []
        self.net.train()
        for step in range(steps):
            chosen = [clips[place] for place in order[step * settings.batch :][: settings.batch]]
            done, total = number * steps + step, settings.epochs * steps
            rate = settings.learning_rate * warm_cosine(done, total, settings.warm_steps)
            set_learning_rate(self.optimizer, rate)
            losses.append(descend(self._loss(chosen, rng), self.net, self.optimizer, 1.0, number))
            self.average.update_parameters(self.net)
        scores = WitnessScores.of(self.answers("val"), self.truth("val"))
        return {
            "loss": round(float(np.mean(losses)), 4),
            "val_nll": round(scores.nll, 4),
            "val_mean_recall": round(scores.mean_recall, 4),
        }

    def _loss(self, clips: list[SpokenClip], rng: np.random.Generator) -> Tensor:
        experiment = self.experiment
        rows, there = padded([varied(_either(clip, rng), experiment.variation, rng) for clip in clips])
        wanted = functional.one_hot(torch.tensor([clip.label for clip in clips]), len(VOICE_LABELS)).float()
        if experiment.training.mixup:
            share = float(rng.beta(experiment.training.mixup, experiment.training.mixup))
            other = torch.from_numpy(rng.permutation(len(clips)))
            rows, wanted = (share * part + (1 - share) * part[other] for part in (rows, wanted))
            there = torch.maximum(there, there[other])
        likely = functional.log_softmax(self.net(rows, there), -1)
        return -(wanted * self._weights * likely).sum(1).mean()

    @torch.no_grad()
    def answers(self, split: str, *, talks: bool = False) -> Float64Array:
        """Probabilities (N, 7) of a split's clips, alone or in the first talk, by the average."""
        self.average.eval()
        rows, there = padded([clip.talks[0] if talks else clip.alone for clip in self.clips[split]])
        return np.asarray(self.average(rows, there).softmax(-1).numpy(), np.float64)

    def truth(self, split: str) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Labels (N,) of a split's clips."""
        return np.asarray([clip.label for clip in self.clips[split]], np.int64)


def _either(clip: SpokenClip, rng: np.random.Generator) -> FloatArray:
    """The clip alone, or in one of its talks."""
    return clip.alone if rng.random() < 0.5 else clip.talks[int(rng.integers(len(clip.talks)))]


def train_voice(experiment: VoiceExperiment, *, resume: bool = False) -> dict[str, Any]:
    """Run (or finish) one training, and write ``voice.onnx``; returns the content of ``report.json``.

    Raises:
        InputError: the data or a checkpoint cannot be used, or the run folder holds a run and ``resume`` is
            off.
    """
    torch.set_num_threads(experiment.threads)
    trainer = VoiceTrainer(experiment)
    out, seed, epochs = experiment.out, experiment.seed, experiment.training.epochs
    modules = {"model": trainer.net, "average": trainer.average}
    run_rounds(out, experiment, seed, epochs, trainer.run_round, modules, trainer.optimizer, resume=resume)
    temperature = fit_temperature(trainer.answers("val"), trainer.truth("val"))
    trainer.net.load_state_dict(trainer.average.module.state_dict())
    example = torch.from_numpy(np.stack([clip.alone[:20] for clip in trainer.clips["val"][:2]]))
    notes = {
        "labels": list(VOICE_LABELS),
        "channels": list(SPEECH_CHANNELS),
        "frame_rate_hz": FRAME_RATE_HZ,
        "temperature": round(temperature, 4),
    }
    export_onnx(
        VoiceExport(trainer.net, temperature),
        (example,),
        experiment.out / FILE,
        input_names=["rows"],
        output_names=["labels"],
        dynamic_axes={"rows": (1,)},
        metadata=notes,
    )
    report: dict[str, Any] = {"seed": experiment.seed, "temperature": round(temperature, 4)}
    for split in ("val", "test"):
        for name, talks in (("alone", False), ("in_a_talk", True)):
            raw, truth = trainer.answers(split, talks=talks), trainer.truth(split)
            scores = WitnessScores.of(with_temperature(raw, temperature), truth)
            before = WitnessScores.of(raw, truth).calibration_error
            report[f"{split}_{name}"] = {**scores.json(), "ece_without_temperature": round(before, 4)}
    return report


def finish_voice(experiment: VoiceExperiment, report: dict[str, Any], command: Command) -> Path:
    """Write the report, and install the network if requested; returns the report's path."""
    path = experiment.out / REPORT
    write_json(path, report)
    if command.install:
        test = report["test_alone"]
        entry = {
            "licence": LICENCE,
            "training_data": TRAINING_DATA,
            "config": f"experiments/{command.config.name}",
            "score": {"test_mean_recall": test["mean_recall"], "test_accuracy": test["accuracy"]},
        }
        print_note(f"installed as {install(experiment.out / FILE, NAME, entry)}")
    return path


TASK = Task(VoiceExperiment, train_voice, finish_voice)
