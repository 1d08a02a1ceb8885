"""Mira, the drawn avatar; ``visavis.avatar.puppet_sheet`` draws an overview of her.

``docs/puppet.md`` describes what each parameter does to the drawing.
"""

from __future__ import annotations

from importlib import resources
from typing import Self

import numpy as np

from visavis.avatar.puppet_raster import Raster
from visavis.avatar.rig import Rig, Springs, evaluate
from visavis.avatar.rig_load import load_rig
from visavis.errors import InputError, WeightsError
from visavis.types import AvatarPose, ImageArray

Background = ImageArray | tuple[int, int, int] | None


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
            WeightsError: it is missing.
            InputError: it is damaged.
        """
        file = resources.files("visavis").joinpath("assets", "puppet.json")
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise WeightsError(f"assets/{file.name} cannot be read ({error}); reinstall visavis") from error
        return cls(load_rig(text, file.name))

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
            InputError: the background has another shape, or the size is below 16.
        """
        if size_px < 16:
            raise InputError(f"a picture of {size_px} px is too small for the puppet; draw at least 16 px")
        values = pose.values.astype(np.float64)
        posed = evaluate(self.rig, values, self._springs.advance(values, pose.time_s))
        if self._raster is None or self._raster.size_px != size_px:
            self._raster = Raster(self.rig, size_px, backdrop=False)
            self._backdrop = np.zeros((size_px, size_px, 3), np.uint8)
            Raster(self.rig, size_px, backdrop=True).paint(posed, self._backdrop)
        image = self._before(background, size_px)
        self._raster.paint(posed, image)
        return image

    def _before(self, background: Background, size_px: int) -> ImageArray:
        """A new picture of the background."""
        if background is None and self._backdrop is not None:
            return self._backdrop.copy()
        image = np.asarray(background)
        if image.shape not in ((3,), (size_px, size_px, 3)):
            raise InputError(
                f"background has shape {image.shape}; expected an RGB colour or ({size_px}, {size_px}, 3)"
            )
        return np.ascontiguousarray(np.broadcast_to(image, (size_px, size_px, 3)).astype(np.uint8))
