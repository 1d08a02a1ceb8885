"""The parts of the face network: convolutions, heads of the weights, and nets that look closely at points."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis.face.mesh import LANDMARKS_146
from visavis.types import FloatArray

INPUT_PX = 160
TEACHER_WEIGHTS = 51  # MediaPipe has no tongueOut, the last of the 52.
WEIGHTS = 52


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two convolutions with a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, width, H, W) of the same shape."""
        return functional.relu(x + self.second(self.first(x)))


def standard_shape(landmarks: Tensor) -> Tensor:
    """Landmarks (B, P, 2 or 3) as (B, 2 P), free of position and scale."""
    xy = landmarks[..., :2]
    xy = xy - xy.mean(dim=1, keepdim=True)
    scale = xy.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return (xy / (scale + 1e-6)).flatten(1)


class WeightsHead(nn.Module):
    """Landmarks (B, 146, 2 or 3) to the teacher's blendshape logits (B, 51); blind to position and scale."""

    def __init__(self, points: int = len(LANDMARKS_146), width: int = 512) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * points, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, width // 2),
            nn.GELU(),
            nn.Linear(width // 2, TEACHER_WEIGHTS),
        )

    def forward(self, landmarks: Tensor) -> Tensor:
        """Logits (B, 51)."""
        logits: Tensor = self.layers(standard_shape(landmarks))
        return logits


class TruthHead(nn.Module):
    """Landmarks and the pictures' features (B, features) to logits (B, 52) of the true weights."""

    def __init__(self, features: int, points: int = len(LANDMARKS_146), width: int = 256) -> None:
        super().__init__()
        self.shape = nn.Sequential(nn.Linear(2 * points, width), nn.ReLU())
        self.look = nn.Sequential(nn.Linear(features, width), nn.ReLU())
        self.layers = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, WEIGHTS))

    def forward(self, landmarks: Tensor, features: Tensor) -> Tensor:
        """Logits (B, 52)."""
        shape = self.shape(standard_shape(landmarks))
        logits: Tensor = self.layers(torch.cat([shape, self.look(features)], dim=1))
        return logits


Numbers = TypeVar("Numbers", Tensor, FloatArray)


def fused(teacher: Numbers, truth: Numbers, share: Numbers, doubt: Numbers) -> Numbers:
    """One logit of the two heads' logits: the teacher's, unless the truth head strongly disagrees.

    Args:
        teacher: (..., 52) of :class:`WeightsHead`.
        truth: (..., 52) of :class:`TruthHead`.
        share: (52,) 0..1, the truth head's share where the heads agree.
        doubt: (52,) the disagreement at which half of the teacher's share goes to the truth head, above 0.
    """
    apart = truth - teacher
    strong = apart**4
    one: Numbers = teacher + (share + (1 - share) * strong / (strong + doubt**4)) * apart
    return one


class LocalNet(nn.Module):
    """A square patch (B, 3, 48, 48) to features (B, 160) and corrections of the landmarks inside it."""

    FEATURES = 160

    def __init__(self, points: int) -> None:
        super().__init__()
        self.points = points
        self.last = nn.Linear(self.FEATURES, 3 * points)
        # At first nothing is corrected.
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.maps = nn.Sequential(
            conv(3, 32, 5, 2), conv(32, 48, 3, 2), conv(48, 48), conv(48, 96, 3, 2), conv(96, 32, 1)
        )
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(32 * 36, self.FEATURES), nn.ReLU())

    def forward(self, patch: Tensor) -> tuple[Tensor, Tensor]:
        """Corrections (B, 3 points) in region units, and features."""
        with half_precision(patch):
            maps = self.maps(patch)
        features = self.features(maps.float())
        return 0.1 * self.last(features), features


class ShapeIndexedNet(nn.Module):
    """Corrections of all landmarks from a small grey patch around each: shape-indexed features.

    After Explicit Shape Regression (Cao et al. 2014, doi:10.1007/s11263-013-0667-3) and local binary features
    (Ren et al. 2014, doi:10.1109/CVPR.2014.218): a few features for each point, and one regression of all
    points at once.

    Args:
        points: number of landmarks.
    """

    # Samples of a patch in each direction, and their distance in region units.
    SIDE, STEP = 6, 3.2 / INPUT_PX
    FEATURES = 192
    _OF_A_POINT = 16
    grid: Tensor

    def __init__(self, points: int) -> None:
        super().__init__()
        axis = (torch.arange(self.SIDE) - (self.SIDE - 1) / 2) * self.STEP
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
        self.register_buffer("grid", grid.view(-1, 2), persistent=False)
        samples = self.SIDE**2
        self.weight = nn.Parameter(torch.randn(points, samples, self._OF_A_POINT) / math.sqrt(samples))
        self.bias = nn.Parameter(torch.zeros(points, 1, self._OF_A_POINT))
        self.together = nn.Linear(points * self._OF_A_POINT, self.FEATURES)
        self.last = nn.Linear(self.FEATURES, 2 * points)
        # At first nothing is corrected.
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, grey: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        """Corrections (B, P, 2) of landmarks (B, P, 2 or 3), and features (B, 192).

        Args:
            grey: (B, 1, 160, 160) in 0..1, the crop.
            landmarks: where the patches are, in region units.
        """
        grid = places_around(landmarks[..., :2], self.grid).view(-1, *landmarks.shape[1:2], self.SIDE**2, 2)
        patches = functional.grid_sample(grey, grid, mode="bilinear", align_corners=False).squeeze(1)
        patches = 4 * (patches - patches.mean(dim=2, keepdim=True))
        found = functional.relu(patches.transpose(0, 1) @ self.weight + self.bias)
        features = functional.relu(self.together(found.transpose(0, 1).flatten(1)))
        return 0.05 * self.last(features).view(-1, *landmarks.shape[1:2], 2), features


def places_around(center: Tensor, offsets: Tensor) -> Tensor:
    """Points around centers (..., 2), with offsets (N, 2), as ``grid_sample`` counts them: (..., 2 N).

    The sum is written as a matrix product: ONNX Runtime is slow to add a pair of numbers to many pairs.
    """
    flat = 2 * offsets.flatten()
    return functional.linear(center, 2 * torch.eye(2).to(flat).repeat(len(flat) // 2, 1), flat)


@contextmanager
def half_precision(images: Tensor) -> Iterator[None]:
    """A context with convolutions in bfloat16, if :func:`use_half_precision` turned it on."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=_half):
        yield


def use_half_precision(on: bool) -> None:
    """Turn bfloat16 in :func:`half_precision` on or off; it trains faster on processors that have it."""
    global _half
    _half = on


_half = False
