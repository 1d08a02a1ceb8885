"""Options that say which labelled faces and which network; the faces and the network that they name out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from visavis.datasets.data_set import DataSet
    from visavis.datasets.faces import LabelledFaces
    from visavis.evaluation import Model


class Labels(StrEnum):
    """Which labels count as the truth."""

    OWN = "own"
    FERPLUS = "ferplus"


DatasetArgument = Annotated[
    Path, typer.Argument(help="A table or folder of labelled faces, as above.", readable=False)
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        help="Part of the data set.",
        show_default="PublicTest for FER-2013, validation for AffectNet, else test, or all there is",
    ),
]
LabelsOption = Annotated[
    Labels,
    typer.Option(help="own: the data set's; ferplus: FER+'s majority of 8, for FER-2013 with votes."),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        help="An ONNX file made by visavis' export.", show_default="the embedded network", readable=False
    ),
]
MirrorOption = Annotated[bool, typer.Option("--mirror", help="Also read each face mirrored; average.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def open_model(path: Path | None, mirror: bool) -> Model:
    """The network that ``--model`` names, else the embedded one."""
    from visavis.evaluation import Model

    return Model.embedded(mirror=mirror) if path is None else Model.load(path, mirror=mirror)


def read_faces(found: DataSet, split: str | None, labels: Labels) -> LabelledFaces:
    """One split with the labels that ``--labels`` names."""
    from visavis.datasets import ferplus

    faces = found.read(split)
    return ferplus.majority(faces) if labels is Labels.FERPLUS else faces


def model_json(model: Model) -> dict[str, Any]:
    """What ``--json`` prints of a network."""
    return {
        "name": model.name,
        "bytes": model.size_bytes,
        "parameters": model.parameters,
        "sha256": model.sha256,
        "mirror": model.classifier.mirror,
    }
