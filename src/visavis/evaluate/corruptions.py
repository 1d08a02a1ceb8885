"""Corruptions of a face picture: dark, blurred, half covered, turned and others.

After Hendrycks and Dietterich 2019, arXiv:1903.12261: named kinds at rising severities. Every kind is a pure
function of the picture (S, S) or (S, S, 3) uint8, its level and a random generator, and gives a new picture
of the same shape. Lengths of blur are in pixels of a face of 48 px and scale with the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np

from visavis.errors import InputError
from visavis.types import ImageArray

# The side of a face for which lengths are stated: FER-2013's.
SIDE_PX = 48
SEVERITIES = (1, 2, 3)
# Gamma from light to grey levels: twice the light is 2^(1 / 2.2) times the level.
_GAMMA = 2.2
# A spot of light fades with a Gaussian of this share of the side.
_SPOT = 0.25
# Middles of eyes and mouth in faces that are cut as in FER-2013, in shares of the side from the top:
# medians over the 393 of 400 random Training faces in which the embedded tracker finds landmarks.
_EYES, _MOUTH = 0.39, 0.79

Corrupt = Callable[[ImageArray, float, np.random.Generator], ImageArray]


@dataclass(frozen=True, slots=True)
class Corruption:
    """One kind of corruption.

    Attributes:
        unit: unit of a level, in words.
        levels: the level of each severity, mild to severe.
        corrupt: corrupts one picture.
    """

    unit: str
    levels: tuple[float, ...]
    corrupt: Corrupt

    def __post_init__(self) -> None:
        if len(self.levels) != len(SEVERITIES):
            raise InputError(f"a corruption needs {len(SEVERITIES)} levels; found {self.levels}")

    def apply(self, image: ImageArray, severity: int, rng: np.random.Generator) -> ImageArray:
        """A corrupted copy of a picture.

        Args:
            image: (S, S) grey or (S, S, 3) RGB, uint8, any S.
            severity: 0 (unchanged) to 3.
            rng: draws places, directions and noise.

        Raises:
            InputError: the picture has another shape or dtype, or the severity is out of range.
        """
        shape = image.shape
        if image.dtype != np.uint8 or shape[2:] not in ((), (3,)) or shape[:1] != shape[1:2] or 0 in shape:
            raise InputError(f"a face must be uint8 (S, S) or (S, S, 3); found {image.dtype} {shape}")
        if severity not in (0, *SEVERITIES):
            raise InputError(f"a severity must be 0 to {SEVERITIES[-1]}; found {severity}")
        return self.corrupt(image, self.levels[severity - 1], rng) if severity else image.copy()


def darken(image: ImageArray, stops: float, rng: np.random.Generator) -> ImageArray:
    """A shorter exposure: the light is halved ``stops`` times (0: unchanged). No noise is added."""
    return np.asarray(cv2.convertScaleAbs(image, alpha=2 ** (-stops / _GAMMA)), np.uint8)


def glare(image: ImageArray, strength: float, rng: np.random.Generator) -> ImageArray:
    """A round light somewhere on the face that mixes in ``strength`` (0..1) of white at its centre."""
    side = len(image)
    center = rng.uniform(0.2, 0.8, 2) * side
    y, x = np.ogrid[:side, :side]
    squared = np.square(y - center[0]) + np.square(x - center[1])
    share = strength * np.exp(-squared / (2 * np.square(_SPOT * side)))
    share = share.reshape(side, side, *[1] * (image.ndim - 2))
    return _as_picture(image + share * (255.0 - image))


def blur(image: ImageArray, sigma_px: float, rng: np.random.Generator) -> ImageArray:
    """A lens out of focus: a Gaussian of this standard deviation (0: unchanged)."""
    sigma = _scaled(sigma_px, image)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8) if sigma > 0 else image.copy()


def motion_blur(image: ImageArray, length_px: float, rng: np.random.Generator) -> ImageArray:
    """A face that moved during the exposure: the mean along a straight line in a random direction.

    Up to 1 px nothing happens.
    """
    reach = max(_scaled(length_px, image) - 1, 0.0) / 2
    angle_rad = rng.uniform(0, np.pi)
    radius = int(np.ceil(reach)) + 1
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    # Points on the line, each shared between its four nearest pixels.
    along = np.linspace(-reach, reach, 4 * radius + 1)
    for x, y in zip(radius + along * np.cos(angle_rad), radius + along * np.sin(angle_rad), strict=True):
        column, row = int(x), int(y)
        weights = np.outer((row + 1 - y, y - row), (column + 1 - x, x - column))
        kernel[row : row + 2, column : column + 2] += weights[: len(kernel) - row, : len(kernel) - column]
    return np.asarray(
        cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8
    )


def cover_eyes(image: ImageArray, height: float, rng: np.random.Generator) -> ImageArray:
    """A bar over the eyes: ``height`` in shares of the side, in the picture's mean colour."""
    return _cover(image, _EYES, height)


def cover_mouth(image: ImageArray, height: float, rng: np.random.Generator) -> ImageArray:
    """A bar over the mouth, as in :func:`cover_eyes`."""
    return _cover(image, _MOUTH, height)


def rotate(image: ImageArray, angle_deg: float, rng: np.random.Generator) -> ImageArray:
    """A tilted head: rotation about the centre to either side; the outside repeats the edge."""
    side = len(image)
    turned = angle_deg if rng.random() < 0.5 else -angle_deg
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), turned, 1.0)
    corrupted = cv2.warpAffine(
        image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(corrupted, np.uint8)


def compress(image: ImageArray, quality: float, rng: np.random.Generator) -> ImageArray:
    """A JPEG of this quality (1 to 100), opened again."""
    gray = image.ndim == 2
    # OpenCV takes blue first, and JPEG keeps red better than blue.
    _, data = cv2.imencode(
        ".jpg",
        image if gray else cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
        (cv2.IMWRITE_JPEG_QUALITY, round(quality)),
    )
    opened = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR), np.uint8)
    return opened if gray else np.asarray(cv2.cvtColor(opened, cv2.COLOR_BGR2RGB), np.uint8)


def shrink(image: ImageArray, side_px: float, rng: np.random.Generator) -> ImageArray:
    """A face far from the camera: shrunk to a width of ``side_px`` and enlarged again."""
    side = len(image)
    small = min(max(round(side_px), 1), side)
    few = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(few, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def add_noise(image: ImageArray, deviation: float, rng: np.random.Generator) -> ImageArray:
    """A noisy sensor: independent normal noise of this standard deviation in grey levels."""
    return _as_picture(image + deviation * rng.standard_normal(image.shape))


def _cover(image: ImageArray, middle: float, height: float) -> ImageArray:
    side = len(image)
    top, bottom = (min(max(round((middle + half) * side), 0), side) for half in (-height / 2, height / 2))
    covered = image.copy()
    covered[top:bottom] = np.rint(image.mean(axis=(0, 1)))
    return covered


def _scaled(length_px: float, image: ImageArray) -> float:
    return length_px * len(image) / SIDE_PX


def _as_picture(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> ImageArray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {
        "darkness": Corruption("stops less light", (2, 4, 6), darken),
        "glare": Corruption("share of white", (0.5, 0.75, 1.0), glare),
        "blur": Corruption("sigma, px", (1, 1.5, 2), blur),
        "motion blur": Corruption("length, px", (5, 9, 13), motion_blur),
        "eyes covered": Corruption("share of side", (0.15, 0.25, 0.35), cover_eyes),
        "mouth covered": Corruption("share of side", (0.15, 0.25, 0.35), cover_mouth),
        "rotation": Corruption("degrees", (10, 20, 30), rotate),
        "JPEG": Corruption("quality", (30, 15, 5), compress),
        "low resolution": Corruption("side, px", (24, 16, 12), shrink),
        "noise": Corruption("grey levels", (10, 20, 40), add_noise),
    }
)
