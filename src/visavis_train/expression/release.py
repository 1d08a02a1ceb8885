"""Release of a trained expression network: its scores, its ONNX file and its place in the package."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from visavis.channels import EXPRESSIONS
from visavis.datasets import fer2013
from visavis.datasets.faces import LabeledFaces, LoadedImages
from visavis.datasets.fer2013 import SIDE_PX
from visavis.errors import InputError
from visavis.expression.labels import FER2013_LABELS, ferplus_majority, given
from visavis.metrics.expression import negative_log_likelihood
from visavis.types import FloatArray, ImageArray
from visavis_train.expression.distillation import BATCH, Teacher
from visavis_train.expression.models.graph import ExpressionGraph, SparseGraph
from visavis_train.expression.models.pruning import count_kept
from visavis_train.expression.models.sparse import SparseNet
from visavis_train.onnx.export import export_onnx, install

NAME = "expression"
LICENCE = "for research and personal use, as FER-2013"
# Largest difference in a probability between torch and ONNX Runtime; weights of 16 bits are rounded.
TOLERANCE, HALF_TOLERANCE = 1e-4, 5e-3
TRAINING_DATA = (
    "FER-2013 Training (Goodfellow et al., arXiv:1307.0414; research use) with "
    "FER+ votes (Barsoum et al., arXiv:1608.01041; MIT)"
)


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a network on one split.

    Attributes:
        accuracy: share of the faces on which it gives the data set's label, as ``visavis evaluate`` asks for
            it: FER-2013's by its 7 labels, others by its 8 expressions.
        cross_entropy: of the same answers.
        ferplus_accuracy: accuracy of its 8 expressions, against FER+'s majority, if there is one.
        faces: number of faces.
        voted_faces: number of faces with a majority.
    """

    accuracy: float
    cross_entropy: float
    ferplus_accuracy: float
    faces: int
    voted_faces: int

    def selection(self, by: str) -> float:
        """The score that chooses the epoch: accuracy ``fer2013`` or ``ferplus``, or the ``mean`` of both.

        Without votes it is the accuracy on the labels.
        """
        if not self.voted_faces:
            return self.accuracy
        mean = (self.accuracy + self.ferplus_accuracy) / 2
        return {"fer2013": self.accuracy, "ferplus": self.ferplus_accuracy, "mean": mean}[by]

    def as_dict(self) -> dict[str, float | None]:
        """The scores by name, for logs and reports; None where no face has votes."""
        return asdict(self) | ({} if self.voted_faces else {"ferplus_accuracy": None})


@torch.no_grad()
def score_network(network: nn.Module, data: LabeledFaces, *, side_px: int = SIDE_PX) -> Scores:
    """Score a network (put into evaluation mode) on a split."""
    graph = ExpressionGraph(network, side_px).eval()
    return score_reader(graph, data, device=next(network.parameters()).device)


def score_reader(
    answer: Teacher, data: LabeledFaces, *, mirror: bool = False, device: torch.device | str = "cpu"
) -> Scores:
    """Score any reader of faces on a split.

    Args:
        answer: gives the probabilities of both heads.
        data: the split.
        mirror: read each face twice, once mirrored, and average the probabilities.
        device: the reader's device.
    """
    eight, answers = read_faces(answer, data, mirror=mirror, device=device)
    majority = np.full(len(data), -1) if data.votes is None else ferplus_majority(data.votes)
    voted = majority >= 0
    agreed = eight[voted].argmax(axis=1) == majority[voted]
    return Scores(
        float(np.mean(answers.argmax(axis=1) == data.labels)),
        negative_log_likelihood(answers, data.labels),
        float(agreed.mean()) if voted.any() else 0.0,
        len(data),
        int(voted.sum()),
    )


def read_faces(
    answer: Teacher, data: LabeledFaces, *, mirror: bool = False, device: torch.device | str = "cpu"
) -> tuple[FloatArray, FloatArray]:
    """Probabilities (N, 8) of EXPRESSIONS, and those of the data set's labels; see :func:`score_reader`."""
    columns: tuple[list[Tensor], list[Tensor]] = ([], [])
    for images in torch.split(torch.from_numpy(gray_pixels(data))[:, None].to(device), BATCH):
        said = answer(images)
        if mirror:
            again = answer(images.flip(3))
            said = (said[0] + again[0]) / 2, (said[1] + again[1]) / 2
        for column, part in zip(columns, said, strict=True):
            column.append(part.cpu())
    eight, seven = (torch.cat(column).numpy() for column in columns)
    return eight, seven if data.name == fer2013.NAME else given(eight, data.names)


def gray_pixels(data: LabeledFaces) -> ImageArray:
    """The grey pictures (N, S, S) of faces in memory.

    Raises:
        InputError: the faces are not in memory, or not grey squares.
    """
    images = data.images
    if not isinstance(images, LoadedImages) or images.pixels.ndim != 3:
        raise InputError(f"{data.name}, {data.split}: expected grey faces in memory")
    return images.pixels


def export_network(
    network: nn.Module, path: Path, side_px: int = SIDE_PX, *, half_weights: bool = False
) -> None:
    """Write the network as ONNX, with large weights in 16 bits if asked for; check it against torch."""
    graph = ExpressionGraph(network, side_px)
    example = torch.randint(0, 256, (3, 1, *[graph.reading.face_px] * 2), dtype=torch.uint8)
    export_onnx(
        graph,
        (example,),
        path,
        input_names=("images",),
        output_names=("expressions", "labels"),
        metadata={"expressions": list(EXPRESSIONS), "labels": list(FER2013_LABELS)},
        tolerance=HALF_TOLERANCE if half_weights else TOLERANCE,
        half_weights=half_weights,
    )


def export_sparse(network: SparseNet, path: Path, keep: float) -> None:
    """Write a network that drops tokens as ONNX, with the number of tokens as an input, and check it.

    Args:
        network: a network trained at many keep rates; see :class:`SparseGraph`.
        path: the file.
        keep: the default keep rate.
    """
    example = torch.randint(0, 256, (3, 1, *[network.reading.face_px] * 2), dtype=torch.uint8)
    export_onnx(
        SparseGraph(network),
        (example, torch.tensor(count_kept(network.grid**2, keep))),
        path,
        input_names=("images", "keep"),
        output_names=("expressions", "labels", "kept"),
        metadata={
            "expressions": list(EXPRESSIONS),
            "labels": list(FER2013_LABELS),
            "grid": network.grid,
            "keep": {"rate": keep},
        },
    )


def install_expression(network: Path, scores: Scores, config: str, name: str = NAME, also: str = "") -> Path:
    """Copy a network into the package's assets and add it to the manifest; returns its new path.

    ``also`` are training data besides FER-2013, with the terms.
    """
    entry = {
        "licence": LICENCE,
        "training_data": "; ".join(part for part in (TRAINING_DATA, also) if part),
        "config": config,
        "score": {
            "public_test_fer2013_accuracy": round(scores.accuracy, 4),
            "public_test_ferplus_accuracy": round(scores.ferplus_accuracy, 4) if scores.voted_faces else None,
        },
    }
    return install(network, name, entry)
