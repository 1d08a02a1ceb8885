"""The trainer of expression networks.

Every epoch draws its randomness from (seed, epoch); later processes also use their number. So a run that was
killed and resumed equals an unbroken one. It is equal to the bit with one process on the CPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.distributed.nn.functional  # Before any group of processes: see make_accelerator.
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from visavis.datasets.faces import LabeledFaces
from visavis.errors import InputError
from visavis.types import ImageArray
from visavis_train.expression.config import Experiment, Training
from visavis_train.expression.data.augment import augment
from visavis_train.expression.data.mixing import Mixing
from visavis_train.expression.distillation import distillation_loss
from visavis_train.expression.imbalance import LabelLoss
from visavis_train.expression.init import start
from visavis_train.expression.models.factory import build_model
from visavis_train.expression.models.sparse import SparseNet
from visavis_train.expression.release import Scores, gray_pixels
from visavis_train.expression.run_folder import start_stem
from visavis_train.expression.targets import soft_targets
from visavis_train.expression.teachers import ConsistentTeachers
from visavis_train.loop.checkpoint import load_checkpoint, save_checkpoint
from visavis_train.loop.ema import running_average
from visavis_train.loop.memory_layout import channels_last
from visavis_train.loop.progress import Watch, no_progress
from visavis_train.loop.sam import climbed, still_statistics


def make_accelerator(mixed_precision: str) -> Accelerator:
    """The devices and processes of ``torchrun`` or ``accelerate launch``; otherwise one process.

    The group of the processes ends with :meth:`Accelerator.end_training`. The default arguments of
    ``torch.distributed.nn.functional`` hold the group that exists when this module is imported. If
    ``DistributedDataParallel`` imported it later, the threads of the group would never end, and a process
    could abort at its end.

    Raises:
        InputError: the device does not support the precision.
    """
    try:
        # By default, accelerate does not join processes on a CPU: each would train alone.
        return Accelerator(cpu=not torch.accelerator.is_available(), mixed_precision=mixed_precision)
    except ValueError as error:
        raise InputError(f"mixed_precision {mixed_precision}: {error}") from error


def make_optimizer(network: nn.Module, how: Training) -> torch.optim.Optimizer:
    """The optimiser, without weight decay on vectors (norms, biases)."""
    learned = [weights for weights in network.parameters() if weights.requires_grad]
    groups = [
        {"params": [w for w in learned if w.ndim > 1], "weight_decay": how.weight_decay},
        {"params": [w for w in learned if w.ndim <= 1], "weight_decay": 0.0},
    ]
    if how.optimizer == "sgd":
        return torch.optim.SGD(groups, how.learning_rate, momentum=0.9, nesterov=True)
    kind = torch.optim.AdamW if how.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, how.learning_rate, fused=all(weights.is_cuda for weights in learned) or None)


class ExpressionTrainer:
    """The state of one run: network, running average, optimiser and progress.

    Args:
        experiment: the experiment.
        data: the training faces, grey and in memory.
        accelerator: devices and processes; made from the experiment if None.
        answers: the teachers' probabilities (N, 8) and (N, 7) for every face, at the temperature, first those
            of the split; None without teachers, and if they answer at every step.
        unlabeled: (M, F, F) uint8, faces without labels, which only teachers answer; None for none.
        fresh: begin with ``experiment.init`` or pretrained weights if there are any; off if :meth:`load`
            follows.

    Raises:
        InputError: ``experiment.init`` or the network cannot be used.
        VisavisError: pretrained weights cannot be fetched.
    """

    def __init__(
        self,
        experiment: Experiment,
        data: LabeledFaces,
        accelerator: Accelerator | None = None,
        answers: tuple[Tensor, Tensor] | None = None,
        unlabeled: ImageArray | None = None,
        *,
        fresh: bool = True,
    ) -> None:
        torch.manual_seed(experiment.seed)
        self.experiment, self.how = experiment, experiment.training
        self.accelerator = accelerator or make_accelerator(experiment.mixed_precision)
        device = self.accelerator.device
        torch.backends.cudnn.benchmark = device.type == "cuda"  # Steps have few different shapes.
        labeled = gray_pixels(data)
        more = labeled[:0] if unlabeled is None else unlabeled
        self.images = torch.from_numpy(np.concatenate([labeled, more]))[:, None].to(device)
        goals = [functional.pad(goal, (0, 0, 0, len(more))) for goal in soft_targets(data, self.how)]
        self.goals = [goal.to(device) for goal in (*goals, *(answers or ()))]
        self.losses = [LabelLoss(g, self.how.imbalance, self.how.imbalance_power) for g in self.goals[:2]]
        self.teachers = ConsistentTeachers(experiment, device)
        self.mix = Mixing(self.how.mixup, self.how.cutmix)
        self.network = build_model(experiment.model, experiment.reading, download=fresh)
        if fresh:
            faces = self.images[: len(data)]
            if isinstance(self.network, SparseNet):
                start_stem(self.network, experiment, faces)
            start(self.network, experiment, faces)
        channels_last(self.network)
        self.network.to(device)
        # Copied before accelerate wraps the network for mixed precision: the average answers in full.
        self.average = running_average(self.network, self.how.ema_decay)
        optimizer = make_optimizer(self.network, self.how)
        self.model, self.optimizer = self.accelerator.prepare(self.network, optimizer)
        self.epoch = 0
        self.best = -1.0
        self.best_epoch = -1

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or early stopping ends the run."""
        waited = self.epoch - 1 - self.best_epoch if self.best_epoch >= 0 else 0
        return self.epoch >= self.how.epochs or 0 < self.how.patience <= waited

    def run_epoch(self, watch: Watch = no_progress) -> dict[str, float]:
        """Train for one epoch; returns its mean loss, learning rate, seconds, and faces a second."""
        rng = np.random.default_rng((self.experiment.seed, self.epoch))
        states = [int(rng.integers(2**63)) for _ in range(2)]
        batches = self._batches(torch.from_numpy(self._order(rng)).to(self.images.device))
        # The same for all processes: each step takes as long as its slowest process.
        rates = rng.choice(self.how.keep_rates, len(batches)).tolist() if self.how.keep_rates else []
        if process := self.accelerator.process_index:  # Other processes have their own draws.
            rng = np.random.default_rng((self.experiment.seed, self.epoch, process))
            states = [int(rng.integers(2**63)) for _ in range(2)]
        torch.manual_seed(states[0])  # Dropout and skipped layers.
        images_rng = torch.Generator(self.accelerator.device).manual_seed(states[1])
        self.model.train()
        start_s, total = time.perf_counter(), torch.zeros((), device=self.images.device)
        with watch(f"epoch {self.epoch + 1}/{self.how.epochs}", len(batches)) as advance:
            for number, rows in enumerate(batches):
                if rates and isinstance(self.network, SparseNet):
                    self.network.sampled_rate = rates[number]
                rate = self.how.rate(self.epoch * len(batches) + number, self.how.epochs * len(batches))
                for group in self.optimizer.param_groups:
                    group["lr"] = rate
                loss = self._step(rows, rng, images_rng)
                total += loss
                if loss.device.type == "cpu":  # With a GPU, this would wait for it.
                    self._require_finite(loss.item())
                advance()
        mean = self.accelerator.reduce(total / len(batches), "mean").item()
        self._require_finite(mean)
        self.epoch += 1
        faces = sum(map(len, batches)) * self.accelerator.num_processes
        seconds = time.perf_counter() - start_s
        return {"loss": mean, "learning_rate": rate, "seconds": seconds, "faces_per_s": faces / seconds}

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """The faces of an epoch."""
        count = len(self.images)
        if self.how.imbalance != "sampler":
            return rng.permutation(count)
        chances = self.losses[1].face_weights(self.goals[1]).double().cpu().numpy()
        return rng.choice(count, count, p=chances / chances.sum())

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise InputError(f"the loss became {loss} in epoch {self.epoch + 1}: lower learning_rate")

    def _batches(self, order: Tensor) -> list[Tensor]:
        """This process' share of every batch: the first faces, the second ones, and so on."""
        batches = list(torch.split(order, self.how.batch_size))
        if len(batches) > 1 and len(batches[-1]) < self.how.batch_size // 2:
            batches.pop()  # A very small last batch would spoil the batch statistics.
        processes, own = self.accelerator.num_processes, self.accelerator.process_index
        return [rows[: len(rows) // processes * processes][own::processes] for rows in batches]

    def _step(self, rows: Tensor, rng: np.random.Generator, images_rng: torch.Generator) -> Tensor:
        """One step of the optimiser on some faces; returns their loss without waiting for it."""
        side = self.experiment.side_px(self.epoch)
        images = augment(
            self.images[rows], side, self.experiment.augmentation, images_rng, None, self.experiment.reading
        )
        images, goals = self.mix(images, [goal[rows] for goal in self.goals], rng)
        images = images.contiguous(memory_format=torch.channels_last)
        with self.accelerator.autocast():
            goals += self.teachers(images)
        loss = self._loss(images, goals)
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        if self.how.sam_rho > 0:
            with climbed(self.network.parameters(), self.how.sam_rho), still_statistics(self.network):
                again = self._loss(images, goals)
                self.optimizer.zero_grad()
                self.accelerator.backward(again)
        if self.how.clip_grad_norm > 0:
            self.accelerator.clip_grad_norm_(self.network.parameters(), self.how.clip_grad_norm)
        self.optimizer.step()
        self.average.update_parameters(self.network)
        return loss.detach()

    def _loss(self, images: Tensor, goals: Sequence[Tensor]) -> Tensor:
        """Cross-entropy of both heads plus the teachers' loss, with the experiment's weights."""
        teaching = self.experiment.distillation
        weight = 1.0 if self.experiment.reading.heads == "labels" else self.how.label_loss_weight
        shares = (1 - weight, weight)
        loss = torch.zeros((), device=images.device)
        for head, (share, logits) in enumerate(zip(shares, self.model(images), strict=True)):
            answer = logits.float()
            # The mean is over the faces with labels: the targets of other faces are zeros.
            asked = goals[head].sum().clamp_min(1)
            part = self.losses[head](answer, goals[head]) / asked
            if teaching.teachers:
                taught = distillation_loss(answer, goals[head + 2], teaching.temperature)
                part = (1 - teaching.weight) * part + teaching.weight * taught
            loss = loss + share * part
        penalty = self.network.penalty()
        return loss if penalty is None else loss + penalty

    def judge(self, scores: Scores, side_px: int) -> bool:
        """Note the last epoch's scores; returns whether it is the best epoch at the full side."""
        score = scores.selection(self.how.select_by)
        if side_px != self.experiment.model.image_px or score <= self.best:
            return False
        self.best, self.best_epoch = score, self.epoch - 1
        return True

    def save(self, path: Path) -> None:
        """Write the whole state that the next epoch needs."""
        progress = {"epoch": self.epoch, "best": self.best, "best_epoch": self.best_epoch}
        save_checkpoint(path, self._modules(), self.optimizer, progress)

    def load(self, path: Path) -> None:
        """Continue from :meth:`save`'s file.

        Raises:
            InputError: missing, of another kind, or of another network.
        """
        progress = load_checkpoint(path, self._modules(), self.optimizer)
        self.epoch, self.best = progress["epoch"], progress["best"]
        self.best_epoch = progress.get("best_epoch", self.epoch - 1 if self.best >= 0 else -1)

    def _modules(self) -> dict[str, nn.Module]:
        return {"model": self.network, "average": self.average}
