"""The face network: 146 landmarks, 52 blendshape weights, the head's rotation and a face score of a crop.

Landmarks come first, and weights are read from them. A network that maps crops directly to weights learns
who people are, not how they move (measured; see ``experiments/LOG.md``). A trunk at low resolution
finds all points. Small networks then look at the eyes and the mouth at full resolution and correct the
points there, as in Attention Mesh (Grishchenko et al. 2020, arXiv:2006.10962). Landmarks cannot show cheeks,
nose and tongue, so a second head reads these. It also gets the features of the pictures.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from visavis.face.mesh import LANDMARKS_146, OUTER_EYE_CORNERS
from visavis_train.face.parts import (
    LocalNet,
    Residual,
    ShapeIndexedNet,
    TruthHead,
    WeightsHead,
    conv,
    fused,
    half_precision,
    places_around,
)

# For each of the 146 landmarks, the point on the other side of the face; middle points map to themselves.
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
# The irises among them: a centre and four points around it, for each eye.
IRISES: tuple[int, ...] = tuple(LANDMARKS_146.index(number) for number in range(468, 478))
# Outer eye corners (on the image's left and right) among them.
EYE_CORNERS: tuple[int, int] = (
    LANDMARKS_146.index(OUTER_EYE_CORNERS[0]),
    LANDMARKS_146.index(OUTER_EYE_CORNERS[1]),
)


class FaceOutput(NamedTuple):
    """The network's answers for a batch of B crops.

    Attributes:
        coarse: (B, 146, 3) landmarks of only the trunk, for the loss.
        landmarks: (B, 146, 3) in units of the region: 0 at its centre, x and y +-0.5 at its edges.
        weights: (B, 51) logits of the teacher's answers, only from the landmarks.
        truth: (B, 52) logits from landmarks and pictures, trained on faces with known weights.
        rotation: (B, 6) the first two columns of the head's rotation in the crop, not yet orthonormal.
        score: (B,) logit that the crop frames a face.
        seen: (B, 3) logits that the eye on the image's left, the other eye and the mouth are not covered.
        mesh: (B, 146, 2) points as the mesh of rendered faces has them, from the pictures' features. Only the
            training uses them: the teacher places its points otherwise, and exact points teach the features
            what small movements look like.
    """

    coarse: Tensor
    landmarks: Tensor
    weights: Tensor
    truth: Tensor
    rotation: Tensor
    score: Tensor
    seen: Tensor
    mesh: Tensor


class FaceNet(nn.Module):
    """The whole network.

    Args:
        mean_shape: (146, 3) mean landmarks of the training faces.
        width: channels of the trunk's first stage.
    """

    mean_shape: Tensor
    eye: Tensor
    mouth: Tensor
    other_eye: Tensor
    grid: Tensor
    centers: Tensor
    places: Tensor
    across: Tensor

    PATCH_PX = 48
    EYE_SIDE = 0.34
    MOUTH_SIDE = 0.40
    TRUNK_FEATURES = 320

    def __init__(self, mean_shape: Tensor, width: int = 48) -> None:
        super().__init__()
        eye, mouth = local_points(mean_shape)
        other_eye = torch.tensor(PARTNERS)[eye]
        points = len(mean_shape)
        self.register_buffer("mean_shape", mean_shape)
        self.register_buffer("eye", eye)
        self.register_buffer("other_eye", other_eye)
        self.register_buffer("mouth", mouth)
        axis = (torch.arange(self.PATCH_PX) + 0.5) / self.PATCH_PX - 0.5
        self.register_buffer("grid", torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1))
        # Constant matrices: means of each group of points, and targets of corrections. A multiplication
        # is faster at run time than gather and scatter.
        centers = torch.zeros(3, points)
        for row, group in enumerate((eye, other_eye, mouth)):
            centers[row, group] = 1 / len(group)
        self.register_buffer("centers", centers)
        self.register_buffer("across", torch.tensor([-1.0, 1.0, 1.0]), persistent=False)
        self.register_buffer("places", torch.eye(points)[torch.cat([eye, other_eye, mouth])])
        self.trunk = nn.Sequential(
            conv(3, width, 7, 4),
            conv(width, 2 * width, 3, 2),
            Residual(2 * width),
            conv(2 * width, 3 * width, 3, 2),
            Residual(3 * width),
            conv(3 * width, 64, 1),
        )
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(64 * 25, self.TRUNK_FEATURES), nn.ReLU())
        self.shape = nn.Linear(self.TRUNK_FEATURES, 3 * points)
        self.score = nn.Linear(self.TRUNK_FEATURES, 1)
        self.eye_net = LocalNet(len(eye))
        self.mouth_net = LocalNet(len(mouth))
        self.weights = WeightsHead(points)
        looks = self.TRUNK_FEATURES + 3 * LocalNet.FEATURES
        self.truth = TruthHead(looks + ShapeIndexedNet.FEATURES, points)
        self.seen = nn.Sequential(
            nn.BatchNorm1d(looks), nn.Dropout(0.3), nn.Linear(looks, 64), nn.ReLU(), nn.Linear(64, 3)
        )
        self.rotation = nn.Sequential(nn.Linear(3 * points, 128), nn.GELU(), nn.Linear(128, 6))
        nn.init.normal_(self.shape.weight, std=1e-3)
        self.indexed = ShapeIndexedNet(points)
        self.mesh = nn.Linear(looks + ShapeIndexedNet.FEATURES, 2 * points)
        nn.init.zeros_(self.mesh.weight)
        nn.init.zeros_(self.mesh.bias)

    def forward(self, image: Tensor) -> FaceOutput:
        """Crops (B, 3, 160, 160) in 0..1."""
        coarse, landmarks, features, looks = self.looks(image - 0.5)
        # In ONNX Runtime, a mean over channels takes two thirds of the time of sampling all patches.
        grey = (image[:, :1] + image[:, 1:2] + image[:, 2:]) / 3
        landmarks, truth, close = self.refine(grey, landmarks, looks)
        return FaceOutput(
            coarse,
            landmarks,
            self.weights(landmarks),
            truth,
            self.turned(landmarks),
            self.score(features).squeeze(1),
            self.seen(looks),
            self.mesh_points(landmarks, looks, close),
        )

    def turned(self, landmarks: Tensor) -> Tensor:
        """The head's rotation (B, 6) from landmarks (B, 146, 3); see :class:`FaceOutput`."""
        centered = landmarks - landmarks.mean(dim=1, keepdim=True)
        rotation: Tensor = self.rotation(4 * centered.flatten(1))
        return rotation

    def looks(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Landmarks of the trunk and corrected ones, and features of the trunk and of all pictures (B, 800).

        Args:
            image: (B, 3, 160, 160) in -0.5..0.5.
        """
        with half_precision(image):
            maps = self.trunk(functional.avg_pool2d(image, 2))
        features = self.features(maps.float())
        coarse = self.mean_shape + self.shape(features).view(-1, *self.mean_shape.shape)
        correction, looks = self.look_closely(image, coarse)
        return coarse, coarse + correction, features, torch.cat([features, looks], dim=1)

    def mesh_points(self, landmarks: Tensor, looks: Tensor, close: Tensor) -> Tensor:
        """The mesh's points (B, 146, 2); see :class:`FaceOutput`."""
        moved: Tensor = self.mesh(torch.cat([looks, close], dim=1))
        return landmarks[..., :2].detach() + 0.1 * moved.view(len(looks), -1, 2)

    def refine(self, grey: Tensor, landmarks: Tensor, looks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Better landmarks (B, 146, 3), the truth head's logits (B, 52), and the patches' features (B, 192).

        Args:
            grey: (B, 1, 160, 160) in 0..1.
            landmarks: (B, 146, 3) of :meth:`looks`.
            looks: (B, 800) features of :meth:`looks`.
        """
        moved, close = self.indexed(grey, landmarks.detach())
        landmarks = landmarks + functional.pad(moved, (0, 1))
        return landmarks, self.truth(landmarks, torch.cat([looks, close], dim=1)), close

    def look_closely(self, image: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Corrections (B, 146, 3) of eyes and mouth, and the features (B, 480) of their patches."""
        eye_xy, other_xy, mouth_xy = (self.centers @ coarse[..., :2].detach()).unbind(dim=1)
        eye = self.patch(image, eye_xy, self.EYE_SIDE)
        # The other eye is mirrored, so both eyes share one network.
        other = self.patch(image, other_xy, self.EYE_SIDE).flip(3)
        eyes, eye_features = self.eye_net(torch.cat([eye, other]))
        mouth, mouth_features = self.mouth_net(self.patch(image, mouth_xy, self.MOUTH_SIDE))
        left, right = eyes.view(2, -1, self.eye_net.points, 3)
        right = right * self.across
        moved = torch.cat([left, right, mouth.view(-1, self.mouth_net.points, 3)], dim=1)
        both = eye_features.view(2, -1, LocalNet.FEATURES)
        return self.places.T @ moved, torch.cat([both[0], both[1], mouth_features], dim=1)

    def patch(self, image: Tensor, center: Tensor, side: float) -> Tensor:
        """Patch (B, 3, 48, 48) of the given side (in region units) around centers (B, 2)."""
        grid = places_around(center, side * self.grid).view(-1, self.PATCH_PX, self.PATCH_PX, 2)
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

    Crops (B, 160, 160, 3) uint8 -> landmarks (B, 146, 3), weights (B, 52) in 0..1, rotations (B, 3, 3),
    scores (B,) in 0..1 and seen (B, 3) in 0..1: 0 for a probability of at most 0.2, 1 from 0.8 on.

    Args:
        net: the trained network.
        share: (52,) 0..1, see :func:`~visavis_train.face.parts.fused`. A negative share: the channel is not
            read, and its weight is 0.
        doubt: (52,) see there.
        offset: (52,) added to the logit.
    """

    share: Tensor
    doubt: Tensor
    offset: Tensor
    read: Tensor

    def __init__(self, net: FaceNet, share: Tensor, doubt: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.net = net
        net.mesh.requires_grad_(False)  # Not in the file, and not counted.
        self.register_buffer("offset", offset)
        self.register_buffer("doubt", doubt)
        self.register_buffer("share", share.clamp(min=0))
        self.register_buffer("read", (share >= 0).float())

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """See the class."""
        out = self.net(crops.permute(0, 3, 1, 2).float() / 255)
        teacher = functional.pad(out.weights, (0, 1))
        weights = self.read * torch.sigmoid(fused(teacher, out.truth, self.share, self.doubt) + self.offset)
        seen = ((torch.sigmoid(out.seen) - 0.2) / 0.6).clamp(0, 1)
        return out.landmarks, weights, rotation_matrix(out.rotation), torch.sigmoid(out.score), seen
