"""Faces in image and video files, with the emotions that they show."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from visavis.base.files import PathText, as_path
from visavis.capture.image import IMAGE_SUFFIXES, read_image
from visavis.capture.prefetch import Prefetch
from visavis.capture.video import VIDEO_SUFFIXES, VideoFile
from visavis.emotion.reader import CROP_DOWN, CROP_SCALE
from visavis.errors import InputError, VisavisError
from visavis.face.framing import frames_face
from visavis.face.network import FaceNetwork, LandmarkNetwork
from visavis.face.region import FaceRegion
from visavis.pipeline import Pipeline
from visavis.types import Faces, ImageArray

MAX_FACES = 16
# A picture without a detected face can be a tight face crop if it is about square and has such a size
# (FER-2013 has 48 px, RAF-DB 100, AffectNet 224).
CROPPED_MIN_PX, CROPPED_MAX_PX, CROPPED_MAX_ASPECT = 24, 256, 1.34


@dataclass(frozen=True, slots=True, eq=False)
class FacesInFile:
    """The faces of a file: of its picture, or of each frame of its video.

    Attributes:
        path: the file.
        size: width and height in pixels.
        fps: frames per second of a video; None for an image.
        times_s: time of each frame that was read; 0 for an image.
        faces: faces of each of these frames.
        error: why reading ended early; None if it did not.
    """

    path: Path
    size: tuple[int, int]
    fps: float | None
    times_s: tuple[float, ...]
    faces: tuple[Faces, ...]
    error: VisavisError | None = None

    def __repr__(self) -> str:
        if self.fps is None:
            return f"{self.path}: {self.faces[0]!r}"
        seen = sum(bool(faces) for faces in self.faces)
        return f"{self.path}: a face in {seen} of {len(self.faces)} frames"


def list_media(paths: Iterable[Path]) -> tuple[list[Path], list[tuple[Path, VisavisError]]]:
    """Every file to read, also from folders, and the errors of the others.

    Args:
        paths: files (taken as they are) and folders (searched for images and videos, by their endings).
    """
    media: list[Path] = []
    problems: list[tuple[Path, VisavisError]] = []

    def closed(error: OSError) -> None:
        place = Path(str(error.filename))
        problems.append((place, InputError(f"{place}: cannot be looked into: {error.strerror}")))

    for path in paths:
        if not os.path.isdir(path):
            media.append(path)  # The file's reader gives the best error message.
            continue
        known = len(media) + len(problems)
        for folder, _, names in os.walk(path, onerror=closed):
            inside = (Path(folder, name) for name in names)
            media += sorted(
                p for p in inside if _suffix(p) in IMAGE_SUFFIXES | VIDEO_SUFFIXES and p.is_file()
            )
        if known == len(media) + len(problems):
            problems.append((path, InputError(f"{path}: a folder without images or videos")))
    return media, problems


class Recognizer:
    """Reads faces and emotions, file after file.

    Args:
        pipeline: reads emotions; by default one for up to 16 faces with the embedded networks.
        crops: read all small square pictures without a detected face as face crops; else only those in which
            the face network sees a face crop.
        network: tests whether a picture frames a face; by default the embedded network.

    Raises:
        InputError: the pipeline reads no emotions.
    """

    def __init__(
        self,
        pipeline: Pipeline | None = None,
        *,
        crops: bool = False,
        network: LandmarkNetwork | None = None,
    ) -> None:
        self._pipeline = Pipeline(max_faces=MAX_FACES) if pipeline is None else pipeline
        if not self._pipeline.read_emotions:
            raise InputError("recognition needs a pipeline that reads emotions; found one without a reader")
        self._crops = crops
        self._network = network

    def read_file(self, path: PathText) -> FacesInFile:
        """Read one image or video.

        Raises:
            InputError: nothing of the file can be read. A video that is damaged later does not raise: the
                result holds the error and everything before it.
        """
        path = as_path(path)
        return self.read_video(path) if _suffix(path) in VIDEO_SUFFIXES else self.read_image(path)

    def read_image(self, path: PathText) -> FacesInFile:
        """Read every face in an image.

        Raises:
            InputError: the image cannot be read.
        """
        path = as_path(path)
        image = read_image(path)
        height, width = image.shape[:2]
        return FacesInFile(path, (width, height), None, (0.0,), (self.read_picture(image),))

    def read_picture(self, image_rgb: ImageArray) -> Faces:
        """Read every face in a picture (H, W, 3) uint8.

        Raises:
            InputError: the picture has another shape or type.
        """
        faces = self._pipeline.look(image_rgb)
        height, width = image_rgb.shape[:2]
        if faces or not may_be_crop(width, height) or not (self._crops or self._is_crop(image_rgb)):
            return faces
        square = _whole(image_rgb).crop(image_rgb, max(width, height))
        box = np.asarray([0, 0, width, height], np.float32)
        return Faces([replace(self._pipeline.look_at_crop(square), box_xyxy=box)])

    def read_video(self, path: PathText) -> FacesInFile:
        """Follow the faces in a video.

        Raises:
            InputError: the video cannot be opened.
        """
        path = as_path(path)
        self._pipeline.reset()
        times_s: list[float] = []
        faces: list[Faces] = []
        error: VisavisError | None = None
        with VideoFile(path) as video:
            try:
                with Prefetch(iter(video)) as frames:
                    for frame in frames:
                        # One by one, so that everything before an error is kept.
                        faces.append(self._pipeline.step(frame).faces)
                        times_s.append(frame.time_s)
            except VisavisError as caught:
                error = caught
            return FacesInFile(path, video.size, video.fps, tuple(times_s), tuple(faces), error)

    def _is_crop(self, image: ImageArray) -> bool:
        """Whether the face network sees a face at its place in the emotion stage's crops."""
        self._network = self._network or FaceNetwork()
        around = _whole(image).scaled(1 / CROP_SCALE, -CROP_DOWN / CROP_SCALE)
        return frames_face(image, around, self._network)


def _whole(image: ImageArray) -> FaceRegion:
    """The square around a picture."""
    height, width = image.shape[:2]
    return FaceRegion((width / 2 - 0.5, height / 2 - 0.5), max(width, height))


def may_be_crop(width: int, height: int) -> bool:
    """Whether an image of this size without a detected face can be a face crop."""
    low, high = sorted((width, height))
    return low >= CROPPED_MIN_PX and high <= CROPPED_MAX_PX and high / low <= CROPPED_MAX_ASPECT


def _suffix(path: Path) -> str:
    return path.suffix.lower()
