"""A face crop in; 146 landmarks, 52 blendshape weights, the head's rotation and a face score out.

Landmarks come first and weights are read from them: a network that maps crops to weights directly learns
who people are rather than how they move (measured; see ``experiments/LOG.md``). A trunk at low resolution
finds all points; three small networks then look at the eyes and the mouth at full resolution and correct the
points there, as in Attention Mesh (Grishchenko et al. 2020, arXiv:2006.10962).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

INPUT_PX = 160
TRUNK_PX = 64
WEIGHTS = 51  # tongueOut has no teacher: it is added as zero on export.

# The points that MediaPipe's own blendshape model reads (face_blendshapes_graph.cc, Apache-2.0).
LANDMARKS_146: tuple[int, ...] = tuple(
    int(number)
    for number in """0 1 4 5 6 7 8 10 13 14 17 21 33 37 39 40 46 52 53 54 55 58 61 63 65 66 67 70 78 80 81 82
    84 87 88 91 93 95 103 105 107 109 127 132 133 136 144 145 146 148 149 150 152 153 154 155 157 158 159
    160 161 162 163 168 172 173 176 178 181 185 191 195 197 234 246 249 251 263 267 269 270 276 282 283 284
    285 288 291 293 295 296 297 300 308 310 311 312 314 317 318 321 323 324 332 334 336 338 356 361 362 365
    373 374 375 377 378 379 380 381 382 384 385 386 387 388 389 390 397 398 400 402 405 409 415 454 466 468
    469 470 471 472 473 474 475 476 477""".split()
)
# For each of them the point on the other side of the face; those in the middle are their own.
_OTHER_SIDE: tuple[int, ...] = tuple(
    int(number)
    for number in """0 1 4 5 6 249 8 10 13 14 17 251 263 267 269 270 276 282 283 284 285 288 291 293 295 296
    297 300 308 310 311 312 314 317 318 321 323 324 332 334 336 338 356 361 362 365 373 374 375 377 378
    379 152 380 381 382 384 385 386 387 388 389 390 168 397 398 400 402 405 409 415 195 197 454 466 7 21
    33 37 39 40 46 52 53 54 55 58 61 63 65 66 67 70 78 80 81 82 84 87 88 91 93 95 103 105 107 109 127 132
    133 136 144 145 146 148 149 150 153 154 155 157 158 159 160 161 162 163 172 173 176 178 181 185 191
    234 246 473 476 475 474 477 468 471 470 469 472""".split()
)
PARTNERS: tuple[int, ...] = tuple(LANDMARKS_146.index(number) for number in _OTHER_SIDE)
# Outer eye corners (on the image's left and right) among them.
EYE_CORNERS: tuple[int, int] = (LANDMARKS_146.index(33), LANDMARKS_146.index(263))


class FaceOutput(NamedTuple):
    """What the network says of a batch of B crops.

    Attributes:
        coarse: (B, 146, 3) landmarks of the trunk alone, for the loss.
        landmarks: (B, 146, 3) in units of the region: 0 at its centre, x and y +-0.5 at its edges.
        weights: (B, 51) logits.
        rotation: (B, 6) the first two columns of the head's rotation in the crop, not yet orthonormal.
        score: (B,) logit that the crop holds a face.
    """

    coarse: Tensor
    landmarks: Tensor
    weights: Tensor
    rotation: Tensor
    score: Tensor


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


class WeightsHead(nn.Module):
    """Landmarks (B, 146, 2 or 3) to blendshape logits (B, 51); blind to position and scale."""

    def __init__(self, points: int = len(LANDMARKS_146), width: int = 512) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * points, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, width // 2),
            nn.GELU(),
            nn.Linear(width // 2, WEIGHTS),
        )

    def forward(self, landmarks: Tensor) -> Tensor:
        """Logits (B, 51)."""
        xy = landmarks[..., :2]
        xy = xy - xy.mean(dim=1, keepdim=True)
        scale = xy.square().mean(dim=(1, 2), keepdim=True).sqrt()
        logits: Tensor = self.layers((xy / (scale + 1e-6)).flatten(1))
        return logits


class LocalNet(nn.Module):
    """A square patch (B, 3, 40, 40) to corrections (B, points, 3) of the landmarks inside it."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.points = points
        last = nn.Linear(160, 3 * points)
        # At first nothing is corrected.
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(
            conv(3, 24, 5, 2),
            conv(24, 48, 3, 2),
            conv(48, 48, 3, 1),
            conv(48, 64, 3, 2),
            nn.Flatten(),
            nn.Linear(64 * 25, 160),
            nn.ReLU(),
            last,
        )

    def forward(self, patch: Tensor) -> Tensor:
        """Corrections (B, points, 3) in region units."""
        raw: Tensor = self.layers(patch)
        return 0.1 * raw.view(-1, self.points, 3)


class FaceNet(nn.Module):
    """The whole network.

    Args:
        mean_shape: (146, 3) mean landmarks of the training faces.
        width: channels of the trunk's first stage.
    """

    mean_shape: Tensor
    eye: Tensor
    other_eye: Tensor
    mouth: Tensor
    grid: Tensor

    PATCH_PX = 40
    EYE_SIDE = 0.30
    MOUTH_SIDE = 0.36

    def __init__(self, mean_shape: Tensor, width: int = 48) -> None:
        super().__init__()
        eye, mouth = local_points(mean_shape)
        self.register_buffer("mean_shape", mean_shape)
        self.register_buffer("eye", eye)
        self.register_buffer("other_eye", torch.tensor(PARTNERS)[eye])
        self.register_buffer("mouth", mouth)
        axis = (torch.arange(self.PATCH_PX) + 0.5) / self.PATCH_PX - 0.5
        self.register_buffer("grid", torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1))
        points = len(mean_shape)
        self.trunk = nn.Sequential(
            conv(3, width, 7, 4),
            conv(width, 2 * width, 3, 2),
            Residual(2 * width),
            conv(2 * width, 4 * width, 3, 2),
            nn.Flatten(),
            nn.Linear(4 * width * 16, 384),
            nn.ReLU(),
        )
        self.shape = nn.Linear(384, 3 * points)
        self.score = nn.Linear(384, 1)
        self.eye_net = LocalNet(len(eye))
        self.mouth_net = LocalNet(len(mouth))
        self.weights = WeightsHead(points)
        self.rotation = nn.Sequential(nn.Linear(3 * points, 128), nn.GELU(), nn.Linear(128, 6))
        nn.init.normal_(self.shape.weight, std=1e-3)

    def forward(self, image: Tensor) -> FaceOutput:
        """Crops (B, 3, 160, 160) in 0..1."""
        image = image - 0.5
        small = functional.interpolate(image, size=(TRUNK_PX, TRUNK_PX), mode="bilinear", antialias=False)
        features = self.trunk(small)
        coarse = self.mean_shape + self.shape(features).view(-1, *self.mean_shape.shape)
        landmarks = self.refine(image, coarse)
        centred = landmarks - landmarks.mean(dim=1, keepdim=True)
        return FaceOutput(
            coarse,
            landmarks,
            self.weights(landmarks),
            self.rotation(4 * centred.flatten(1)),
            self.score(features).squeeze(1),
        )

    def refine(self, image: Tensor, coarse: Tensor) -> Tensor:
        """Correct the eyes' and the mouth's points from full-resolution patches around them."""
        xy = coarse[..., :2].detach()
        flip = image.new_tensor([-1.0, 1.0, 1.0])
        eye = self.eye_net(self.patch(image, xy[:, self.eye].mean(dim=1), self.EYE_SIDE))
        # One network serves both eyes: the other one is mirrored on the way in and on the way out.
        mirrored = self.patch(image, xy[:, self.other_eye].mean(dim=1), self.EYE_SIDE).flip(3)
        other = self.eye_net(mirrored) * flip
        mouth = self.mouth_net(self.patch(image, xy[:, self.mouth].mean(dim=1), self.MOUTH_SIDE))
        delta = torch.zeros_like(coarse)
        delta = delta.index_add(1, self.eye, eye)
        delta = delta.index_add(1, self.other_eye, other)
        return coarse + delta.index_add(1, self.mouth, mouth)

    def patch(self, image: Tensor, center: Tensor, side: float) -> Tensor:
        """Patch (B, 3, 40, 40) of the given side (in region units) around centers (B, 2)."""
        grid = 2 * (center[:, None, None, :] + side * self.grid)
        return functional.grid_sample(image, grid, mode="bilinear", align_corners=False)


def local_points(mean_shape: Tensor) -> tuple[Tensor, Tensor]:
    """Indices of the points of the eye on the image's left (with its brow), and of the mouth.

    Args:
        mean_shape: (146, 3) mean landmarks.
    """
    index = {number: place for place, number in enumerate(LANDMARKS_146)}
    x, y = mean_shape[:, 0], mean_shape[:, 1]
    nose_y = y[index[4]]
    eye_center = (mean_shape[index[33], :2] + mean_shape[index[133], :2]) / 2
    mouth_center = (mean_shape[index[61], :2] + mean_shape[index[291], :2]) / 2
    half = FaceNet.EYE_SIDE / 2
    eye = ((x - eye_center[0]).abs() < half) & ((y - eye_center[1]).abs() < half) & (x < -0.02) & (y < nose_y)
    half = FaceNet.MOUTH_SIDE / 2
    mouth = ((x - mouth_center[0]).abs() < half) & ((y - mouth_center[1]).abs() < half) & (y > nose_y + 0.02)
    return eye.nonzero().squeeze(1), mouth.nonzero().squeeze(1)


def rotation_matrix(six: Tensor) -> Tensor:
    """Orthonormalise (B, 6) into rotations (B, 3, 3) (Zhou et al. 2019, arXiv:1812.07035)."""
    first = functional.normalize(six[:, :3], dim=1)
    second = functional.normalize(six[:, 3:] - (first * six[:, 3:]).sum(1, keepdim=True) * first, dim=1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=2)


class FaceExport(nn.Module):
    """The network as the runtime calls it.

    Crops (B, 160, 160, 3) uint8 in; landmarks (B, 146, 3), weights (B, 52) in 0..1, rotations (B, 3, 3) and
    scores (B,) in 0..1 out.
    """

    def __init__(self, net: FaceNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See the class."""
        out = self.net(crops.permute(0, 3, 1, 2).float() / 255)
        weights = torch.cat([torch.sigmoid(out.weights), torch.zeros_like(out.weights[:, :1])], dim=1)
        return out.landmarks, weights, rotation_matrix(out.rotation), torch.sigmoid(out.score)
