"""A trained expression network in; its scores, its ONNX file and its place in the package out."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import visavis
from visavis.channels import EXPRESSIONS
from visavis.datasets.fer2013 import SIDE_PX, Fer2013
from visavis.emotion.labels import FER2013_LABELS, ferplus_majority
from visavis_train.export import current_commit, export, register
from visavis_train.models.hybrid import standardise

NAME = "emotion"
LICENCE = "for research and personal use, as FER-2013"
TRAINING_DATA = (
    "FER-2013 Training (Goodfellow et al., arXiv:1307.0414; research use) with "
    "FER+ votes (Barsoum et al., arXiv:1608.01041; MIT)"
)
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Scores:
    """What a network reaches on one split.

    Attributes:
        fer2013_accuracy: its 7 labels against FER-2013's, on every face.
        ferplus_accuracy: its 8 expressions against FER+'s majority, where there is one.
        faces: number of faces.
        voted_faces: number of faces with a majority.
    """

    fer2013_accuracy: float
    ferplus_accuracy: float
    faces: int
    voted_faces: int

    @property
    def selection(self) -> float:
        """What checkpoints are chosen by: the mean of both accuracies."""
        return (self.fer2013_accuracy + self.ferplus_accuracy) / 2

    def as_dict(self) -> dict[str, float]:
        """By name, for logs and reports."""
        return asdict(self)


class ExpressionGraph(nn.Module):
    """The network as it runs: standardisation and softmax are inside."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, 48, 48) uint8 -> probabilities (N, 8) of EXPRESSIONS and (N, 7) of FER2013_LABELS."""
        expressions, labels = self.network(standardise(images.float() / 255))
        return expressions.softmax(dim=1), labels.softmax(dim=1)


@torch.no_grad()
def measure(network: nn.Module, data: Fer2013, *, mirror: bool = False, side_px: int = SIDE_PX) -> Scores:
    """Score a network (put into evaluation mode) on a split.

    Args:
        network: a ``HybridNet``.
        data: the split.
        mirror: read each face twice, once mirrored, and average the probabilities.
        side_px: shrink the faces to this side first.
    """
    graph = ExpressionGraph(network).eval()
    found: list[list[Tensor]] = [[], []]
    for images in torch.split(torch.from_numpy(data.images)[:, None], _BATCH):
        if side_px != SIDE_PX:
            images = functional.interpolate(images, (side_px, side_px), mode="bilinear", antialias=True)
        answers = graph(images)
        if mirror:
            answers = [sum(pair) for pair in zip(answers, graph(images.flip(3)), strict=True)]
        for column, answer in zip(found, answers, strict=True):
            column.append(answer.argmax(dim=1))
    expressions, labels = (torch.cat(column).numpy() for column in found)
    majority = ferplus_majority(data.votes)
    voted = majority >= 0
    agreed = expressions[voted] == majority[voted]
    return Scores(
        float(np.mean(labels == data.labels)),
        float(agreed.mean()) if voted.any() else 0.0,
        len(data),
        int(voted.sum()),
    )


def export_network(network: nn.Module, path: Path) -> None:
    """Write the network as ONNX and check that ONNX Runtime and torch agree."""
    example = torch.randint(0, 256, (3, 1, SIDE_PX, SIDE_PX), dtype=torch.uint8)
    export(
        ExpressionGraph(network),
        (example,),
        path,
        input_names=("images",),
        output_names=("expressions", "labels"),
        metadata={"expressions": list(EXPRESSIONS), "labels": list(FER2013_LABELS)},
    )


def install(network: Path, scores: Scores, config: str) -> Path:
    """Copy a network into the package's assets and enter it in the manifest; returns its new path."""
    assets = Path(visavis.__file__).parent / "assets"
    target = assets / f"{NAME}.onnx"
    shutil.copyfile(network, target)
    entry = {
        "licence": LICENCE,
        "training_data": TRAINING_DATA,
        "config": config,
        "commit": current_commit(),
        "score": {
            "public_test_fer2013_accuracy": round(scores.fer2013_accuracy, 4),
            "public_test_ferplus_accuracy": round(scores.ferplus_accuracy, 4),
        },
    }
    register(assets / "manifest.json", NAME, target, entry)
    return target
