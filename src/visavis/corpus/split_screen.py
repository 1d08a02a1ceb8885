"""The column that separates the two people in a recording of a call."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visavis.capture.video import VideoFile
from visavis.errors import InputError
from visavis.face.tracker import Tracker
from visavis.types import Face, FloatArray

# Number of faces to search for, so that a third person is noticed.
MOST_FACES = 4
# A face is one of the people if it is at least this wide, relative to the widest: bystanders are smaller.
LEAST_WIDTH = 0.4
LOOK_INTERVAL_S = 0.5
# After this many looks that show two people, the rest of the file is not searched.
ENOUGH_LOOKS = 6
# In a shorter file, this share of the looks must show two people.
LEAST_SHARE = 0.5


def find_cut(path: Path, tracker: Tracker) -> int:
    """The column between two people side by side.

    The whole picture is searched twice a second until two faces were seen often enough. The cut is the middle
    of the picture if it is between the faces, as in every common layout of two tiles; else the middle between
    the faces.

    Args:
        path: the video.
        tracker: follows up to :data:`MOST_FACES` faces; its stream starts again at each look.

    Raises:
        InputError: the file is not a video, or does not show two people side by side.
    """
    counts: list[int] = []
    pairs: list[FloatArray] = []
    with VideoFile(path) as video:
        width = video.size[0]
        next_s = 0.0
        for frame in video:
            if frame.time_s < next_s:
                continue
            next_s = frame.time_s + LOOK_INTERVAL_S
            tracker.reset()
            faces = _people(tracker.update(frame))
            counts.append(len(faces))
            if len(faces) == 2:
                pairs.append(np.stack([face.box_xyxy for face in faces]))
            if len(pairs) >= ENOUGH_LOOKS:
                break
    if len(pairs) < max(LEAST_SHARE * len(counts), 1) and len(pairs) < ENOUGH_LOOKS:
        raise InputError(_refusal(path, counts))
    left_end, right_start = np.median([(pair[0, 2], pair[1, 0]) for pair in pairs], axis=0)
    if left_end >= right_start:
        raise InputError(
            f"{path}: the two faces are not side by side; crop the video, or name two with --pairs"
        )
    middle = width / 2 if left_end <= width / 2 <= right_start else (left_end + right_start) / 2
    return round(float(middle))


def _people(faces: tuple[Face, ...]) -> list[Face]:
    """The faces that are not much smaller than the widest, left to right."""
    widths = [float(face.box_xyxy[2] - face.box_xyxy[0]) for face in faces]
    large = [face for face, width in zip(faces, widths, strict=True) if width >= LEAST_WIDTH * max(widths)]
    return sorted(large, key=lambda face: float(face.box_xyxy[0] + face.box_xyxy[2]))


def _refusal(path: Path, counts: list[int]) -> str:
    usual = int(np.bincount(counts).argmax())
    seen = {0: "no face", 1: "one face"}.get(usual, f"{usual} faces")
    times = sum(count == usual for count in counts)
    return (
        f"{path}: {seen} in {times} of {len(counts)} looks at the picture; expected two people side by side: "
        "name the two people's own videos with --pairs, or another recording"
    )
