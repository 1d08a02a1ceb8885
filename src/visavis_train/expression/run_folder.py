"""The network of a run folder with its best weights, and its export as an ONNX file.

``visavis export RUN_DIR --out NET.onnx [--half] [--json]``
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from visavis.base.files import require_place, whole_file
from visavis.base.reading import regular
from visavis.errors import InputError
from visavis_train.expression.models.factory import ModelConfig, build_model
from visavis_train.expression.models.heads import ExpressionNet
from visavis_train.expression.release import export_network
from visavis_train.loop.checkpoint import BEST, load_checkpoint

CONFIG = "config.json"


class _Stored(BaseModel):
    """The needed part of ``config.json``; other keys are ignored, as old runs may have other settings."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    task: Literal["emotion"] = "emotion"
    model: ModelConfig


def load_run(folder: Path) -> tuple[ExpressionNet, int]:
    """The network of an emotion run with its best weights, and the side of its pictures in pixels.

    Raises:
        InputError: the folder has no emotion run, no weights yet, or weights of another network.
    """
    try:
        text = regular(folder / CONFIG).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{folder}: no run: {CONFIG} cannot be read; expected a folder that  visavis train  made"
        ) from error
    try:
        stored = _Stored.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{folder / CONFIG}: not the settings of an emotion run: {where or 'file'}: {first['msg']}"
        ) from error
    if not (folder / BEST).is_file():
        raise InputError(f"{folder}: no {BEST}; expected a run that has finished an epoch")
    network = build_model(stored.model, download=False)
    load_checkpoint(folder / BEST, {"model": network})
    return network.eval(), stored.model.image_px


def export_run(folder: Path, out: Path, *, half_weights: bool = False) -> bytes:
    """Write a run's network as ONNX, in one piece, checked against torch; returns the file's bytes.

    Args:
        folder: the run.
        out: the file.
        half_weights: store large weights in 16 bits.

    Raises:
        InputError: see :func:`load_run`; or the file cannot be written.
        WeightsError: ONNX Runtime answers differently.
    """
    require_place(out)
    network, side_px = load_run(folder)
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "network.onnx"
        export_network(network, file, side_px, half_weights=half_weights)
        data = file.read_bytes()
    with whole_file(out) as partial:
        partial.write_bytes(data)
    return data
