"""Single heads of a face network, trained alone, and the loss of one on exact landmarks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from visavis.base.console import progress
from visavis_train.face.losses import Losses
from visavis_train.face.network import FaceNet
from visavis_train.face.parts import TEACHER_WEIGHTS
from visavis_train.loop.rounds import set_learning_rate, warm_cosine

LEARNING_RATE = 2e-3
SEEN_BATCH = 256  # views in a step of :func:`train_seen`


def train_head(
    head: nn.Module, loss_of: Callable[[], Tensor], steps: int, weight_decay: float = 1e-4
) -> float:
    """Train only one head; returns the mean loss of the last steps."""
    optimizer = torch.optim.AdamW(head.parameters(), LEARNING_RATE, weight_decay=weight_decay)
    recent = 0.0
    with progress("training a head", steps, "steps") as advance:
        for step in range(steps):
            set_learning_rate(optimizer, LEARNING_RATE * warm_cosine(step, steps, steps // 20))
            loss = loss_of()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            recent += 0.01 * (float(loss.detach()) - recent)
            advance()
    return recent


def known_weights(
    net: FaceNet, batch: dict[str, Tensor], pair: tuple[Tensor, Tensor], losses: Losses
) -> Tensor:
    """The loss of the teacher's head on exact landmarks: of pairs, and of the real faces of a batch."""
    landmarks, weights = pair
    real = batch["trust"] * (1 - batch["rendered"]) * (1 - batch["moved"])
    return losses.shapes(
        net.weights(torch.cat([landmarks, batch["landmarks"][..., :2]])),
        torch.cat([weights, batch["weights"][:, :TEACHER_WEIGHTS]]),
        torch.cat([torch.ones_like(weights[:, 0]), real]),
    )


def train_seen(net: FaceNet, loader: DataLoader[tuple[Tensor, Tensor]], steps: int) -> None:
    """Train the head that tells which parts of a face are visible; nothing else of the network changes.

    Args:
        net: the trained network.
        loader: views of :class:`~visavis_train.face.data.covering.CoveredFaces`.
        steps: number of steps.
    """
    device = net.mean_shape.device
    net.eval()
    columns = []
    with torch.no_grad(), progress("reading views", len(loader), "batches") as advance:
        for images, seen in loader:
            *_, looks = net.looks(images.to(device).permute(0, 3, 1, 2).float() / 255 - 0.5)
            columns.append((looks, seen.to(device)))
            advance()
    features, wanted = (torch.cat(column) for column in zip(*columns, strict=True))
    net.seen.train()

    def loss() -> Tensor:
        rows = torch.randint(0, len(features), (SEEN_BATCH,), device=device)
        return functional.binary_cross_entropy_with_logits(net.seen(features[rows]), wanted[rows])

    train_head(net.seen, loss, steps, weight_decay=0.02)
    net.train()
