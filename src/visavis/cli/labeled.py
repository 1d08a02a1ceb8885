"""Shared options that choose labelled faces and a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from visavis.cli.recognizer import parse_keep
from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.datasets.data_set import DataSet
    from visavis.datasets.faces import LabeledFaces
    from visavis.evaluate.expressions import Model

Labels = Literal["own", "ferplus"]  # Which labels count as the truth.

DatasetArgument = Annotated[
    Path, typer.Argument(help="A table or folder of labelled faces, as above.", readable=False)
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        help="Split of the data set.",
        show_default="PublicTest for FER-2013, validation for AffectNet, else test, or everything",
    ),
]
LabelsOption = Annotated[
    Labels,
    typer.Option(help="own: the data set's labels; ferplus: FER+'s majority of 8 (FER-2013 with votes)."),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        help="An embedded recogniser, dense or sparse, or an ONNX file that visavis exported (write a name "
        "without an ending as ./NAME).",
        show_default="dense",
    ),
]
MirrorOption = Annotated[bool, typer.Option("--mirror", help="Also read each face mirrored, and average.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def open_model(model: str | None, keep: str | None, mirror: bool) -> Model:
    """The network that ``--model`` names: a recogniser, an ONNX file, or a folder that visavis train made.

    Raises:
        InputError: the recogniser or file does not exist, or it does not take ``--keep``.
        WeightsError: the file is not an expression network.
    """
    from visavis.evaluate.expressions import Model
    from visavis.expression.registry import NETWORKS

    keeping = parse_keep(keep)
    if model is None:
        return Model.embedded(mirror=mirror, keep=keeping)
    path = Path(model)
    if model in NETWORKS:
        return Model.embedded(model, mirror=mirror, keep=keeping)
    if path.name == model and not path.suffix and not path.is_dir():
        raise InputError(
            f"--model {model}: no recogniser of that name; expected {' or '.join(NETWORKS)}, or a file "
            f"(one without an ending as ./{model}), or a folder that visavis train made"
        )
    return Model.load(path, mirror=mirror, keep=keeping)


def read_faces(found: DataSet, split: str | None, labels: Labels) -> LabeledFaces:
    """One split with the labels that ``--labels`` names."""
    from visavis.datasets import ferplus

    faces = found.read(split)
    return ferplus.majority(faces) if labels == "ferplus" else faces


def model_json(model: Model) -> dict[str, Any]:
    """What ``--json`` prints about a network; ``keep`` is null if it drops no tokens."""
    from visavis.expression.sparse import SparseClassifier

    keep = {"rate": model.classifier.keep} if isinstance(model.classifier, SparseClassifier) else None
    return {
        "name": model.name,
        "bytes": model.size_bytes,
        "parameters": model.parameters,
        "sha256": model.sha256,
        "mirror": model.classifier.mirror,
        "keep": keep,
    }
