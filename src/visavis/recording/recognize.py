"""Faces in image and video files, with the expressions that they show."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path

import numpy as np

from visavis.base.arrays import require_flag
from visavis.base.closing import Closing
from visavis.base.files import PathText, as_path
from visavis.base.machine import usable_threads
from visavis.capture.image import IMAGE_SUFFIXES, is_picture, read_image
from visavis.capture.video import VIDEO_SUFFIXES, VideoFile
from visavis.errors import InputError, VisavisError
from visavis.expression.reader import CROP_DOWN, CROP_SCALE
from visavis.face.framing import frames_face
from visavis.face.network import FaceNetwork
from visavis.face.region import FaceRegion
from visavis.pipeline import Pipeline, Sighting
from visavis.recording.parts import follow_faces
from visavis.types import Faces, ImageArray

MAX_FACES = 16
# Pictures that the networks read together, and the number of values at which they wait for no more pictures.
BATCH, MOST_VALUES = 16, 50_000_000
# A picture without a detected face can be a tight face crop if it is about square and has such a size
# (FER-2013 has 48 px, RAF-DB 100, AffectNet 224).
CROPPED_MIN_PX, CROPPED_MAX_PX, CROPPED_MAX_ASPECT = 24, 256, 1.34


@dataclass(frozen=True, slots=True, eq=False)
class FacesInPicture:
    """The faces of an image file.

    Attributes:
        path: the file.
        size: width and height in pixels.
        faces: its faces, largest first.
    """

    path: Path
    size: tuple[int, int]
    faces: Faces

    def __repr__(self) -> str:
        return f"{self.path}: {self.faces!r}"


class FacesInVideo(Closing):
    """The faces of a video file; iterate over it once, inside ``with``. Only what is being read is kept.

    Args:
        path: the file.
        make_pipeline: makes the pipeline; it can be pickled.
        jobs: how many processes read a long video; by default one for each thread of the processor.

    Attributes:
        path: the file.
        size: width and height in pixels.
        fps: frames per second.

    Raises:
        InputError: the video cannot be opened.
    """

    def __init__(self, path: Path, make_pipeline: Callable[[], Pipeline], jobs: int | None = None) -> None:
        self.path = path
        self._video = VideoFile(path)
        self.size, self.fps = self._video.size, self._video.fps
        self._make_pipeline, self._jobs = make_pipeline, jobs

    def __iter__(self) -> Generator[Sighting, None, None]:
        """The faces of each frame.

        Raises:
            InputError: after the last good frame of a damaged video.
        """
        with closing(follow_faces(self._video, self._make_pipeline, self._jobs)) as frames:
            yield from frames

    def close(self) -> None:
        """Close the video."""
        self._video.close()


def list_media(paths: Iterable[Path]) -> tuple[list[Path], list[tuple[Path, VisavisError]], list[Path]]:
    """Every file to read, also from folders; the errors of the others; and the files that are passed over.

    Args:
        paths: files (taken as they are) and folders (searched for images and videos, by their endings; passed
            over are links to folders, and hidden files: macOS puts one beside each file on a foreign disk).
    """
    media: list[Path] = []
    problems: list[tuple[Path, VisavisError]] = []
    passed_over: list[Path] = []

    def closed(error: OSError) -> None:
        place = Path(str(error.filename))
        problems.append((place, InputError(f"{place}: cannot be looked into: {error.strerror}")))

    for path in paths:
        if not os.path.isdir(path):
            media.append(path)  # The file's reader gives the best error message.
            continue
        known = len(media) + len(problems)
        for folder, folders, names in os.walk(path, onerror=closed):
            folders.sort()  # the order in which they are searched
            # Folders behind links are not searched: they may lead back to a folder above.
            passed_over += (place for name in folders if (place := Path(folder, name)).is_symlink())
            for path_inside in sorted(Path(folder, name) for name in names):
                known_ending = path_inside.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES
                wanted = known_ending and not path_inside.name.startswith(".") and path_inside.is_file()
                (media if wanted else passed_over).append(path_inside)
        if known == len(media) + len(problems):
            problems.append((path, InputError(f"{path}: a folder without images or videos")))
    return media, problems, passed_over


class Recognizer:
    """Reads faces and expressions in pictures.

    Args:
        pipeline: reads expressions; by default one for up to 16 faces with the embedded networks.
        crops: read all small square pictures without a detected face as face crops; else only those in which
            the face network sees a face crop.

    Raises:
        InputError: the pipeline reads no expressions.
    """

    def __init__(self, pipeline: Pipeline | None = None, *, crops: bool = False) -> None:
        self._pipeline = Pipeline(max_faces=MAX_FACES) if pipeline is None else pipeline
        if not self._pipeline.read_expressions:
            raise InputError(
                "recognition needs a pipeline that reads expressions; found one without a reader"
            )
        require_flag("crops", crops)
        self._crops = crops
        self._network: FaceNetwork | None = None  # Opened when it is needed.

    def read_image(self, path: PathText) -> FacesInPicture:
        """Read every face in an image.

        Raises:
            InputError: the image cannot be read.
        """
        (read,) = self.read_images([as_path(path)])
        if isinstance(read, VisavisError):
            raise read
        return read

    def read_images(self, paths: Sequence[Path]) -> list[FacesInPicture | VisavisError]:
        """Read every face in several images, whose faces the networks read together.

        Returns:
            For each image its faces, or why it cannot be read.
        """
        read: list[FacesInPicture | VisavisError] = []
        images: list[tuple[Path, ImageArray]] = []
        for path in paths:
            try:
                images.append((path, read_image(path)))
            except VisavisError as error:
                read += [*self._read_together(images), error]
                images = []
            if sum(image.size for _, image in images) > MOST_VALUES:
                read += self._read_together(images)
                images = []
        return read + self._read_together(images)

    def _read_together(
        self, images: Sequence[tuple[Path, ImageArray]]
    ) -> list[FacesInPicture | VisavisError]:
        faces = self.read_pictures([image for _, image in images]) if images else []
        pairs = zip(images, faces, strict=True)
        return [
            FacesInPicture(path, (image.shape[1], image.shape[0]), found) for (path, image), found in pairs
        ]

    def read_pictures(self, images_rgb: Sequence[ImageArray]) -> list[Faces]:
        """Read every face in pictures (H, W, 3) uint8.

        Raises:
            InputError: a picture has another shape or type.
        """
        looked = self._pipeline.look_at_all(images_rgb)
        return [faces or self._whole_face(image) for faces, image in zip(looked, images_rgb, strict=True)]

    def _whole_face(self, image_rgb: ImageArray) -> Faces:
        """The face in a picture that may be a tight crop of one."""
        height, width = image_rgb.shape[:2]
        if not may_be_crop(width, height) or not (self._crops or self._is_crop(image_rgb)):
            return Faces()
        square = _whole(image_rgb).crop(image_rgb, max(width, height))
        box = np.asarray([0, 0, width, height], np.float32)
        return Faces([replace(self._pipeline.look_at_crop(square), box_xyxy=box)])

    def _is_crop(self, image: ImageArray) -> bool:
        """Whether the face network sees a face at its place in the expression stage's crops."""
        self._network = self._network or FaceNetwork()
        around = _whole(image).scaled(1 / CROP_SCALE, -CROP_DOWN / CROP_SCALE)
        return frames_face(image, around, self._network)


def read_media(
    media: Sequence[Path],
    make_pipeline: Callable[[], Pipeline],
    *,
    crops: bool = False,
    jobs: int | None = None,
) -> Generator[tuple[Path, FacesInPicture | FacesInVideo | VisavisError], None, None]:
    """Read files in order; pictures are decoded and read ahead, several at once.

    Args:
        media: images and videos.
        make_pipeline: makes each thread's pipeline, and each process's for long videos; it can be pickled.
        crops: see :class:`Recognizer`.
        jobs: number of threads or processes; by default one for each thread of the processor.

    Yields:
        Each file with the faces of the picture; or with the faces of the video, to be read before the next
        file is asked for; or with the error if it cannot be read.
    """
    most = usable_threads() if jobs is None else jobs
    own = threading.local()

    def read(paths: Sequence[Path]) -> list[FacesInPicture | VisavisError]:
        if not hasattr(own, "recognizer"):
            own.recognizer = Recognizer(make_pipeline(), crops=crops)
        recognizer: Recognizer = own.recognizer
        return recognizer.read_images(paths)

    threads = ThreadPoolExecutor(most, thread_name_prefix="recognize")
    ahead: deque[tuple[Sequence[Path], Future[list[FacesInPicture | VisavisError]] | None]] = deque()
    rest = _batches(media, most)
    try:
        while True:
            for batch in islice(rest, 2 * most - len(ahead)):
                ahead.append((batch, None if _is_video(batch[0]) else threads.submit(read, batch)))
            if not ahead:
                return
            paths, future = ahead.popleft()
            if future is None:
                yield from _read_video(paths[0], make_pipeline, jobs)
                continue
            yield from zip(paths, future.result(), strict=True)
    finally:
        threads.shutdown(cancel_futures=True)


def _read_video(
    path: Path, make_pipeline: Callable[[], Pipeline], jobs: int | None
) -> Generator[tuple[Path, FacesInVideo | VisavisError], None, None]:
    try:
        video = FacesInVideo(path, make_pipeline, jobs)
    except VisavisError as error:
        yield path, error
    else:
        with video:
            yield path, video


def _batches(media: Sequence[Path], jobs: int) -> Generator[list[Path], None, None]:
    """Neighboring pictures in groups, few enough for all threads; each video alone."""
    most = min(BATCH, -(-len(media) // jobs))
    for alone, paths in groupby(media, _is_video):
        while batch := list(islice(paths, 1 if alone else most)):
            yield batch


def _is_video(path: Path) -> bool:
    return not is_picture(path)


def _whole(image: ImageArray) -> FaceRegion:
    """The square around a picture."""
    height, width = image.shape[:2]
    return FaceRegion((width / 2 - 0.5, height / 2 - 0.5), max(width, height))


def may_be_crop(width: int, height: int) -> bool:
    """Whether an image of this size without a detected face can be a face crop."""
    low, high = sorted((width, height))
    return low >= CROPPED_MIN_PX and high <= CROPPED_MAX_PX and high / low <= CROPPED_MAX_ASPECT
