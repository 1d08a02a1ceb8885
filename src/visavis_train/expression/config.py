"""Settings of an emotion experiment, checked, and the schedules that follow from them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from visavis_train.expression.data.augment import Augmentation
from visavis_train.expression.models.factory import ModelConfig
from visavis_train.expression.models.hybrid import HybridConfig
from visavis_train.expression.models.pruning import check_rate
from visavis_train.expression.models.sparse import SparseConfig
from visavis_train.loop.experiment import Settings


class Training(Settings):
    """How the network is trained.

    Attributes:
        epochs: passes over Training, at most.
        batch_size: faces a step, over all processes.
        optimizer: ``adamw``, ``adam``, or ``sgd`` with Nesterov's momentum of 0.9.
        learning_rate: its peak.
        schedule: after the rise, ``cosine``: half a cosine to 1% of the peak; ``constant``; or
            ``exponential``: times ``decay`` after every epoch.
        decay: factor of the ``exponential`` schedule.
        warmup: share of the steps over which the learning rate rises linearly.
        weight_decay: on matrices and kernels only.
        sam: radius rho of sharpness-aware minimisation (Foret et al. 2021, arXiv:2010.01412), which takes
            twice the time a step; 0 turns it off.
        max_gradient: norm that gradients are cut to.
        average: decay of the running average of the weights, a step; the average is the result.
        patience: stop after this many epochs without a better score on PublicTest; 0 never stops early.
        select: the score that chooses the epoch: ``fer2013``, ``ferplus``, or the ``mean`` of both.
        labels_share: weight of the 7-label loss; the rest is the 8-expression loss.
        votes: the 8-expression targets: FER+'s distribution (``soft``), its ``majority``, or ``none``:
            FER-2013's label, which also stands where FER+ has no answer.
        votes_in_labels: share of FER+'s answer in the 7-label targets, which softens wrong labels.
        label_smoothing: share of every target spread evenly over the classes.
        mixup: alpha of mixup's Beta distribution (Zhang et al. 2018, arXiv:1710.09412); 0 turns it off.
        cutmix: alpha of CutMix's Beta distribution (Yun et al. 2019, arXiv:1905.04899); 0 turns it off.
            Where both are on, each step tosses a coin.
        sizes: (from this share of the epochs, side in pixels): small pictures first are cheaper. Empty:
            the network's ``image_px`` throughout.
        keep_rates: every step reads its faces at one of these keep rates, drawn, so that one set of weights
            serves all of them; scores are those at ``model.pruning.keep``. Needs a ``sparse`` network with
            the method ``cls``, ``asking`` ``kept``, and a ``keep`` below 1 in one layer. Empty: only that
            one.
    """

    epochs: int = Field(default=40, ge=1)
    batch_size: int = Field(default=96, ge=2)
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = Field(default=2e-3, gt=0)
    schedule: Literal["cosine", "constant", "exponential"] = "cosine"
    decay: float = Field(default=0.98, gt=0, le=1)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.05, ge=0)
    sam: float = Field(default=0.0, ge=0)
    max_gradient: float = Field(default=1.0, gt=0)
    average: float = Field(default=0.998, ge=0, lt=1)
    patience: int = Field(default=0, ge=0)
    select: Literal["fer2013", "ferplus", "mean"] = "mean"
    labels_share: float = Field(default=0.5, ge=0, le=1)
    votes: Literal["soft", "majority", "none"] = "soft"
    votes_in_labels: float = Field(default=0.2, ge=0, le=1)
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    mixup: float = Field(default=0.2, ge=0)
    cutmix: float = Field(default=0.0, ge=0)
    sizes: tuple[tuple[float, int], ...] = ()
    keep_rates: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        starts = [start for start, _ in self.sizes]
        if starts and (starts[0] != 0 or starts != sorted(starts) or starts[-1] >= 1):
            raise ValueError("sizes must start at 0.0, rise, and stay below 1.0")
        for rate in self.keep_rates:
            check_rate(rate)
        return self

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of one of ``steps`` steps, from 0."""
        rise = max(round(self.warmup * steps), 1)
        if step < rise:
            return self.learning_rate * (step + 1) / rise
        if self.schedule == "constant":
            return self.learning_rate
        if self.schedule == "exponential":
            return float(self.learning_rate * self.decay ** (step * self.epochs // steps))
        done = (step - rise) / max(steps - rise, 1)
        return self.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


class Distillation(Settings):
    """Teachers whose answers the network learns too (Hinton et al. 2015, arXiv:1503.02531).

    Attributes:
        teachers: ONNX files as ``emotion.onnx``, or checkpoints as ``best.safetensors`` in their run folders;
            several are averaged. None turns distillation off.
        weight: share of the teachers' loss; the rest is the labels' loss.
        temperature: divides logits of teachers and network, so that small probabilities tell more.
        consistent: teachers see the very pictures that the network sees, moved, covered and mixed, at every
            step (Beyer et al. 2022, arXiv:2106.05237); else each face as it is, once, and mirrored. Wants
            checkpoints as teachers, and a GPU.
        faces: folders of face crops without labels, pictures or shards: the network learns what the teachers
            say of them. They are part of every epoch; the labels' loss is a mean over the other faces.
    """

    teachers: tuple[Path, ...] = ()
    weight: float = Field(default=0.5, ge=0, le=1)
    temperature: float = Field(default=2.0, gt=0)
    consistent: bool = False
    faces: tuple[Path, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.consistent or self.faces) and not self.teachers:
            raise ValueError("consistent and faces are about what teachers say: name teachers")
        return self


class Adaptive(Settings):
    """How a network trained with ``training.keep_rates`` spends tokens where the person wants it adaptive.

    Attributes:
        rate: keep rate of the first look at a face.
        more: keep rate of the second look, at faces that the first one leaves unsure; above ``rate``.
        sure: the most probable expression's probability from which on there is no second look.
    """

    rate: float = Field(default=0.1, gt=0, lt=1)
    more: float = Field(default=0.6, gt=0, le=1)
    sure: float = Field(default=0.8, gt=0, lt=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.more <= self.rate:
            raise ValueError(f"adaptive.more is {self.more:g}; expected above adaptive.rate, {self.rate:g}")
        return self


class Experiment(Settings):
    """One run of the emotion task.

    Attributes:
        task: which task the file is for.
        name: of the run, for its report.
        data: FER-2013: a folder or file, from the working folder.
        out: the run folder, from the working folder.
        seed: of all randomness.
        threads: processor threads, for each process.
        mixed_precision: ``no``, ``bf16``, or ``fp16``, which needs a GPU. A ``fp16`` run that was resumed
            begins with another loss scale, so it only resembles an unbroken one.
        init: what to start from: a checkpoint of the same network, such as another run's
            ``best.safetensors`` or the pretraining task's ``network.safetensors``, or its ONNX file, not
            quantised, such as an embedded one.
        init_deeper: ``init`` may have more layers than this network; it starts from the first of them.
        half_weights: store the large weights of the ONNX file in 16 bits: half the bytes, the same speed.
        also_trained_on: data beside FER-2013 and its terms, in words, for the manifest of what is installed.
    """

    task: Literal["emotion"] = "emotion"
    name: str
    data: Path
    out: Path
    seed: int = Field(default=0, ge=0)
    threads: int = Field(default=2, ge=1)
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    init: Path | None = None
    init_deeper: bool = False
    half_weights: bool = False
    also_trained_on: str = ""
    model: ModelConfig = HybridConfig()
    training: Training = Training()
    augmentation: Augmentation = Augmentation()
    distillation: Distillation = Distillation()
    adaptive: Adaptive = Adaptive()

    @model_validator(mode="after")
    def _check(self) -> Self:
        sides = [side for _, side in self.training.sizes] or [self.model.image_px]
        if sides[-1] != self.model.image_px:
            raise ValueError(
                f"training.sizes ends with {sides[-1]} px; model.image_px is {self.model.image_px}"
            )
        step = self.model.side_step_px
        if wrong := [side for side in sides if side < step or side % step]:
            raise ValueError(
                f"training.sizes holds {wrong[0]} px; {self.model.kind} needs multiples of {step} px"
            )
        if self.side_px(self.training.epochs - 1) != sides[-1]:
            raise ValueError(
                f"{self.training.epochs} epochs never come to the last of training.sizes: give more, "
                "or set training.sizes=[]"
            )
        # What the number of tokens can be an input of; see SparseGraph. Told now, not when all is trained.
        how = self.model.pruning if isinstance(self.model, SparseConfig) else None
        counts = how is not None and (how.method, how.asking, len(how.rates)) == ("cls", "kept", 1)
        if self.training.keep_rates and not counts:
            raise ValueError(
                "training.keep_rates needs model.kind sparse, model.pruning.method cls, asking kept, and a "
                "keep below 1 in one layer"
            )
        if self.training.sam > 0 and self.mixed_precision == "fp16":
            raise ValueError("training.sam does not go with fp16: take bf16, or sam = 0")
        return self

    def side_px(self, epoch: int) -> int:
        """Side of the pictures of an epoch, counted from 0."""
        sizes = self.training.sizes or ((0.0, self.model.image_px),)
        return [side for start, side in sizes if epoch >= start * self.training.epochs][-1]
