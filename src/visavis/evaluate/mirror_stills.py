"""Stills of each movement in clips: the face, and the avatar below it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from visavis.avatar.puppet import Puppet
from visavis.avatar.puppet_sheet import write_png
from visavis.capture.video import VideoFile
from visavis.channels import BLENDSHAPES, FACE_MEASURES
from visavis.errors import InputError
from visavis.face.region import FaceRegion
from visavis.types import AvatarPose, Face, Frame, ImageArray

SIDE_PX = 220
COLUMNS = 8
PAPER_RGB, INK_RGB = (238, 238, 252), (70, 66, 120)
# If the score of a movement stays below this, no face shows it.
LEAST = 0.25
# A face's box is enlarged by this factor.
MARGIN = 1.5


NAMES = (*BLENDSHAPES, *FACE_MEASURES)
_REACHES = np.asarray([reach for _, reach in FACE_MEASURES.values()])


def _moves(faces: Sequence[Face]) -> list[dict[str, float]]:
    """How far each face is from the person's median face: weights above it, measures in reaches."""
    weights = np.stack([face.state.weights for face in faces])
    raised = np.maximum(weights - np.median(weights, axis=0), 0.0)
    known = [face.measures for face in faces if len(face.measures)]
    rest = np.median(np.stack(known or [np.zeros(len(FACE_MEASURES), np.float32)]), axis=0)
    measures = np.stack([face.measures if len(face.measures) else rest for face in faces])
    rows = np.hstack([raised, (measures - rest) / _REACHES])
    return [dict(zip(NAMES, row, strict=True)) for row in rows.tolist()]


def _pair(move: Mapping[str, float], name: str) -> float:
    return (move[f"{name}Left"] + move[f"{name}Right"]) / 2


# How much a face shows of each movement, from :func:`_moves`.
MOVEMENTS: Mapping[str, Callable[[Mapping[str, float]], float]] = {
    "toothy smile": lambda move: (
        math.sqrt(_pair(move, "mouthSmile") * _pair(move, "mouthUpperUp")) - move["jawOpen"]
    ),
    "laugh": lambda move: math.sqrt(_pair(move, "mouthSmile") * move["jawOpen"]),
    "yawn": lambda move: move["mouthOpening"] - _pair(move, "mouthSmile"),
    "mouth to the left": lambda move: move["mouthLeft"],
    "mouth to the right": lambda move: move["mouthRight"],
    "pout": lambda move: move["mouthPucker"] - move["jawOpen"],
    "corners down": lambda move: -move["mouthCornerLeft"] - 3 * abs(move["mouthOpening"]),
    "one corner": lambda move: abs(move["mouthCornerLeft"] - move["mouthCornerRight"]),
    # The rise is visible, not only estimated.
    "brows up": lambda move: min(_pair(move, "browOuterUp") + move["browInnerUp"], _pair(move, "brow")),
    "brows down": lambda move: _pair(move, "browDown") - _pair(move, "browOuterUp"),
    "eyes shut": lambda move: -1 - move["lidLeft"] - move["lidRight"],
    "half a wink": lambda move: abs(move["lidLeft"] - move["lidRight"]),
    "gaze aside": lambda move: abs(move["gazeX"]),
    "puffed cheeks": lambda move: move["cheekPuff"],
    "sneer": lambda move: _pair(move, "noseSneer"),
    "tongue": lambda move: move["tongueOut"],
}


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """A clip with the results of each frame.

    Attributes:
        path: the video.
        faces: the face in each frame; None if none was found.
        poses: the avatar's poses.
    """

    path: Path
    faces: Sequence[Face | None]
    poses: Sequence[AvatarPose]


def write_stills(path: Path, clips: Sequence[Followed], *, outlines: bool) -> list[str]:
    """Draw each movement at its strongest in all clips, with the avatar's picture below the face.

    Args:
        path: the picture file.
        clips: clips to search.
        outlines: show only the face's landmarks, so that nobody can be recognised.

    Returns:
        The movements that no face showed.

    Raises:
        InputError: no face showed any movement, or the picture cannot be written.
    """
    chosen: dict[str, tuple[float, int, int]] = {}
    for number, clip in enumerate(clips):
        seen = [(place, face) for place, face in enumerate(clip.faces) if face is not None]
        moves = _moves([face for _, face in seen]) if seen else []
        for (place, _), move in zip(seen, moves, strict=True):
            for name, shown in MOVEMENTS.items():
                score = shown(move)
                if score > chosen.get(name, (LEAST, 0, 0))[0]:
                    chosen[name] = score, number, place
    if not chosen:
        raise InputError("no face showed any of the movements; give clips in which faces move")
    puppet, cells = Puppet.load(), []
    for name in MOVEMENTS:
        if name not in chosen:
            continue
        _, number, place = chosen[name]
        clip = clips[number]
        face = clip.faces[place]
        if face is None:
            continue
        above = _outline(face) if outlines else _crop(_frame(clip.path, place), face)
        puppet.reset()
        cell = np.vstack([above, puppet.draw(clip.poses[place], SIDE_PX, PAPER_RGB)])
        cv2.putText(cell, name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK_RGB, 1, cv2.LINE_AA)
        cells.append(cell)
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (-len(cells) % COLUMNS if len(cells) > COLUMNS else 0)
    rows = [np.hstack(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS)]
    write_png(path, np.vstack(rows))
    return [name for name in MOVEMENTS if name not in chosen]


def _frame(path: Path, place: int) -> Frame:
    with VideoFile(path) as video:
        for number, frame in enumerate(video):
            if number == place:
                return frame
    raise InputError(f"{path}: ends before frame {place}; it has changed since it was followed")


def _square(face: Face) -> FaceRegion:
    return FaceRegion.from_box(face.box_xyxy, MARGIN)


def _crop(frame: Frame, face: Face) -> ImageArray:
    still = _square(face).crop(frame.image_rgb, SIDE_PX)
    cv2.rectangle(still, (0, 0), (SIDE_PX, 22), PAPER_RGB, -1)
    return still


def _outline(face: Face) -> ImageArray:
    still = np.full((SIDE_PX, SIDE_PX, 3), 255, np.uint8)
    matrix = _square(face).to_crop(SIDE_PX)
    known = dict(zip(face.landmark_numbers.tolist(), face.landmarks_xy, strict=True))
    for line in CONTOURS:
        points = [matrix[:, :2] @ known[number] + matrix[:, 2] for number in line if number in known]
        if len(points) > 1:
            path = np.asarray(points, np.float64).round().astype(np.int32)
            cv2.polylines(still, [path], line[0] == line[-1], INK_RGB, 1, cv2.LINE_AA)
    return still


def _line(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split())


# Lines along the points of MediaPipe's mesh (FaceLandmarksConnections in MediaPipe, Apache-2.0).
CONTOURS = tuple(
    _line(text)
    for text in """61 146 91 181 84 17 314 405 321 375 291 409 270 269 267 0 37 39 40 185 61
    78 95 88 178 87 14 317 402 318 324 308 415 310 311 312 13 82 81 80 191 78
    33 7 163 144 145 153 154 155 133 173 157 158 159 160 161 246 33
    263 249 390 373 374 380 381 382 362 398 384 385 386 387 388 466 263
    46 53 52 65 55 107 66 105 63 70 46
    276 283 282 295 285 336 296 334 293 300 276
    469 470 471 472 469
    474 475 476 477 474
    168 6 197 195 5 4
    10 338 297 332 284 251 389 356 454 323 361 288 397 365 379 378 400 377 152
    152 148 176 149 150 136 172 58 132 93 234 127 162 21 54 103 67 109 10""".splitlines()
)
