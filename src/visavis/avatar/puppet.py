"""Mira, the drawn avatar; ``visavis.avatar.puppet_sheet`` draws an overview of her.

``docs/puppet.md`` describes what each parameter does to the drawing.
"""

from __future__ import annotations

from typing import Protocol, Self

import cv2
import numpy as np

from visavis.avatar.puppet_raster import Raster
from visavis.avatar.rig import Posed, Rig, Springs, pose_rig
from visavis.avatar.rig_load import load_rig
from visavis.base.assets import read_asset
from visavis.errors import InputError
from visavis.types import AvatarPose, ImageArray

RIG = "puppet.json"
Color = tuple[int, int, int]
Background = ImageArray | Color | None
# Side of the squares whose mean colour is put behind what is transparent.
BLEED_PX = 8


class Drawing(Protocol):
    """An avatar that can be drawn: Mira, or a Live2D model."""

    def reset(self) -> None:
        """Stop hair and the like, as before the first pose."""

    def draw(self, pose: AvatarPose, size_px: int = ..., background: Color = ...) -> ImageArray:
        """The next pose of the stream as a picture (size_px, size_px, 3) uint8 RGB."""

    def cut_out(self, pose: AvatarPose, size_px: int = ...) -> ImageArray:
        """The same without a background: (size_px, size_px, 4) uint8 RGBA, not multiplied by alpha."""


class Puppet:
    """Mira, drawn by ThorVG; use one object for each stream of poses.

    Args:
        rig: the drawing and its movements.
    """

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self._springs = Springs(rig.springs)
        self._raster: Raster | None = None
        self._backdrop: ImageArray | None = None

    @classmethod
    def load(cls) -> Self:
        """Read the drawing that comes with the package.

        Raises:
            WeightsError: it is missing or was changed.
            InputError: it is no drawing.
        """
        return cls(load_rig(read_asset(RIG).decode("utf-8"), RIG))

    def reset(self) -> None:
        """Stop the motion of hair and accessories, as before the first pose."""
        self._springs.reset()

    def draw(self, pose: AvatarPose, size_px: int = 512, background: Background = None) -> ImageArray:
        """Draw the next pose of the stream; hair swings for the time since the last pose.

        Args:
            pose: values of the parameters, and their time.
            size_px: side of the picture.
            background: None for the drawing's own backdrop, one RGB colour, or a picture (size_px, size_px,
                3) RGB.

        Returns:
            (size_px, size_px, 3) uint8 RGB.

        Raises:
            InputError: the pose is no pose, the background has another shape, or the size is below 16.
        """
        raster, posed = self._posed(pose, size_px)
        return raster.paint(posed, self._below(background, size_px))

    def cut_out(self, pose: AvatarPose, size_px: int = 512) -> ImageArray:
        """Draw the next pose of the stream without a background.

        Args:
            pose: values of the parameters, and their time.
            size_px: side of the picture.

        Returns:
            (size_px, size_px, 4) uint8 RGBA as of :func:`straight_alpha`.

        Raises:
            InputError: the size is below 16.
        """
        raster, posed = self._posed(pose, size_px)
        return straight_alpha(raster.cut_out(posed))

    def _posed(self, pose: AvatarPose, size_px: int) -> tuple[Raster, Posed]:
        """The raster of this size, and the next pose of the rig."""
        if size_px < 16:
            raise InputError(f"a picture of {size_px} px is too small for the puppet; draw at least 16 px")
        if not isinstance(pose, AvatarPose):
            raise InputError(f"a pose is {type(pose).__name__}; expected an AvatarPose")
        values = pose.values.astype(np.float64)
        posed = pose_rig(self.rig, values, self._springs.advance(values, pose.time_s))
        if self._raster is None or self._raster.size_px != size_px:
            self._raster = Raster(self.rig, size_px, backdrop=False)
            black = np.full((size_px, size_px, 4), (0, 0, 0, 255), np.uint8)
            scene = Raster(self.rig, size_px, backdrop=True).paint(posed, black)
            self._backdrop = np.asarray(cv2.cvtColor(scene, cv2.COLOR_RGB2RGBA), np.uint8)
        return self._raster, posed

    def _below(self, background: Background, size_px: int) -> ImageArray:
        """The background (size_px, size_px, 4) RGBA."""
        if background is None and self._backdrop is not None:
            return self._backdrop
        image = np.asarray(background)
        if image.shape not in ((3,), (size_px, size_px, 3)):
            raise InputError(
                f"background has shape {image.shape}; expected an RGB colour or ({size_px}, {size_px}, 3)"
            )
        below = np.full((size_px, size_px, 4), 255, np.uint8)
        below[..., :3] = image
        return below


def straight_alpha(premultiplied: ImageArray) -> ImageArray:
    """Divide colours by alpha, which video files expect.

    Transparent pixels get the colours nearby: they are not seen, but a lossy video mixes neighbours, and
    black ones would darken the edge.

    Args:
        premultiplied: (H, W, 4) uint8 RGBA, colours multiplied by alpha. Light without alpha becomes opaque.

    Returns:
        (H, W, 4) uint8 RGBA.
    """
    red, green, blue, alpha = cv2.split(premultiplied)
    alpha = cv2.max(cv2.max(red, green), cv2.max(blue, alpha))
    height, width = alpha.shape
    cells = (max(width // BLEED_PX, 1), max(height // BLEED_PX, 1))
    coarse = cv2.resize(premultiplied, cells, interpolation=cv2.INTER_AREA).astype(np.float32)
    # Far from everything visible, it is the mean of all.
    coarse = np.where(coarse[..., 3:] >= 1, coarse, coarse.sum(axis=(0, 1)))
    near = np.minimum(255 * coarse / np.maximum(coarse[..., 3:], 1), 255).astype(np.uint8)
    image = np.asarray(cv2.resize(near, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    cv2.copyTo(premultiplied, alpha, image)
    pixels, partial = image.reshape(-1, 4), np.flatnonzero((alpha > 0) & (alpha < 255))
    edge = pixels[partial].astype(np.float32)
    pixels[partial] = np.rint(255 * edge / alpha.reshape(-1, 1)[partial])
    image[..., 3] = alpha
    return image
