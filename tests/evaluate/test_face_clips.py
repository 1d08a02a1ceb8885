"""Clips compared with a teacher: equal answers have no errors, from a tracker and from labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.known_faces import KnownTracker, labels
from visavis.channels import BLENDSHAPES
from visavis.datasets.face_labels import FaceLabels
from visavis.errors import InputError
from visavis.evaluate.face_clips import beside_labels, beside_tracker

COUNT = 24


def known(folder: Path, arrays: dict[str, np.ndarray]) -> FaceLabels:
    np.savez(folder / "labels.npz", **arrays)
    return FaceLabels.load(folder / "labels.npz")


def still() -> dict[str, np.ndarray]:
    """A face that does not move; two blinks."""
    arrays = labels(COUNT)
    for name in ("landmarks146", "blendshapes", "rotation", "region"):
        arrays[name][:] = arrays[name][0]
    lids = [BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("eyeBlinkRight")]
    arrays["blendshapes"][:, lids] = 0
    arrays["blendshapes"][5][lids] = arrays["blendshapes"][15][lids] = 0.9
    return arrays


def test_the_same_face_has_no_errors_whoever_teaches(make_video, tmp_path: Path) -> None:
    arrays, path = still(), make_video(count=COUNT)
    tracker = KnownTracker(arrays)
    taught = beside_tracker(path, tracker, KnownTracker(arrays), lambda: None)
    labeled = beside_labels(path, tracker, known(tmp_path, arrays), lambda: None)
    for figures in (taught, labeled):
        assert (figures.name, figures.frames, figures.taught, figures.found) == ("clip", COUNT, COUNT, 1.0)
        assert figures.faces.n == COUNT
        assert figures.faces.error.max() == pytest.approx(0, abs=1e-6)
        assert figures.faces.landmarks["all"] == pytest.approx(0, abs=1e-5)
        assert figures.blinks == {"teacher": 2, "ours": 2, "matched": 2}
        # The filter's tail after a blink is no jitter of the reading.
        read = [value for name, value in figures.jitter.items() if not name.startswith("smoothed")]
        assert max(read) == pytest.approx(0, abs=1e-5)
    assert taught.faces.head_deg.max() == pytest.approx(0, abs=1e-4)
    # Labels tell the head in the upright crop, and its roll by the eyes.
    assert labeled.faces.head_deg[2] < 3


def test_frames_without_a_face_are_counted_and_not_compared(make_video) -> None:
    arrays = still()
    ours = KnownTracker(arrays, misses=[4, 5, 6], off=0.5)
    figures = beside_tracker(make_video(count=COUNT), ours, KnownTracker(arrays, misses=[0]), lambda: None)
    assert figures.taught == COUNT - 1
    assert figures.found == pytest.approx((COUNT - 4) / (COUNT - 1))
    assert figures.faces.n == COUNT - 4
    assert figures.blinks == {"teacher": 1, "ours": 1, "matched": 1}
    wide = 0.4 * arrays["region"][0, 2]
    assert figures.faces.landmarks["all"] == pytest.approx(0.5 * np.sqrt(2) / wide, rel=0.1)


def test_a_late_blink_is_missed_and_false(make_video) -> None:
    arrays, late = still(), still()
    late["blendshapes"] = np.roll(late["blendshapes"], 4, axis=0)  # 133 ms.
    figures = beside_tracker(make_video(count=COUNT), KnownTracker(late), KnownTracker(arrays), lambda: None)
    assert figures.blinks == {"teacher": 2, "ours": 2, "matched": 0}


def test_a_restless_reader_jitters_more_than_its_teacher(make_video) -> None:
    arrays, restless = still(), still()
    restless["blendshapes"][::2, BLENDSHAPES.index("jawOpen")] += 0.1
    path = make_video(count=COUNT)
    figures = beside_tracker(path, KnownTracker(restless), KnownTracker(arrays), lambda: None)
    assert figures.jitter["weights"] > 0.19 / 52
    assert figures.jitter["teacher_weights"] == 0
    assert 0 < figures.jitter["smoothed_weights"] < 0.9 * figures.jitter["weights"]


def test_jitter_is_that_of_the_landmarks_that_both_have(make_video) -> None:
    arrays, few = still(), still()
    # The teacher's points beyond ours tremble; ours do not have them.
    arrays["landmarks146"][::2, 100:] += 0.05
    ours = KnownTracker(few, points=100)
    figures = beside_tracker(make_video(count=COUNT), ours, KnownTracker(arrays), lambda: None)
    assert figures.jitter["landmarks"] == pytest.approx(0, abs=1e-5)
    assert figures.jitter["teacher_landmarks"] == pytest.approx(0, abs=1e-5)


def test_what_cannot_be_compared_is_one_clear_line(make_video, tmp_path: Path) -> None:
    arrays, path = still(), make_video(count=COUNT)
    tracker = KnownTracker(arrays)
    with pytest.raises(InputError, match="clip: no frame in which the teacher and visavis both find a face"):
        beside_tracker(path, tracker, KnownTracker(arrays, misses=range(COUNT)), lambda: None)
    with pytest.raises(InputError, match="frame 23 is labelled, but the clip has 10: expected"):
        beside_labels(make_video(count=10), tracker, known(tmp_path, arrays), lambda: None)
    other = arrays | {"source": np.asarray([f"other:{number:05d}" for number in range(COUNT)])}
    with pytest.raises(InputError, match="no face of clip is labelled"):
        beside_labels(path, tracker, known(tmp_path, other), lambda: None)
