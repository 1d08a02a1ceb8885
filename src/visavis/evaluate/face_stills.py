"""Still faces: crops of a pack compared with their labels, and pictures without a face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.base.reading import files_with_endings
from visavis.capture.image import IMAGE_SUFFIXES, read_image
from visavis.datasets.face_labels import FaceLabelPack
from visavis.errors import InputError
from visavis.evaluate.face_figures import FaceFigures, Readings
from visavis.face.geometry import euler_angles
from visavis.face.network import LandmarkNetwork
from visavis.face.tracker import Tracker
from visavis.types import FloatArray, Frame


class NumberedNetwork(LandmarkNetwork, Protocol):
    """A face network that states its landmarks' numbers among MediaPipe's 478."""

    landmark_numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FalseFaces:
    """Pictures without a face.

    Attributes:
        faces: number of faces found in each picture, by its name.
    """

    faces: dict[str, int]


def measure_pack(
    pack: FaceLabelPack, network: NumberedNetwork, rows: NDArray[np.intp], on_face: Callable[[], None]
) -> FaceFigures:
    """Let the network read some rows of a pack, at least one, each framed by its label."""
    readings = []
    for row in rows:
        readings.append(network.read(np.asarray(pack.crops[row]), [pack.region])[0])
        on_face()
    labels = pack.labels
    ours = Readings(
        np.stack([reading.weights for reading in readings]),
        _angles(np.stack([reading.rotation for reading in readings])),
        np.stack([reading.landmarks[:, :2] for reading in readings]),
        np.asarray(network.landmark_numbers, np.int32),
    )
    truth = Readings(
        labels.weights[rows], _angles(labels.rotation[rows]), labels.landmarks[rows, :, :2], labels.numbers
    )
    return FaceFigures.of(ours, truth)


def _angles(rotation: FloatArray) -> FloatArray:
    return np.asarray([euler_angles(each) for each in rotation], np.float32)


def count_false_faces(folder: Path, tracker: Tracker, on_picture: Callable[[], None]) -> FalseFaces:
    """Look for faces in every picture of a folder of pictures without faces.

    Raises:
        InputError: there is no picture, or a picture cannot be read.
    """
    found = {}
    for path in pictures_in(folder):
        tracker.reset()
        found[str(path.relative_to(folder))] = len(tracker.update(Frame(read_image(path), 0.0)))
        on_picture()
    return FalseFaces(found)


def pictures_in(folder: Path) -> list[Path]:
    """Every picture in a folder and its subfolders.

    Raises:
        InputError: the folder is missing or has no pictures.
    """
    paths = files_with_endings(folder, IMAGE_SUFFIXES)
    if not paths:
        raise InputError(f"{folder}: no folder with pictures")
    return paths
