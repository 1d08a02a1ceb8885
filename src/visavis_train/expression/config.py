"""Settings of an expression experiment, checked, and the schedules that follow from them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from visavis.base.words import counted
from visavis_train.expression.data.augment import Augmentation
from visavis_train.expression.data.repeats import Repeats
from visavis_train.expression.data.sources import DataSources
from visavis_train.expression.imbalance import Imbalance
from visavis_train.expression.models.factory import ModelConfig
from visavis_train.expression.models.heads import Reading
from visavis_train.expression.models.hybrid import HybridConfig
from visavis_train.expression.models.pruning import check_rate
from visavis_train.expression.models.sparse import SparseConfig
from visavis_train.loop.experiment import RunFolder, Seed, Settings

_PathOrNone = Annotated[Path | None, BeforeValidator(lambda path: None if path == "" else path)]


class Training(Settings):
    """How the network is trained.

    Attributes:
        epochs: passes over the training faces, at most.
        batch_size: faces per step, over all processes.
        optimizer: ``adamw``, ``adam``, or ``sgd`` with Nesterov momentum of 0.9.
        learning_rate: peak of the learning rate.
        schedule: the learning rate after the warm-up: ``cosine``: half a cosine to 1% of the peak;
            ``constant``; or ``exponential``: times ``decay`` after every epoch.
        decay: factor of the ``exponential`` schedule.
        warmup: share of the steps over which the learning rate rises linearly.
        weight_decay: weight decay, applied to matrices and kernels only.
        sam_rho: radius rho of sharpness-aware minimisation (Foret et al. 2021, arXiv:2010.01412), which
            doubles the time per step; 0 turns it off.
        clip_grad_norm: norm to which gradients are clipped; 0: not at all.
        ema_decay: decay per step of the running average of the weights; the average is the result.
        patience: stop after this many epochs without a better score on the validation faces; 0 never stops
            early.
        select_by: the score that chooses the epoch: ``fer2013``, the data set's labels; ``ferplus``, or the
            ``mean`` of both. Without FER+ votes it is always the labels.
        imbalance: what is done about rare labels. ``none``; ``sampler``: faces of rare labels are drawn more
            often; ``weights``: they weigh more in the loss; ``focal``: faces that are read well weigh less
            (Lin et al. 2017, arXiv:1708.02002, gamma 2); ``logits``: the loss adjusts logits by the labels'
            frequencies (Menon et al. 2021, arXiv:2007.07314).
        imbalance_power: strength of ``sampler`` and ``weights``, 1 / frequency to this power, and of
            ``logits``, its factor tau.
        label_loss_weight: weight of the 7-label loss; the rest is the 8-expression loss.
        ferplus_targets: the 8-expression targets: FER+'s distribution (``soft``), its ``majority``, or
            ``none``: FER-2013's label, which is also used where FER+ has no answer.
        votes_in_labels: share of FER+'s answer in the 7-label targets, which softens wrong labels.
        label_smoothing: share of every target spread evenly over the classes.
        mixup: alpha of mixup's Beta distribution (Zhang et al. 2018, arXiv:1710.09412); 0 turns it off.
        cutmix: alpha of CutMix's Beta distribution (Yun et al. 2019, arXiv:1905.04899); 0 turns it off. If
            mixup is on too, each step uses one of the two at random.
        image_px_schedule: pairs (from this share of the epochs, side in pixels): small pictures first make
            training cheaper. Empty: the network's ``image_px`` in all epochs.
        keep_rates: every step draws one of these keep rates, so that one set of weights works at all of them;
            scores are measured at ``model.pruning.keep_rate``. Needs a ``sparse`` network with the method
            ``cls``, ``queries`` ``kept``, and a ``keep_rate`` below 1 in one layer. Empty: only
            ``model.pruning.keep_rate``.
    """

    epochs: int = Field(default=40, ge=1)
    batch_size: int = Field(default=96, ge=2)
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = Field(default=2e-3, gt=0)
    schedule: Literal["cosine", "constant", "exponential"] = "cosine"
    decay: float = Field(default=0.98, gt=0, le=1)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.05, ge=0)
    sam_rho: float = Field(default=0.0, ge=0)
    clip_grad_norm: float = Field(default=1.0, ge=0)
    ema_decay: float = Field(default=0.998, ge=0, lt=1)
    patience: int = Field(default=0, ge=0)
    select_by: Literal["fer2013", "ferplus", "mean"] = "mean"
    label_loss_weight: float = Field(default=0.5, ge=0, le=1)
    ferplus_targets: Literal["soft", "majority", "none"] = "soft"
    votes_in_labels: float = Field(default=0.2, ge=0, le=1)
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    mixup: float = Field(default=0.2, ge=0)
    cutmix: float = Field(default=0.0, ge=0)
    image_px_schedule: tuple[tuple[float, int], ...] = ()
    keep_rates: tuple[float, ...] = ()
    imbalance: Imbalance = "none"
    imbalance_power: float = Field(default=0.5, ge=0, le=2)

    @model_validator(mode="after")
    def _check(self) -> Self:
        starts = [start for start, _ in self.image_px_schedule]
        if starts and (starts[0] != 0 or starts != sorted(starts) or starts[-1] >= 1):
            raise ValueError("image_px_schedule must start at 0.0, rise, and stay below 1.0")
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
        teachers: ONNX files such as ``expression.onnx``, checkpoints such as ``best.safetensors`` in their
            run folders, or embedded networks by name, such as ``expression``; several teachers are averaged.
            An empty list turns distillation off.
        weight: share of the teachers' loss; the rest is the labels' loss.
        temperature: divides the logits of teachers and network, so that small probabilities have more effect.
        consistent: whether the teachers see the same pictures as the network at every step, moved, covered
            and mixed (Beyer et al. 2022, arXiv:2106.05237); otherwise they see each unchanged face once, and
            its mirror image. Such teachers are checkpoints or embedded networks. Best on a GPU.
        faces: folders of face crops without labels, as pictures or shards: the network learns the teachers'
            answers for them. They are part of every epoch; the labels' loss is a mean over the other faces.
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


class Experiment(Settings):
    """One run of the expression task.

    Attributes:
        task: which task the file is for.
        name: name of the run, for its report.
        data: the data sets: a file or folder, relative to the working folder; or a list of these, or of
            tables with the keys of ``[[data]]``.
        held_out: share of a data set's training faces that are held out for validation, and as many for the
            test, if it has no such splits.
        repeats: pictures or persons in two splits, and pictures with two labels: ``refuse`` them, ``leave
            out`` such faces from training (and pictures with two labels everywhere), or ``keep`` them.
            FER-2013's own repeats are always kept.
        out: the run folder, relative to the working folder.
        seed: seed of all randomness.
        threads: processor threads per process.
        mixed_precision: ``no``, ``bf16``, or ``fp16``, which needs a GPU. A resumed ``fp16`` run starts with
            another loss scale, so its results differ a little from those of an uninterrupted run.
        init: initial weights: a checkpoint of the same network, such as another run's ``best.safetensors`` or
            the pretraining task's ``network.safetensors``; its ONNX file, not quantised; or the name of an
            embedded one, such as ``expression``. "" is none.
        init_stem: the first convolutions of a ``sparse`` network whose ``stem`` has three numbers, unless
            ``init`` is given: the run folder of a ``vgg`` network, or the name of an embedded one. "" is
            none.
        init_deeper: ``init`` may have more layers than this network; the network starts from the first ones.
        half_weights: store the large weights of ``expression.onnx`` in 16 bits: half the bytes, equal speed.
        also_trained_on: training data other than FER-2013 and their terms, in words, for the card and for the
            manifest of an installed network.
        differences: how the recipe differs from the publication that it follows, in words.
    """

    task: Literal["expression"] = "expression"
    name: str
    data: DataSources
    held_out: float = Field(default=0.15, gt=0, lt=0.5)
    repeats: Repeats = "refuse"
    out: RunFolder
    seed: Seed = 0
    threads: int = Field(default=2, ge=1)
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    init: _PathOrNone = None
    init_stem: _PathOrNone = None
    init_deeper: bool = False
    half_weights: bool = False
    also_trained_on: str = ""
    differences: tuple[str, ...] = ()
    reading: Reading = Reading()
    model: ModelConfig = HybridConfig()
    training: Training = Training()
    augmentation: Augmentation = Augmentation()
    distillation: Distillation = Distillation()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.reading.face_px != Reading().face_px and self.distillation.faces:
            raise ValueError("distillation.faces have 48 px: reading.face_px must be 48 too")
        if self.reading.pixels != "standardized" and self.model.kind == "sae":
            raise ValueError("reading.pixels is 'unit'; sae's landmark stream reads standardized faces")
        return self

    @model_validator(mode="after")
    def _check(self) -> Self:
        sides = [side for _, side in self.training.image_px_schedule] or [self.model.image_px]
        if sides[-1] != self.model.image_px:
            raise ValueError(
                f"training.image_px_schedule ends with {sides[-1]} px; model.image_px is "
                f"{self.model.image_px}"
            )
        step = self.model.side_step_px
        if wrong := [side for side in sides if side < step or side % step]:
            raise ValueError(
                f"training.image_px_schedule holds {wrong[0]} px; {self.model.kind} needs multiples "
                f"of {step} px"
            )
        if self.side_px(self.training.epochs - 1) != sides[-1]:
            raise ValueError(
                f"with {counted(self.training.epochs, 'epoch')} the last of training.image_px_schedule is "
                "never reached: give more, or set training.image_px_schedule=[]"
            )
        # What the number of tokens can be an input of; see SparseGraph. Told now, not when all is trained.
        how = self.model.pruning if isinstance(self.model, SparseConfig) else None
        if self.training.keep_rates and not (how and how.counts_tokens):
            raise ValueError(
                "training.keep_rates needs model.kind sparse, model.pruning.method cls, queries kept, and a "
                "keep_rate below 1 in one layer"
            )
        if self.init_stem and not (isinstance(self.model, SparseConfig) and len(self.model.stem) == 3):
            raise ValueError("init_stem needs model.kind sparse, and model.stem with three numbers")
        if self.training.sam_rho > 0 and self.mixed_precision == "fp16":
            raise ValueError("training.sam_rho does not go with fp16: take bf16, or sam_rho = 0")
        return self

    def side_px(self, epoch: int) -> int:
        """Side of the pictures of an epoch, counted from 0."""
        sizes = self.training.image_px_schedule or ((0.0, self.model.image_px),)
        return [side for start, side in sizes if epoch >= start * self.training.epochs][-1]
