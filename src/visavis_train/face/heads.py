"""The last steps of a face network's training: single heads, on what the rest of the network finds.

Landmarks and features are small, so a head can see many more faces than the whole network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from visavis.base.console import progress
from visavis_train.face.losses import Losses
from visavis_train.face.network import FaceNet
from visavis_train.face.parts import TEACHER_WEIGHTS
from visavis_train.loop.rounds import set_learning_rate, warm_cosine

Batch = TypeVar("Batch")


def train_head(
    head: nn.Module,
    loss_of: Callable[[], Tensor],
    steps: int,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-4,
) -> float:
    """Train only one head; returns the mean loss of the last steps."""
    optimizer = torch.optim.AdamW(head.parameters(), learning_rate, weight_decay=weight_decay)
    recent = 0.0
    with progress("training a head", steps, "steps") as advance:
        for step in range(steps):
            set_learning_rate(optimizer, learning_rate * warm_cosine(step, steps, steps // 20))
            loss = loss_of()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            recent += 0.01 * (float(loss.detach()) - recent)
            advance()
    return recent


def _shown(loader: DataLoader[Batch]) -> Iterator[Batch]:
    """The batches of views, with a progress bar."""
    with progress("reading views", len(loader), "batches") as advance:
        for batch in loader:
            yield batch
            advance()


@torch.no_grad()
def found_landmarks(net: FaceNet, loader: DataLoader[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The network's landmarks in some views of faces.

    Returns:
        ``found`` (N, 146, 3), and the labels: ``weights`` (N, 51) of the teacher, ``rotation`` (N, 3, 3), and
        ``trust`` and ``real`` (N,), how far the rotation and the weights are trusted; ``real`` is 0 for
        rendered faces, which have no answers of the teacher.
    """
    net.eval()
    columns: dict[str, list[Tensor]] = {}
    for batch in _shown(loader):
        images = batch["image"].to(net.mean_shape.device).permute(0, 3, 1, 2).float() / 255
        values = {
            "found": net(images).landmarks.cpu(),
            "weights": batch["weights"][:, :TEACHER_WEIGHTS],
            "rotation": batch["rotation"],
            "trust": batch["trust"],
            "real": batch["trust"] * (1 - batch["rendered"]),
        }
        for name, value in values.items():
            columns.setdefault(name, []).append(value)
    net.train()
    return {name: torch.cat(column) for name, column in columns.items()}


def polish_head(
    net: FaceNet,
    loader: DataLoader[dict[str, Tensor]],
    pairs: Callable[[], tuple[Tensor, Tensor]],
    losses: Losses,
    steps: int,
    batch: int = 512,
) -> float:
    """Train the heads of the teacher's weights and of the rotation on found landmarks; nothing else changes.

    The head of the weights also learns from pairs.

    Args:
        net: the trained network.
        loader: views of faces.
        pairs: landmarks (P, 146, 2) and weights (P, 51) from the teacher.
        losses: the losses of the training.
        steps: number of steps.
        batch: number of views in a step.

    Returns:
        The mean loss of the last steps.
    """
    device = net.mean_shape.device
    views = {name: column.to(device) for name, column in found_landmarks(net, loader).items()}

    def loss() -> Tensor:
        rows = torch.randint(0, len(views["found"]), (batch,), device=device)
        some = {name: column[rows] for name, column in views.items()}
        known, wanted = pairs()
        return (
            losses.shapes(net.weights(some["found"]), some["weights"], some["real"])
            + losses.shapes(net.weights(known), wanted, torch.ones_like(wanted[:, 0]))
            + losses.turned(net.turned(some["found"]), some["rotation"], some["trust"])
        )

    return train_head(nn.ModuleList([net.weights, net.rotation]), loss, steps, 1e-3)


def known_weights(
    net: FaceNet, batch: dict[str, Tensor], pair: tuple[Tensor, Tensor], losses: Losses
) -> Tensor:
    """The loss of the teacher's head on exact landmarks: of pairs, and of the real faces of a batch."""
    landmarks, weights = pair
    real = batch["trust"] * (1 - batch["rendered"])
    return losses.shapes(
        net.weights(torch.cat([landmarks, batch["landmarks"][..., :2]])),
        torch.cat([weights, batch["weights"][:, :TEACHER_WEIGHTS]]),
        torch.cat([torch.ones_like(weights[:, 0]), real]),
    )


def train_refinement(
    net: FaceNet,
    loader: DataLoader[dict[str, Tensor]],
    pairs: Callable[[], tuple[Tensor, Tensor]],
    losses: Losses,
    steps: int,
    batch: int = 384,
) -> float:
    """Train the corrections of all landmarks, and the heads of the weights; nothing else changes.

    The pictures are kept in memory, in grey: 29 kB for each view.

    Args:
        net: the trained network.
        loader: views of real and of rendered faces.
        pairs: landmarks (P, 146, 2) and weights (P, 51) from the teacher.
        losses: the losses of the training.
        steps: number of steps.
        batch: number of views in a step.

    Returns:
        The mean loss of the last steps.
    """
    device = net.mean_shape.device
    net.eval()
    columns: dict[str, Tensor] = {}
    at, views = 0, len(cast(Sized, loader.sampler))
    with torch.no_grad():
        for faces in _shown(loader):
            images = faces.pop("image").to(device).permute(0, 3, 1, 2).float() / 255
            _, found, _, looks = net.looks(images - 0.5)
            grey = (255 * images.mean(dim=1, keepdim=True)).round().byte()
            faces |= {"found": found, "looks": looks.half(), "grey": grey}
            # One large tensor each: many small ones between the pictures keep memory that is free.
            columns = columns or {
                key: value.new_empty((views, *value.shape[1:])) for key, value in faces.items()
            }
            for key, value in faces.items():
                columns[key][at : at + len(value)] = value
            at += len(grey)
    net.train()

    def loss() -> Tensor:
        rows = torch.randint(0, views, (batch,))
        some = {key: value[rows].to(device) for key, value in columns.items()}
        landmarks, truth = net.refine(some["grey"].float() / 255, some["found"], some["looks"].float())
        trust, rendered = some["trust"], some["rendered"]
        far = losses.distance(landmarks, some["landmarks"], trust, rendered)
        weights = losses.shapes(net.weights(landmarks), some["weights"], trust * (1 - rendered))
        weights = weights + known_weights(net, some, pairs(), losses)
        return 100 * far + weights + losses.truth(truth, some["weights"], trust, rendered)

    return train_head(nn.ModuleList([net.indexed, net.truth, net.weights]), loss, steps, weight_decay=0.02)


def train_seen(
    net: FaceNet, loader: DataLoader[tuple[Tensor, Tensor]], steps: int, batch: int = 256
) -> float:
    """Train the head that tells which parts of a face are visible; nothing else of the network changes.

    Args:
        net: the trained network.
        loader: views of :class:`~visavis_train.face.data.covering.CoveredFaces`.
        steps: number of steps.
        batch: number of views in a step.

    Returns:
        The mean loss of the last steps.
    """
    device = net.mean_shape.device
    net.eval()
    columns = []
    with torch.no_grad():
        for images, seen in _shown(loader):
            *_, looks = net.looks(images.to(device).permute(0, 3, 1, 2).float() / 255 - 0.5)
            columns.append((looks, seen.to(device)))
    features, wanted = (torch.cat(column) for column in zip(*columns, strict=True))
    net.seen.train()

    def loss() -> Tensor:
        rows = torch.randint(0, len(features), (batch,), device=device)
        return functional.binary_cross_entropy_with_logits(net.seen(features[rows]), wanted[rows])

    recent = train_head(net.seen, loss, steps, weight_decay=0.02)
    net.train()
    return recent
