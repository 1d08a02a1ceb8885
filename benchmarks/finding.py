"""How well the tracker finds faces in a single picture, on clips and on pictures without faces.

    python benchmarks/finding.py CLIPS HELD_OUT --out benchmarks/results/finding.json

CLIPS is a folder of videos. HELD_OUT is a folder that ``visavis lab photographs`` made. The reference is the
tracker's own reading of the upright frame at full size. "Right" means: one face, its box within
15% in size and place, its roll within 8 degrees. ``--only`` runs some parts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import cv2
import numpy as np

from visavis.base.console import print_error
from visavis.base.files import write_json
from visavis.base.machine import machine, versions
from visavis.capture.image import read_image
from visavis.capture.video import VideoFile
from visavis.errors import InputError, VisavisError
from visavis.face.embedded import EmbeddedTracker
from visavis.face.region import FaceRegion, rotation
from visavis.types import Face, FloatArray, Frame, ImageArray

ANGLES_DEG = range(-180, 180, 15)
HEIGHTS = (0.04, 0.05, 0.06, 0.08, 0.10, 0.15, 0.25, 0.40, 0.60, 0.80, 0.90)
SMALL = 0.05
CANVAS = (1280, 960)
VIDEO_FRAMES = 12
FPS = 25.0
BOX_SHARE, ROLL_DEG = 0.15, 8.0
MOST_FACES = 16
CROPS = 4


@dataclass(frozen=True)
class Case:
    """Some frames of a clip, and the face in the first and in the last of them."""

    clip: str
    frames: list[ImageArray]
    face: Face
    last: Face


def load_cases(folder: Path) -> list[Case]:
    """One case from the middle of each clip with one person."""
    cases = []
    for path in sorted(folder.glob("*.mp4")):
        if path.stem.startswith("dyad"):
            continue
        with VideoFile(path) as video:
            frames = [frame.image_rgb for frame in video]
        if len(frames) < VIDEO_FRAMES:
            raise InputError(f"{path}: {len(frames)} frames; expected {VIDEO_FRAMES} or more")
        middle = min(len(frames) // 2, len(frames) - VIDEO_FRAMES)
        chosen = frames[middle : middle + VIDEO_FRAMES]
        faces = EmbeddedTracker(smooth=False).update(Frame(chosen[0], 0.0))
        last = see(chosen)
        if faces and last:
            cases.append(Case(path.stem, chosen, faces[0], last[0]))
    if not cases:
        raise InputError(f"{folder}: expected clips (*.mp4) of one person whose face is found; found none")
    return cases


def see(images: list[ImageArray], max_faces: int = 1) -> tuple[Face, ...]:
    """The faces in the last of some frames, by a new tracker."""
    tracker = EmbeddedTracker(max_faces, smooth=False)
    faces: tuple[Face, ...] = ()
    for index, image in enumerate(images):
        faces = tracker.update(Frame(image, index / FPS))
    return faces


def is_right(faces: tuple[Face, ...], reference: Face, matrix: FloatArray) -> tuple[bool, float, float]:
    """Whether a face is the mapped reference: verdict, error of the box (share) and of the roll (degrees)."""
    if not faces:
        return False, 1.0, 180.0
    wanted = reference.landmarks_xy @ matrix[:, :2].T + matrix[:, 2]
    found = faces[0].landmarks_xy
    side = float(np.ptp(wanted, axis=0).max())
    sides = np.abs(np.ptp(found, axis=0) / np.ptp(wanted, axis=0) - 1).max()
    place = np.linalg.norm(found.mean(axis=0) - wanted.mean(axis=0)) / side
    box = float(max(sides, place))
    turn = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])) + roll_deg(reference)
    roll = float(abs((roll_deg(faces[0]) - turn + 180) % 360 - 180))
    return bool(box < BOX_SHARE and roll < ROLL_DEG), box, roll


def roll_deg(face: Face) -> float:
    """Of the face's region."""
    return float(np.degrees(FaceRegion.from_corners(face.corners_xy).roll_rad))


def move(
    image: ImageArray, matrix: FloatArray, size: tuple[int, int], ground: ImageArray | None
) -> ImageArray:
    """Set an image into a canvas by an affine map, without aliasing."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    matrix = matrix.copy()
    if scale < 0.5:
        small = cv2.resize(image, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
        matrix[:, :2] *= np.asarray(image.shape[1::-1]) / np.asarray(small.shape[1::-1])
        image = np.asarray(small, np.uint8)
    canvas = np.full((size[1], size[0], 3), 110, np.uint8) if ground is None else ground.copy()
    return np.asarray(
        cv2.warpAffine(image, matrix, size, canvas, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT), np.uint8
    )


def onto(face: Face, place_xy: tuple[float, float], side: float, turn_deg: float = 0.0) -> FloatArray:
    """Affine map that gives a face's box a place, a longer side and a turn."""
    box = face.box_xyxy
    scale = side / float((box[2:] - box[:2]).max())
    matrix = np.zeros((2, 3), np.float32)
    matrix[:, :2] = rotation(np.radians(turn_deg)) * scale
    matrix[:, 2] = np.asarray(place_xy) - matrix[:, :2] @ ((box[:2] + box[2:]) / 2)
    return matrix


def measure_rolls(cases: list[Case]) -> dict[str, object]:
    """Faces turned by every angle, in a still and in a short video."""
    right: dict[str, dict[int, int]] = {"still": {}, "video": {}}
    for angle in ANGLES_DEG:
        for case in cases:
            side = 0.35 * CANVAS[1]
            matrix = onto(case.face, (CANVAS[0] / 2, CANVAS[1] / 2), side, angle)
            images = [move(frame, matrix, CANVAS, None) for frame in case.frames]
            for kind, chosen, reference in (("still", images[:1], case.face), ("video", images, case.last)):
                good = is_right(see(chosen), reference, matrix)[0]
                right[kind][angle] = right[kind].get(angle, 0) + good
    return {"of": len(cases), **{kind: {str(a): n for a, n in by.items()} for kind, by in right.items()}}


def measure_sizes(cases: list[Case]) -> dict[str, object]:
    """Faces of every height, as a share of the picture's longer side."""
    result: dict[str, object] = {"of": len(cases)}
    for height in HEIGHTS:
        verdicts = []
        for number, case in enumerate(cases):
            side = height * CANVAS[0]
            rng = np.random.default_rng(number)
            size = CANVAS if side < 0.8 * CANVAS[1] else (CANVAS[0], CANVAS[0])
            room = np.maximum(np.asarray(size) - 1.6 * side, 0)
            place = np.asarray(size) / 2 + (rng.random(2) - 0.5) * room
            matrix = onto(case.face, (float(place[0]), float(place[1])), side)
            verdicts.append(is_right(see([move(case.frames[0], matrix, size, None)]), case.face, matrix))
        result[f"{height:.2f}"] = {
            "right": sum(verdict[0] for verdict in verdicts),
            "box_median": round(float(np.median([verdict[1] for verdict in verdicts])), 3),
        }
    return result


def measure_empty(pictures: list[tuple[str, ImageArray]]) -> dict[str, object]:
    """False faces in pictures without any: whole, and in random cuts."""
    rng = np.random.default_rng(0)
    false: dict[str, int] = {}
    whole = 0
    for name, image in pictures:
        height, width = image.shape[:2]
        cuts = [image]
        for _ in range(CROPS):
            side = int(rng.uniform(0.3, 0.9) * min(height, width))
            y, x = rng.integers(0, height - side), rng.integers(0, width - side)
            cuts.append(image[y : y + side, x : x + side])
        counts = [len(see([cut], MOST_FACES)) for cut in cuts]
        whole += counts[0] > 0
        if any(counts):
            false[name] = sum(counts)
    return {
        "pictures": len(pictures),
        "with_a_face_whole": whole,
        "with_a_face_at_any_cut": len(false),
        "false": false,
    }


def composites(
    cases: list[Case], pictures: list[tuple[str, ImageArray]]
) -> Iterator[tuple[ImageArray, Case, FloatArray]]:
    """Six people, each before ten photographs."""
    rng = np.random.default_rng(1)
    step = max(1, len(pictures) // 10)
    for case in cases[:: max(1, len(cases) // 6)][:6]:
        for _, picture in pictures[::step][:10]:
            ground = np.asarray(cv2.resize(picture, (960, 720)), np.uint8)
            side = float(rng.uniform(0.1, 0.4) * 960)
            margin = 0.8 * side
            place = (float(rng.uniform(margin, 960 - margin)), float(rng.uniform(margin, 720 - margin)))
            matrix = onto(case.face, place, side)
            person = move(case.frames[0], matrix, (960, 720), ground)
            mask = np.zeros((720, 960), np.float32)
            axes = (int(0.75 * side), int(0.9 * side))
            cv2.ellipse(mask, (int(place[0]), int(place[1] - 0.08 * side)), axes, 0, 0, 360, 1, -1)
            share = cv2.GaussianBlur(mask, (0, 0), 0.04 * side)[..., None]
            yield (share * person + (1 - share) * ground).astype(np.uint8), case, matrix


def measure_composites(cases: list[Case], pictures: list[tuple[str, ImageArray]]) -> dict[str, int]:
    """The person is followed, and nothing else is found."""
    total = followed = alone = 0
    for image, case, matrix in composites(cases, pictures):
        total += 1
        followed += is_right(see([image]), case.face, matrix)[0]
        everyone = see([image], MOST_FACES)
        alone += len(everyone) == 1 and is_right(everyone, case.face, matrix)[0]
    return {"of": total, "followed": followed, "nothing_else": alone}


def measure_recovery(cases: list[Case]) -> dict[str, object]:
    """A person gone for 0.6 s: seconds until found again, and whether under the same number.

    As filmed, and ``small``: with a face of this share of the longer side, at a random place.
    """
    small = []
    for number, case in enumerate(cases):
        x, y = np.random.default_rng(number).uniform(0.15, 0.85, 2) * CANVAS
        matrix = onto(case.face, (float(x), float(y)), SMALL * CANVAS[0])
        small.append([move(frame, matrix, CANVAS, None) for frame in case.frames])
    as_filmed = recovery([case.frames for case in cases])
    return as_filmed | {"small": {"height": SMALL} | recovery(small)}


def recovery(people: list[list[ImageArray]]) -> dict[str, object]:
    """Frames of each person in; how soon and under which number they are found again."""
    waits, same = [], 0
    for frames in people:
        tracker = EmbeddedTracker(smooth=False)
        empty = np.full_like(frames[0], 110)
        images = [*frames, *[empty] * 15, *frames, *frames]
        numbers = [
            [face.track_id for face in tracker.update(Frame(i, n / FPS))] for n, i in enumerate(images)
        ]
        back = next((n for n, found in enumerate(numbers) if n >= VIDEO_FRAMES + 15 and found), None)
        waits.append(9.9 if back is None else (back - VIDEO_FRAMES - 15) / FPS)
        same += back is not None and bool(numbers[0]) and numbers[back] == numbers[0]
    return {"of": len(people), "longest_s": max(waits), "same_number": same}


def measure_crossing(cases: list[Case]) -> dict[str, int]:
    """Two people who pass each other, one before the other: both keep their numbers."""
    kept = total = 0
    for one, other in zip(cases[::2], cases[1::2], strict=False):
        total += 1
        tracker = EmbeddedTracker(2, smooth=False)
        ends = []
        for index in range(50):
            share = index / 49
            left, right = 240 + 480 * share, 720 - 480 * share
            canvas = move(other.frames[0], onto(other.face, (right, 350), 150), (960, 720), None)
            front = move(one.frames[0], onto(one.face, (left, 380), 190), (960, 720), canvas)
            mask = np.zeros((720, 960), np.float32)
            cv2.ellipse(mask, (int(left), 365), (140, 170), 0, 0, 360, 1, -1)
            share_map = cv2.GaussianBlur(mask, (0, 0), 8)[..., None]
            image = (share_map * front + (1 - share_map) * canvas).astype(np.uint8)
            faces = tracker.update(Frame(image, index / FPS))
            if index in (5, 49):
                ends.append([f.track_id for f in sorted(faces, key=lambda f: float(f.box_xyxy[0]))])
        kept += len(ends[0]) == 2 and ends[0] == ends[1][::-1]
    return {"of": total, "kept": kept}


def measure_recall(folder: Path) -> dict[str, float]:
    """Share of each clip's frames in which a face is tracked."""
    result = {}
    for path in sorted(folder.glob("*.mp4")):
        tracker = EmbeddedTracker(smooth=False)
        with VideoFile(path) as video:
            found = [bool(tracker.update(Frame(f.image_rgb, f.time_s))) for f in video if f.index < 300]
        if not found:
            raise InputError(f"{path}: no frames; expected one or more")
        result[path.stem] = round(float(np.mean(found)), 4)
    return result


def measure_cost(pictures: list[tuple[str, ImageArray]]) -> dict[str, object]:
    """Milliseconds of processor time for a frame without a face, in a stream.

    Given are the median of the pictures' medians, the worst of them, and the median of the first frames.
    """
    result: dict[str, object] = {}
    for name, size in (("480p", (640, 480)), ("720p", (1280, 720))):
        medians, firsts = [], []
        for _, picture in pictures[::4]:
            image = np.asarray(cv2.resize(picture, size), np.uint8)
            tracker = EmbeddedTracker(smooth=False)
            times = []
            for index in range(30):
                start_s = process_time()
                tracker.update(Frame(image, index / FPS))
                times.append(1e3 * (process_time() - start_s))
            medians.append(float(np.median(times[4:])))
            firsts.append(times[0])
        result[name] = {
            "median_ms": round(float(np.median(medians)), 2),
            "worst_ms": round(max(medians), 2),
            "first_frame_ms": round(float(np.median(firsts)), 2),
        }
    return result


def main() -> None:
    """Measure, print and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("empty", type=Path, help="folder of pictures without faces that no training saw")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object only")
    parser.add_argument("--only", nargs="+", default=[])
    args = parser.parse_args()
    cases = load_cases(args.clips)
    pictures = [(path.stem, read_image(path)) for path in sorted(args.empty.glob("*.jpg"))]
    if not pictures:
        raise InputError(f"{args.empty}: expected pictures (*.jpg) without faces; found none")
    parts: dict[str, Callable[[], object]] = {
        "empty": lambda: measure_empty(pictures),
        "sizes": lambda: measure_sizes(cases),
        "composites": lambda: measure_composites(cases, pictures),
        "rolls": lambda: measure_rolls(cases),
        "recovery": lambda: measure_recovery(cases),
        "crossing": lambda: measure_crossing(cases),
        "recall": lambda: measure_recall(args.clips),
        "cost": lambda: measure_cost(pictures),
    }
    result: dict[str, object] = {"machine": machine(), "versions": versions(), "cases": len(cases)}
    for name, part in parts.items():
        if not args.only or name in args.only:
            result[name] = part()
            if not args.json:
                print(name, json.dumps(result[name]), flush=True)
    if args.out:
        write_json(args.out, result)
    if args.json:
        print(json.dumps(result))


if __name__ == "__main__":
    try:
        main()
    except VisavisError as error:
        print_error(str(error))
        sys.exit(2)
