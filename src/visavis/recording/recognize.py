"""Recognition: the faces in image and video files, with the emotions that they show."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from visavis.capture.image import IMAGE_SUFFIXES, read_image
from visavis.capture.prefetch import Prefetch
from visavis.capture.video import VIDEO_SUFFIXES, VideoFile
from visavis.emotion.opening import DEFAULT
from visavis.emotion.reader import CROP_DOWN, CROP_SCALE
from visavis.emotion.sparse import Keeping
from visavis.errors import InputError, VisavisError
from visavis.face.framing import frames_face
from visavis.face.network import FaceNetwork, LandmarkNetwork
from visavis.face.region import FaceRegion
from visavis.pipeline import EMOTION_CROP_PX, Moment, Pipeline, emotion_region
from visavis.types import Emotion, Face, FaceState, FloatArray, Frame, ImageArray

MAX_FACES = 16
# A picture without a detected face can be a tight face crop itself when it is of such a size (FER-2013 has
# 48 px, RAF-DB 100, AffectNet 224) and about square.
CROPPED_MIN_PX, CROPPED_MAX_PX, CROPPED_MAX_ASPECT = 24, 256, 1.34


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One face and what it shows.

    Attributes:
        box_xyxy: (4,) in image pixels.
        score: 0..1, how sure the face network is that it frames a face; None for a crop, in which no face
            was found whole.
        cropped: the whole image was taken for a face crop.
        state: the face's state; None for a crop.
        emotion: what the face shows; None where unread. Its action units come from the state, so those of
            a crop mean nothing.
        label: the expression to show, in a video steadied over time; None where ``emotion`` is.
        reliability: (52,) in 0..1, how far each blendshape of the state can be believed; None for a crop.
    """

    box_xyxy: FloatArray
    score: float | None
    cropped: bool
    state: FaceState | None
    emotion: Emotion | None
    label: str | None
    reliability: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ReadMoment:
    """The faces in one frame: one at time 0 for an image.

    Attributes:
        time_s: since the file's start.
        faces: largest first.
    """

    time_s: float
    faces: tuple[Reading, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ReadFile:
    """What a file holds.

    Attributes:
        path: the file.
        size: width and height in pixels.
        fps: frames per second of a video; None for an image.
        moments: one for each frame that was read.
        error: why reading ended early; None when it did not.
    """

    path: Path
    size: tuple[int, int]
    fps: float | None
    moments: tuple[ReadMoment, ...]
    error: VisavisError | None = None


def list_media(paths: Iterable[Path]) -> tuple[list[Path], list[tuple[Path, VisavisError]]]:
    """Every file to read, folders unfolded, and what is wrong with the rest.

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
            media.append(path)  # What is wrong with it, if anything, its reader says best.
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
        pipeline: with emotion reading on.
        crops: read small square pictures in which no face is detected whole, as face crops, unasked; else
            only those that the face network sees as one.
        network: says whether a picture frames a face; the embedded one if left out.

    Raises:
        InputError: a pipeline without an emotion reader.
    """

    def __init__(
        self, pipeline: Pipeline, *, crops: bool = False, network: LandmarkNetwork | None = None
    ) -> None:
        if pipeline.reader is None:
            raise InputError("recognition needs a pipeline that reads emotions; found one without a reader")
        self._pipeline = pipeline
        self._reader = pipeline.reader
        self._crops = crops
        self._network = network

    @classmethod
    def default(cls, recognizer: str = DEFAULT, keep: Keeping | None = None, *, crops: bool = False) -> Self:
        """On the weights that the package brings; see :meth:`Pipeline.default` and the class."""
        return cls(Pipeline.default(recognizer=recognizer, keep=keep, max_faces=MAX_FACES), crops=crops)

    def read_file(self, path: Path) -> ReadFile:
        """Read one image or video.

        Raises:
            InputError: nothing of it can be read. A video damaged further on does not raise: the result
                holds the error beside what came before it.
        """
        return self.read_video(path) if _suffix(path) in VIDEO_SUFFIXES else self.read_image(path)

    def read_image(self, path: Path) -> ReadFile:
        """Read every face in an image.

        Raises:
            InputError: the image cannot be read.
        """
        image = read_image(path)
        self._pipeline.reset()
        faces = self._pipeline.tracker.update(Frame(image, 0.0))
        readings = tuple(self._read_face(image, face) for face in faces)
        height, width = image.shape[:2]
        if not readings and may_be_crop(width, height) and (self._crops or self._is_crop(image)):
            readings = (self._read_crop(image),)
        return ReadFile(path, (width, height), None, (ReadMoment(0.0, readings),))

    def read_video(self, path: Path) -> ReadFile:
        """Follow the faces in a video; the largest one's emotion is read.

        Raises:
            InputError: the video cannot be opened.
        """
        self._pipeline.reset()
        moments: list[ReadMoment] = []
        error: VisavisError | None = None
        with VideoFile(path) as video:
            try:
                with Prefetch(iter(video)) as frames:
                    for frame in frames:
                        moment = _read_moment(self._pipeline.step(frame))
                        moments.append(moment)  # One by one, so that what comes before an error is kept.
            except VisavisError as caught:
                error = caught
            return ReadFile(path, video.size, video.fps, tuple(moments), error)

    def _read_face(self, image: ImageArray, face: Face) -> Reading:
        crop = emotion_region(face).crop(image, EMOTION_CROP_PX)
        emotion = self._reader.read_still(crop, face.state)
        return Reading(face.box_xyxy, face.score, False, face.state, emotion, emotion.label, face.reliability)

    def _is_crop(self, image: ImageArray) -> bool:
        """Whether the face network sees a face where the emotion stage's crops have it."""
        self._network = self._network or FaceNetwork()
        around = _whole(image).scaled(1 / CROP_SCALE, -CROP_DOWN / CROP_SCALE)
        return frames_face(image, around, self._network)

    def _read_crop(self, image: ImageArray) -> Reading:
        height, width = image.shape[:2]
        square = _whole(image).crop(image, max(width, height))
        box = np.asarray([0, 0, width, height], np.float32)
        emotion = self._reader.read_still(square)
        return Reading(box, None, True, None, emotion, emotion.label)


def _whole(image: ImageArray) -> FaceRegion:
    """The square around a picture."""
    height, width = image.shape[:2]
    return FaceRegion((width / 2 - 0.5, height / 2 - 0.5), max(width, height))


def may_be_crop(width: int, height: int) -> bool:
    """Whether an image of this size, without a detected face, can be a face crop itself."""
    low, high = sorted((width, height))
    return low >= CROPPED_MIN_PX and high <= CROPPED_MAX_PX and high / low <= CROPPED_MAX_ASPECT


def _read_moment(moment: Moment) -> ReadMoment:
    read = ((moment.emotion, moment.label), *[(None, None)] * len(moment.faces))
    faces = tuple(
        Reading(face.box_xyxy, face.score, False, face.state, emotion, label, face.reliability)
        for face, (emotion, label) in zip(moment.faces, read, strict=False)
    )
    return ReadMoment(moment.frame.time_s, faces)


def _suffix(path: Path) -> str:
    return path.suffix.lower()
