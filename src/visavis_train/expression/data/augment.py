"""Augmentation of batches of grey faces: moved, relit, partly covered, standardised."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from visavis_train.expression.models.heads import Reading
from visavis_train.loop.experiment import Settings


class Augmentation(Settings):
    """How far a face may be changed.

    Attributes:
        mirror: share of faces that are mirrored.
        rotation_deg: largest rotation in either direction.
        scale: largest relative change of size in either direction.
        shift: largest shift in either direction, as a share of the side.
        gamma: largest change of log2 gamma in either direction.
        blur: share of faces sampled at half the resolution, like small faces in a video.
        erase: share of faces in which a rectangle is covered.
        erase_area: largest covered share of the picture.
    """

    mirror: float = Field(default=0.5, ge=0, le=1)
    rotation_deg: float = Field(default=12.0, ge=0)
    scale: float = Field(default=0.12, ge=0, lt=1)
    shift: float = Field(default=0.08, ge=0)
    gamma: float = Field(default=0.5, ge=0)
    blur: float = Field(default=0.1, ge=0, le=1)
    erase: float = Field(default=0.25, ge=0, le=1)
    erase_area: float = Field(default=0.2, gt=0, le=1)


def augment(
    images: Tensor,
    size_px: int,
    how: Augmentation,
    rng: torch.Generator,
    mirrored: Tensor | None = None,
    reading: Reading | None = None,
) -> Tensor:
    """Change each face at random.

    Args:
        images: (N, 1, H, W) uint8.
        size_px: side of the result.
        how: the ranges.
        rng: source of randomness, on the device of the images.
        mirrored: (N,) bool, which faces to mirror; None: a share of them, at random.
        reading: how pixels are scaled; None: standardised per face.

    Returns:
        (N, 1, size_px, size_px) float32.
    """
    gray = images.float().div_(255)
    soft = torch.rand(len(gray), generator=rng, device=rng.device) < how.blur
    if how.blur > 0:  # All are blurred, because to know which ones would mean waiting for a GPU.
        small = functional.interpolate(gray, scale_factor=0.5, mode="area")
        blurred = functional.interpolate(small, size=gray.shape[-2:], mode="bilinear")
        gray = torch.where(soft[:, None, None, None], blurred, gray)
    placements = _placements(len(gray), how, rng, mirrored)
    grid = functional.affine_grid(placements, [len(gray), 1, size_px, size_px], False)
    moved = functional.grid_sample(gray, grid, mode="bilinear", padding_mode="border", align_corners=False)
    gamma = torch.exp2(how.gamma * _either_way(len(moved), rng)).reshape(-1, 1, 1, 1)
    reading = reading or Reading()
    relit = reading.scale(moved.clamp_(1e-3, 1).pow_(gamma))
    # Noise of the mean and the spread that faces have on average.
    return _erase(relit, how, rng, *((0.0, 1.0) if reading.pixels == "standardized" else (0.5, 0.25)))


def _either_way(n: int, rng: torch.Generator) -> Tensor:
    return torch.rand(n, generator=rng, device=rng.device) * 2 - 1


def _placements(n: int, how: Augmentation, rng: torch.Generator, mirrored: Tensor | None) -> Tensor:
    """Affine maps (N, 2, 3) from the result's coordinates (-1..1) to the picture's."""
    angle = _either_way(n, rng) * math.radians(how.rotation_deg)
    zoom = 1 + how.scale * _either_way(n, rng)
    drawn = torch.rand(n, generator=rng, device=rng.device) < how.mirror
    mirror = torch.where(drawn if mirrored is None else mirrored, -1.0, 1.0)
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    across, down = (2 * how.shift * _either_way(n, rng) for _ in range(2))
    rows = [torch.stack([mirror * cos, -sin, across], 1), torch.stack([mirror * sin, cos, down], 1)]
    return torch.stack(rows, 1)


def _erase(images: Tensor, how: Augmentation, rng: torch.Generator, mean: float, spread: float) -> Tensor:
    """Cover a rectangle of some faces with noise (Zhong et al. 2017, arXiv:1708.04896)."""
    n, _, height, width = images.shape
    draws = torch.rand(n, 5, generator=rng, device=rng.device)
    area = draws[:, 0] * how.erase_area
    aspect = torch.exp2(2 * draws[:, 1] - 1)
    half_h, half_w = (area * aspect).sqrt() / 2, (area / aspect).sqrt() / 2
    y = torch.linspace(0, 1, height, device=rng.device)[None, :] - draws[:, 2:3]
    x = torch.linspace(0, 1, width, device=rng.device)[None, :] - draws[:, 3:4]
    covered = (y.abs() < half_h[:, None])[:, :, None] & (x.abs() < half_w[:, None])[:, None, :]
    covered &= (draws[:, 4] < how.erase)[:, None, None]
    noise = mean + spread * torch.randn(images.shape, generator=rng, device=rng.device)
    return torch.where(covered[:, None], noise, images)
