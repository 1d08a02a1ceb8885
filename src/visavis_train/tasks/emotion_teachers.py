"""Trained emotion networks by their files, and faces, in; what the networks say of the faces out."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from visavis.datasets.fer2013 import Fer2013
from visavis.errors import InputError
from visavis_train.checkpoint import load_checkpoint
from visavis_train.distillation import BATCH, Teacher, ask, onnx_teacher, soften, torch_teacher
from visavis_train.models.factory import build_model
from visavis_train.models.graph import ExpressionGraph
from visavis_train.models.heads import ExpressionNet
from visavis_train.tasks.emotion_config import Experiment
from visavis_train.watch import Watch


def load_trained(checkpoint: Path) -> tuple[ExpressionNet, Experiment]:
    """A trained network and its experiment, by a checkpoint in its run folder.

    Raises:
        InputError: the checkpoint or the ``config.json`` beside it cannot be read, or they do not fit.
    """
    config = checkpoint.with_name("config.json")
    try:
        experiment = Experiment.model_validate_json(config.read_text("utf-8"))
    except OSError as error:
        raise InputError(
            f"{config}: cannot be read: {error.strerror}; a checkpoint needs its run folder's config.json"
        ) from error
    except ValidationError as error:
        raise InputError(f"{config}: not the configuration of an emotion run") from error
    network = build_model(experiment.model, download=False)
    load_checkpoint(checkpoint, {"model": network})
    return network, experiment


def open_teacher(path: Path, threads: int) -> Teacher:
    """A teacher from an ONNX file, or from a checkpoint in its run folder.

    Raises:
        InputError: neither of them, or it cannot be read.
        WeightsError: the ONNX file is not that of an emotion network.
    """
    match path.suffix:
        case ".onnx":
            return onnx_teacher(path, threads)
        case ".safetensors":
            network, experiment = load_trained(path)
            return torch_teacher(ExpressionGraph(network, experiment.model.image_px))
    raise InputError(f"{path}: a teacher is an .onnx file or a checkpoint, .safetensors")


def answers(experiment: Experiment, data: Fer2013, watch: Watch) -> tuple[Tensor, Tensor] | None:
    """The teachers' probabilities (N, 8) and (N, 7) for every face at the temperature; None without teachers.

    Raises:
        InputError, WeightsError: a teacher cannot be used.
    """
    teaching = experiment.distillation
    teachers = [open_teacher(path, experiment.threads) for path in teaching.teachers]
    if not teachers:
        return None
    images = torch.from_numpy(data.images)[:, None]
    with watch("asking the teachers", math.ceil(len(images) / BATCH)) as advance:
        expressions, labels = ask(teachers, images, advance)
    return soften(expressions, teaching.temperature), soften(labels, teaching.temperature)
