"""The network of a run folder with its best weights, and its export as an ONNX file.

``visavis export RUN_DIR --out NET.onnx [--half] [--json]``
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from visavis.base import networks
from visavis.base.files import whole_file
from visavis.base.reading import parse_json, regular
from visavis.errors import InputError, VisavisError
from visavis_train.expression.config import Experiment
from visavis_train.expression.init import start
from visavis_train.expression.models.factory import ModelConfig, build_model
from visavis_train.expression.models.heads import ExpressionNet, Reading
from visavis_train.expression.models.sparse import SparseNet
from visavis_train.expression.release import export_network
from visavis_train.loop.checkpoint import BEST, load_checkpoint
from visavis_train.loop.experiment import checked, load_experiment

CONFIG = "config.json"
_NO_SETTINGS = "not the settings of an expression run"


class _Stored(BaseModel):
    """The needed part of ``config.json``; other keys are ignored, as old runs may have other settings."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    task: Literal["expression"] = "expression"
    model: ModelConfig
    reading: Reading = Reading()


def load_run(folder: Path, weights: str = BEST, faces: Tensor | None = None) -> tuple[ExpressionNet, int]:
    """The network of an expression run with its best weights, and the side of its pictures in pixels.

    Args:
        folder: the run; or the name of an embedded network, whose experiment file must be there.
        weights: name of the checkpoint.
        faces: (N, 1, F, F) uint8, which an embedded network will be trained on further: its file has no
            statistics of batch norms, so they are measured on these.

    Raises:
        InputError: the folder has no expression run, no weights yet, or weights of another network.
    """
    if is_embedded(folder):
        return _embedded(str(folder), faces)
    try:
        values = parse_json(regular(folder / CONFIG).read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{folder}: no run: {CONFIG} cannot be read; expected a folder that  visavis train  made"
        ) from error
    except ValueError as error:
        raise InputError(f"{folder / CONFIG}: {_NO_SETTINGS}: {error}") from error
    stored = checked(f"{folder / CONFIG}: {_NO_SETTINGS}", values, _Stored)
    if not (folder / weights).is_file():
        raise InputError(f"{folder}: no {weights}; expected a run that has finished an epoch")
    network = build_model(stored.model, stored.reading, download=False)
    load_checkpoint(folder / weights, {"model": network})
    return network.eval(), stored.model.image_px


def is_embedded(folder: Path) -> bool:
    """Whether this is no run but the name of an embedded network."""
    return str(folder) in networks.manifest() and not (folder / CONFIG).exists()


def _embedded(name: str, faces: Tensor | None) -> tuple[ExpressionNet, int]:
    config = Path(networks.manifest()[name].config)
    if not config.is_file():
        raise InputError(f"{name}: its experiment {config} is not here; run this at the repository's root")
    experiment = load_experiment(config, Experiment, [f"init={name}"])
    network = build_model(experiment.model, experiment.reading, download=False)
    if faces is None:  # In evaluation mode the network answers as the file does, whatever these are.
        side_px = experiment.reading.face_px
        faces = torch.randint(0, 256, (256, 1, side_px, side_px), dtype=torch.uint8)
    start(network, experiment, faces)
    return network.eval(), experiment.model.image_px


def start_stem(network: SparseNet, experiment: Experiment, faces: Tensor) -> None:
    """Start the stem from the network of ``experiment.init_stem``, if it is given without ``init``.

    ``faces`` (N, 1, F, F) uint8 are training faces.

    Raises:
        InputError: see :func:`load_run`; or the networks do not fit.
    """
    folder = experiment.init_stem
    if folder is None or experiment.init is not None:
        return
    try:
        other, _ = load_run(folder, faces=faces)
        if other.reading != experiment.reading:
            raise InputError(f"{folder}: was trained with another [reading]")
        network.start_stem(other, folder)
    except VisavisError as error:
        raise InputError(f"init_stem: {error}") from error


def export_run(folder: Path, out: Path, *, half_weights: bool = False) -> bytes:
    """Write a run's network as ONNX, in one piece, checked against torch; returns the file's bytes.

    Raises:
        InputError: see :func:`load_run`; or the file cannot be written.
        WeightsError: ONNX Runtime answers differently.
    """
    network, side_px = load_run(folder)
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "network.onnx"
        export_network(network, file, side_px, half_weights=half_weights)
        data = file.read_bytes()
    with whole_file(out) as partial:
        partial.write_bytes(data)
    return data
