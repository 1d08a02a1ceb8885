"""Release of a trained expression network: its scores, its ONNX file and its place in the package."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import visavis
from visavis.channels import EXPRESSIONS
from visavis.datasets.fer2013 import SIDE_PX, Fer2013
from visavis.emotion.labels import FER2013_LABELS, ferplus_majority
from visavis_train.expression.distillation import BATCH, Teacher
from visavis_train.expression.models.graph import ExpressionGraph, SparseGraph
from visavis_train.expression.models.pruning import kept_count
from visavis_train.expression.models.sparse import SparseNet
from visavis_train.onnx.export import current_commit, export, register

NAME = "emotion"
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
        fer2013_accuracy: accuracy of its 7 labels, against FER-2013's, on every face.
        ferplus_accuracy: accuracy of its 8 expressions, against FER+'s majority, if there is one.
        faces: number of faces.
        voted_faces: number of faces with a majority.
    """

    fer2013_accuracy: float
    ferplus_accuracy: float
    faces: int
    voted_faces: int

    def selection(self, by: str) -> float:
        """The score that chooses the epoch: accuracy ``fer2013`` or ``ferplus``, or the ``mean`` of both."""
        mean = (self.fer2013_accuracy + self.ferplus_accuracy) / 2
        return {"fer2013": self.fer2013_accuracy, "ferplus": self.ferplus_accuracy, "mean": mean}[by]

    def as_dict(self) -> dict[str, float | None]:
        """The scores by name, for logs and reports; None where no face has votes."""
        return asdict(self) | ({} if self.voted_faces else {"ferplus_accuracy": None})


@torch.no_grad()
def measure(network: nn.Module, data: Fer2013, *, side_px: int = SIDE_PX) -> Scores:
    """Score a network (put into evaluation mode) on a split.

    Args:
        network: an expression network.
        data: the split.
        side_px: side of the network's pictures.
    """
    graph = ExpressionGraph(network, side_px).eval()
    return score(graph, data, device=next(network.parameters()).device)


def score(
    answer: Teacher, data: Fer2013, *, mirror: bool = False, device: torch.device | str = "cpu"
) -> Scores:
    """Score any reader of faces on a split.

    Args:
        answer: gives the probabilities of both heads.
        data: the split.
        mirror: read each face twice, once mirrored, and average the probabilities.
        device: the reader's device.
    """
    said: list[Tensor] = []
    saw: list[Tensor] = []
    for images in torch.split(torch.from_numpy(data.images)[:, None].to(device), BATCH):
        expressions, labels = answer(images)
        if mirror:
            again = answer(images.flip(3))
            expressions, labels = expressions + again[0], labels + again[1]
        saw.append(expressions.argmax(dim=1))
        said.append(labels.argmax(dim=1))
    expression, label = (torch.cat(column).cpu().numpy() for column in (saw, said))
    majority = ferplus_majority(data.votes)
    voted = majority >= 0
    agreed = expression[voted] == majority[voted]
    return Scores(
        float(np.mean(label == data.labels)),
        float(agreed.mean()) if voted.any() else 0.0,
        len(data),
        int(voted.sum()),
    )


def export_network(
    network: nn.Module, path: Path, side_px: int = SIDE_PX, *, half_weights: bool = False
) -> None:
    """Write the network as ONNX and check that ONNX Runtime and torch agree.

    Args:
        network: an expression network.
        path: the file.
        side_px: side of the network's pictures.
        half_weights: store large weights in 16 bits.
    """
    example = torch.randint(0, 256, (3, 1, SIDE_PX, SIDE_PX), dtype=torch.uint8)
    export(
        ExpressionGraph(network, side_px),
        (example,),
        path,
        input_names=("images",),
        output_names=("expressions", "labels"),
        metadata={"expressions": list(EXPRESSIONS), "labels": list(FER2013_LABELS)},
        tolerance=HALF_TOLERANCE if half_weights else TOLERANCE,
        half_weights=half_weights,
    )


def export_sparse(network: SparseNet, path: Path, keep: float, adaptive: Mapping[str, float]) -> None:
    """Write a network that drops tokens as ONNX, with the number of tokens as an input, and check it.

    Args:
        network: a network trained at many keep rates.
        path: the file.
        keep: the default keep rate.
        adaptive: keep rates of a first and a second look; see :class:`visavis.emotion.sparse.Keep`.

    Raises:
        InputError: the network drops tokens in a way that the graph does not support.
    """
    example = torch.randint(0, 256, (3, 1, SIDE_PX, SIDE_PX), dtype=torch.uint8)
    export(
        SparseGraph(network),
        (example, torch.tensor(kept_count(network.grid**2, keep))),
        path,
        input_names=("images", "keep"),
        output_names=("expressions", "labels", "kept"),
        metadata={
            "expressions": list(EXPRESSIONS),
            "labels": list(FER2013_LABELS),
            "grid": network.grid,
            "keep": {"rate": keep},
            "adaptive": dict(adaptive),
        },
    )


def install(network: Path, scores: Scores, config: str, name: str = NAME, also: str = "") -> Path:
    """Copy a network into the package's assets and add it to the manifest; returns its new path.

    Args:
        network: the ONNX file.
        scores: the network's scores.
        config: the experiment's file.
        name: name of the asset.
        also: training data besides FER-2013, with the terms.
    """
    assets = Path(visavis.__file__).parent / "assets"
    target = assets / f"{name}.onnx"
    commit = current_commit()  # Read before the described file changes.
    shutil.copyfile(network, target)
    entry = {
        "licence": LICENCE,
        "training_data": "; ".join(part for part in (TRAINING_DATA, also) if part),
        "config": config,
        "commit": commit,
        "score": {
            "public_test_fer2013_accuracy": round(scores.fer2013_accuracy, 4),
            "public_test_ferplus_accuracy": round(scores.ferplus_accuracy, 4) if scores.voted_faces else None,
        },
    }
    register(assets / "manifest.json", name, target, entry)
    return target
