"""The last step of a face network's training: its two heads alone, on what the rest of the network finds.

Landmarks, features and weights are small, so many more faces can be shown to the heads than the whole network
sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from visavis_train.models.face import TEACHER_WEIGHTS, FaceNet
from visavis_train.rounds import set_learning_rate, warm_cosine
from visavis_train.tasks.face_losses import Losses

LEARNING_RATE = 1e-3


class Found(NamedTuple):
    """What the network sees in some views of N faces, and what is known of them.

    Attributes:
        landmarks: (N, 146, 2).
        features: (N, F) of the pictures, in 16 bits.
        weights: (N, 52).
        trust: (N,) how far the view can be trusted.
        rendered: (N,) 1 where the weights are true, 0 where they are the teacher's.
    """

    landmarks: Tensor
    features: Tensor
    weights: Tensor
    trust: Tensor
    rendered: Tensor


@torch.no_grad()
def look(net: FaceNet, loader: DataLoader[dict[str, Tensor]]) -> Found:
    """Show views of faces to the network."""
    net.eval()
    seen: list[Tensor] = []
    hook = net.truth.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1].half().cpu()))
    columns: list[tuple[Tensor, ...]] = []
    for batch in loader:
        images = batch["image"].to(net.mean_shape.device).permute(0, 3, 1, 2).float() / 255
        landmarks = net(images).landmarks[..., :2].cpu()
        columns.append((landmarks, seen.pop(), batch["weights"], batch["trust"], batch["rendered"]))
    hook.remove()
    net.train()
    return Found(*(torch.cat(column).to(net.mean_shape.device) for column in zip(*columns, strict=True)))


def polish_heads(
    net: FaceNet,
    loader: DataLoader[dict[str, Tensor]],
    pairs: Callable[[], tuple[Tensor, Tensor]],
    losses: Losses,
    steps: int,
    batch: int = 512,
) -> float:
    """Train both heads on what the network finds, the teacher's also on pairs; nothing else changes.

    Args:
        net: the trained network.
        loader: views of faces.
        pairs: landmarks (P, 146, 2) and weights (P, 51) of the teacher's own.
        losses: of the training.
        steps: how many.
        batch: views in a step.

    Returns:
        The mean loss of the last steps.
    """
    found = look(net, loader)
    heads = [*net.weights.parameters(), *net.truth.parameters()]
    optimizer = torch.optim.AdamW(heads, LEARNING_RATE, weight_decay=1e-4)
    recent = 0.0
    for step in range(steps):
        set_learning_rate(optimizer, LEARNING_RATE * warm_cosine(step, steps, steps // 20))
        rows = torch.randint(0, len(found.landmarks), (batch,), device=found.landmarks.device)
        landmarks, features, weights, trust, rendered = (column[rows] for column in found)
        known, wanted = pairs()
        teacher = weights[:, :TEACHER_WEIGHTS]
        loss = losses.shapes(net.weights(landmarks), teacher, trust * (1 - rendered))
        loss = loss + losses.shapes(net.weights(known), wanted, torch.ones_like(wanted[:, 0]))
        loss = loss + losses.truth(net.truth(landmarks, features.float()), weights, trust, rendered)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recent += 0.01 * (float(loss.detach()) - recent)
    return recent
