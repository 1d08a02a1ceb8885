"""FER-2013 with FER+ votes and an experiment in; a trained expression network, its log and report out.

``python -m visavis_train.tasks.emotion experiments/fer_first.toml [--resume] [--set key=value] [--install]``

The run folder receives ``config.json``, ``log.jsonl`` (one line an epoch), ``last.safetensors`` (to resume),
``best.safetensors`` (the averaged weights that did best on PublicTest), ``emotion.onnx`` and ``report.json``.
Every epoch draws its randomness from (seed, epoch), so a resumed run equals an unbroken one.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from visavis.channels import EXPRESSIONS
from visavis.datasets import fer2013
from visavis.datasets.fer2013 import Fer2013
from visavis.emotion.labels import FER2013_LABELS, FER2013_TO_EXPRESSION, ferplus_distribution, to_seven
from visavis.errors import InputError, VisavisError
from visavis_train.checkpoint import load_checkpoint, save_checkpoint
from visavis_train.data.augment import Augmentation, augment
from visavis_train.experiment import Settings, load_experiment
from visavis_train.models.hybrid import HybridConfig, HybridNet
from visavis_train.models.layout import channels_last
from visavis_train.tasks.emotion_release import Scores, export_network, install, measure


class Training(Settings):
    """How the network is trained.

    Attributes:
        epochs: passes over Training.
        batch_size: faces a step.
        learning_rate: peak of the one-cycle schedule: linear rise, then half a cosine to 1% of it.
        warmup: share of the steps that the rise takes.
        weight_decay: AdamW's, on matrices and kernels only.
        average: decay of the running average of the weights, a step.
        label_smoothing: share of every target spread evenly over the classes.
        labels_share: weight of the 7-label loss; the rest is the 8-expression loss.
        votes_in_labels: share of FER+'s distribution in the 7-label targets, which softens wrong labels.
        mixup: alpha of mixup's Beta distribution (Zhang et al. 2018, arXiv:1710.09412); 0 turns it off.
        max_gradient: norm that gradients are cut to.
        sizes: (from this share of the epochs, side in pixels): small pictures first are cheaper.
    """

    epochs: int = Field(default=40, ge=1)
    batch_size: int = Field(default=96, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.05, ge=0)
    average: float = Field(default=0.998, ge=0, lt=1)
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    labels_share: float = Field(default=0.5, ge=0, le=1)
    votes_in_labels: float = Field(default=0.2, ge=0, le=1)
    mixup: float = Field(default=0.2, ge=0)
    max_gradient: float = Field(default=1.0, gt=0)
    sizes: tuple[tuple[float, int], ...] = ((0.0, 32), (0.4, 40), (0.7, 48))

    @model_validator(mode="after")
    def _check(self) -> Self:
        starts = [start for start, _ in self.sizes]
        if not starts or starts[0] != 0 or starts != sorted(starts) or starts[-1] >= 1:
            raise ValueError("sizes must start at 0.0, rise, and stay below 1.0")
        return self


class Experiment(Settings):
    """One run; ``data`` and ``out`` are paths from the working folder."""

    name: str
    data: Path
    out: Path
    seed: int = 0
    threads: int = Field(default=2, ge=1)
    model: HybridConfig = HybridConfig()
    training: Training = Training()
    augmentation: Augmentation = Augmentation()

    @model_validator(mode="after")
    def _check(self) -> Self:
        last = self.training.sizes[-1][1]
        if last != self.model.image_px:
            raise ValueError(f"training.sizes ends with {last} px; model.image_px is {self.model.image_px}")
        return self


def targets(data: Fer2013, how: Training) -> tuple[Tensor, Tensor]:
    """Soft targets: (N, 8) from FER+, from the label where FER+ has none; (N, 7) from label and FER+."""
    votes, voted = ferplus_distribution(data.votes)
    label_as_expression = np.eye(len(EXPRESSIONS), dtype=np.float32)[
        np.asarray(FER2013_TO_EXPRESSION)[data.labels]
    ]
    expressions = np.where(voted[:, None], votes, label_as_expression)
    one_hot = np.eye(len(FER2013_LABELS), dtype=np.float32)[data.labels]
    labels = (1 - how.votes_in_labels) * one_hot + how.votes_in_labels * to_seven(expressions)
    smooth = how.label_smoothing
    return (
        torch.from_numpy(expressions * (1 - smooth) + smooth / len(EXPRESSIONS)).float(),
        torch.from_numpy(labels * (1 - smooth) + smooth / len(FER2013_LABELS)).float(),
    )


def learning_rate(step: int, steps: int, how: Training) -> float:
    """One cycle: linear rise over ``warmup``, then half a cosine down to 1% of the peak."""
    rise = max(round(how.warmup * steps), 1)
    if step < rise:
        return how.learning_rate * (step + 1) / rise
    done = (step - rise) / max(steps - rise, 1)
    return how.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def side_px(epoch: int, how: Training) -> int:
    """Side of the pictures of an epoch."""
    return [side for start, side in how.sizes if epoch >= start * how.epochs][-1]


class Trainer:
    """The state of one run: network, running average, optimiser and the next epoch."""

    def __init__(self, experiment: Experiment, data: Fer2013) -> None:
        torch.manual_seed(experiment.seed)
        self.experiment = experiment
        self.how = experiment.training
        self.images = torch.from_numpy(data.images)[:, None]
        self.targets = targets(data, self.how)
        self.model = HybridNet(experiment.model)
        channels_last(self.model)
        self.average = AveragedModel(self.model, multi_avg_fn=self._average, use_buffers=True)
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": self.how.weight_decay},
                {"params": plain, "weight_decay": 0},
            ],
            lr=self.how.learning_rate,
        )
        self.epoch = 0
        self.best = -1.0

    def _average(self, averaged: Any, current: Any, count: Any) -> None:
        """Move the running average; it is short at first, so that it forgets the random start."""
        decay = min(self.how.average, (1 + int(count)) / (10 + int(count)))
        get_ema_multi_avg_fn(decay)(averaged, current, count)

    def run_epoch(self) -> dict[str, float]:
        """Train for one epoch; returns its mean loss, learning rate and seconds."""
        rng = np.random.default_rng((self.experiment.seed, self.epoch))
        torch.manual_seed(int(rng.integers(2**63)))  # Dropout and skipped layers.
        images_rng = torch.Generator().manual_seed(int(rng.integers(2**63)))
        order = torch.from_numpy(rng.permutation(len(self.images)))
        batches = torch.split(order, self.how.batch_size)
        if len(batches) > 1 and len(batches[-1]) < self.how.batch_size // 2:
            batches = batches[:-1]  # A tiny last batch would spoil the batch statistics.
        self.model.train()
        start_s, total = time.perf_counter(), 0.0
        for number, rows in enumerate(batches):
            rate = learning_rate(self.epoch * len(batches) + number, self.how.epochs * len(batches), self.how)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            total += self._step(rows, rng, images_rng)
        self.epoch += 1
        seconds = time.perf_counter() - start_s
        return {"loss": total / len(batches), "learning_rate": rate, "seconds": seconds}

    def _step(self, rows: Tensor, rng: np.random.Generator, images_rng: torch.Generator) -> float:
        side = side_px(self.epoch, self.how)
        images = augment(self.images[rows], side, self.experiment.augmentation, images_rng)
        goals = [target[rows] for target in self.targets]
        if self.how.mixup > 0:
            share = float(rng.beta(self.how.mixup, self.how.mixup))
            images = images.lerp(images.flip(0), 1 - share)  # The batch's order is random already.
            goals = [goal.lerp(goal.flip(0), 1 - share) for goal in goals]
        expressions, labels = self.model(images)
        weight = self.how.labels_share
        loss = (1 - weight) * functional.cross_entropy(
            expressions, goals[0]
        ) + weight * functional.cross_entropy(labels, goals[1])
        if not torch.isfinite(loss):
            raise InputError(f"the loss became {loss.item()} in epoch {self.epoch}: lower learning_rate")
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.how.max_gradient)
        self.optimizer.step()
        self.average.update_parameters(self.model)
        return float(loss.item())

    def save(self, path: Path) -> None:
        """Write everything that the next epoch depends on."""
        modules = {"model": self.model, "average": self.average}
        save_checkpoint(path, modules, self.optimizer, {"epoch": self.epoch, "best": self.best})

    def load(self, path: Path) -> None:
        """Go on from :meth:`save`'s file."""
        modules = {"model": self.model, "average": self.average}
        progress = load_checkpoint(path, modules, self.optimizer)
        self.epoch, self.best = progress["epoch"], progress["best"]


def train(experiment: Experiment, *, resume: bool = False) -> Path:
    """Run (or finish) an experiment; returns the run folder.

    Raises:
        InputError: data or checkpoint cannot be used, or the run folder holds a run and ``resume`` is off.
    """
    torch.set_num_threads(experiment.threads)
    data = fer2013.load(experiment.data)
    trainer = Trainer(experiment, data.split(fer2013.TRAINING))
    chosen_on = data.split(fer2013.PUBLIC_TEST)
    out = experiment.out
    out.mkdir(parents=True, exist_ok=True)
    last, best = out / "last.safetensors", out / "best.safetensors"
    if resume and last.exists():
        trainer.load(last)
    elif last.exists():
        raise InputError(f"{out} already holds a run: add --resume, or choose another folder")
    (out / "config.json").write_text(experiment.model_dump_json(indent=2) + "\n", "utf-8")
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:
        while trainer.epoch < experiment.training.epochs:
            row: dict[str, Any] = {"epoch": trainer.epoch, "side_px": side_px(trainer.epoch, trainer.how)}
            row |= trainer.run_epoch()
            scores = measure(trainer.average.module, chosen_on, side_px=row["side_px"])
            row |= scores.as_dict()
            if row["side_px"] == experiment.model.image_px and scores.selection > trainer.best:
                trainer.best = scores.selection
                save_checkpoint(best, {"model": trainer.average.module}, None, row)
            trainer.save(last)
            print(json.dumps(row), file=log, flush=True)
            print(_line(row, experiment.training.epochs), file=sys.stderr, flush=True)
    return out


def _line(row: dict[str, Any], epochs: int) -> str:
    return (
        f"epoch {row['epoch'] + 1}/{epochs} at {row['side_px']} px: loss {row['loss']:.4f}, "
        f"FER-2013 {row['fer2013_accuracy']:.2%}, FER+ {row['ferplus_accuracy']:.2%}, {row['seconds']:.0f} s"
    )


def release(experiment: Experiment, config: Path) -> tuple[Path, Scores]:
    """Export the best weights of a finished run and measure them on PublicTest; writes ``report.json``."""
    model = HybridNet(experiment.model)
    progress = load_checkpoint(experiment.out / "best.safetensors", {"model": model})
    network = experiment.out / "emotion.onnx"
    export_network(model.eval(), network)
    data = fer2013.load(experiment.data)
    test, seen = data.split(fer2013.PUBLIC_TEST), data.split(fer2013.TRAINING)
    scores = measure(model, test)
    unseen = test[~test.seen_in(seen)]
    report = {
        "name": experiment.name,
        "config": config.name,
        "best_epoch": progress["epoch"] + 1,
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": network.stat().st_size,
        "public_test": scores.as_dict(),
        "public_test_mirrored": measure(model, test, mirror=True).as_dict(),
        "public_test_without_images_of_training": measure(model, unseen).as_dict(),
    }
    (experiment.out / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return network, scores


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Train the expression network.")
    parser.add_argument("experiment", type=Path, help="TOML file")
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's last epoch")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a value")
    parser.add_argument("--install", action="store_true", help="put the network into the package's assets")
    args = parser.parse_args()
    try:
        experiment = load_experiment(args.experiment, Experiment, args.set)
        train(experiment, resume=args.resume)
        network, scores = release(experiment, args.experiment)
        if args.install:
            installed = install(network, scores, config=f"experiments/{args.experiment.name}")
            print(f"installed as {installed}", file=sys.stderr)
    except VisavisError as error:
        print(error, file=sys.stderr)
        return 2
    print((experiment.out / "report.json").read_text("utf-8"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
