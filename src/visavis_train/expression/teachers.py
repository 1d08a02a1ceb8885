"""Teachers: trained expression networks, loaded from their files, and their answers for faces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from visavis.datasets.fer2013 import SIDE_PX
from visavis.errors import InputError
from visavis.types import ImageArray
from visavis_train.expression.config import Experiment
from visavis_train.expression.distillation import BATCH, Teacher, ask, onnx_teacher, soften
from visavis_train.expression.init import embedded
from visavis_train.expression.models.graph import ExpressionGraph
from visavis_train.expression.models.heads import ExpressionNet
from visavis_train.expression.run_folder import is_embedded, load_run
from visavis_train.loop.memory_layout import channels_last
from visavis_train.loop.progress import Watch


def open_teacher(path: Path, threads: int, face_px: int = SIDE_PX) -> Teacher:
    """A teacher from an ONNX file, the name of an embedded network, or a checkpoint in its run folder.

    Raises:
        InputError: the path is neither of them, or cannot be read.
        WeightsError: the ONNX file is not an expression network.
    """
    match (path := embedded(path)).suffix:
        case ".onnx":
            return onnx_teacher(path, threads, face_px)
        case ".safetensors":
            return torch.no_grad()(ExpressionGraph(*load_run(path.parent, path.name)).eval())
    raise InputError(
        f"{path}: a teacher is an .onnx file, a checkpoint, .safetensors, or the name of an embedded network"
    )


class ConsistentTeachers:
    """Teachers that see exactly the network's pictures (Beyer et al. 2022, arXiv:2106.05237).

    Args:
        experiment: names the teachers, checkpoints in their run folders or embedded networks; without
            teachers nothing is taught.
        device: the device of the pictures.

    Raises:
        InputError: a teacher is not a checkpoint, or it cannot be read.
    """

    def __init__(self, experiment: Experiment, device: torch.device) -> None:
        teaching = experiment.distillation
        self._temperature = teaching.temperature
        self._networks: list[tuple[ExpressionNet, int]] = []
        for path in teaching.teachers if teaching.consistent else ():
            if not is_embedded(path) and path.suffix != ".safetensors":
                raise InputError(
                    f"{path}: distillation.consistent wants checkpoints, such as a run's best.safetensors, "
                    "or the name of an embedded network, such as expression"
                )
            network, side_px = load_run(*(path,) if is_embedded(path) else (path.parent, path.name))
            channels_last(network)
            if network.reading != experiment.reading:
                raise InputError(f"{path}: was trained with another [reading] than this experiment")
            self._networks.append((network.to(device), side_px))

    @torch.no_grad()
    def __call__(self, images: Tensor) -> list[Tensor]:
        """Mean probabilities (N, 8) and (N, 7) at the temperature; an empty list without teachers.

        Args:
            images: (N, 1, S, S), standardised; resized for teachers with another side.
        """
        if not self._networks:
            return []
        said = [network(_sized(images, side_px)) for network, side_px in self._networks]
        means = [
            torch.stack([one.float().softmax(dim=1) for one in head]).mean(dim=0)
            for head in zip(*said, strict=True)
        ]
        return [soften(mean, self._temperature) for mean in means]


def _sized(images: Tensor, side_px: int) -> Tensor:
    if images.shape[-1] == side_px:
        return images
    sized = functional.interpolate(
        images, (side_px, side_px), mode="bilinear", antialias=side_px < images.shape[-1]
    )
    return sized.contiguous(memory_format=torch.channels_last)


def teacher_answers(
    experiment: Experiment, faces: Sequence[ImageArray], watch: Watch
) -> tuple[Tensor, Tensor] | None:
    """The teachers' probabilities (N, 8) and (N, 7) for every face at the temperature.

    Args:
        experiment: names the teachers.
        faces: arrays (n, 48, 48) uint8, one for each source, N faces in total.
        watch: called with the progress.

    Returns:
        None without teachers, and if they answer at every step: see :class:`ConsistentTeachers`.

    Raises:
        InputError, WeightsError: a teacher cannot be used.
    """
    teaching = experiment.distillation
    if not teaching.teachers or teaching.consistent:
        return None
    teachers = [
        open_teacher(path, experiment.threads, experiment.reading.face_px) for path in teaching.teachers
    ]
    images = torch.from_numpy(np.concatenate(faces))[:, None]
    with watch("asking the teachers", math.ceil(len(images) / BATCH)) as advance:
        expressions, labels = ask(teachers, images, advance)
    return soften(expressions, teaching.temperature), soften(labels, teaching.temperature)
