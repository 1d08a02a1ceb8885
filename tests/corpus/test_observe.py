from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.conversations import BLUE, RED, draw, film, square_pipeline
from visavis.capture.video import VideoFile
from visavis.channels import FACE_INDEX
from visavis.corpus.observe import NO_LOOK, Observed, Watched, observe
from visavis.corpus.quality import PersonQuality, swapped_share
from visavis.corpus.split_screen import find_cut
from visavis.errors import InputError
from visavis.track import NO_EXPRESSION, NO_FACE

JAW = FACE_INDEX["jawOpen"]


def observed(times_s: list[float], missing: tuple[int, ...] = (), color: int = 100) -> Observed:
    """A person whose every channel is the time."""
    one = Observed()
    for index, time_s in enumerate(times_s):
        gone = index in missing
        one.time_s.append(time_s)
        one.face.append(NO_FACE if gone else np.full(58, time_s, np.float32))
        one.expression.append(NO_EXPRESSION if gone else np.full(25, time_s, np.float32))
        one.look.append(NO_LOOK if gone else np.full_like(NO_LOOK, color))
    return one


@settings(deadline=None)
@given(st.integers(10, 60), st.floats(5, 60), st.integers(2, 60))
def test_what_is_linear_in_time_stays_so_at_any_rate(source_fps: int, fps: float, frames: int) -> None:
    times_s = [index / source_fps for index in range(frames)]
    count = int(times_s[-1] * fps) + 1
    track = Watched.at_rate(observed(times_s), fps, count).track
    assert track.found.all()
    expected = np.minimum(np.arange(count) / fps, times_s[-1])
    # A moment within a fiftieth of a frame is taken to be that frame.
    assert track.face[:, 7] == pytest.approx(expected, abs=0.021 / source_fps)
    assert track.expression[:, 3] == pytest.approx(expected, abs=0.021 / source_fps)


@settings(deadline=None)
@given(st.sets(st.integers(0, 29)))
def test_the_same_rate_changes_nothing(missing: set[int]) -> None:
    times_s = [index / 25 + 1e-4 * (index % 3) for index in range(30)]
    before = observed(times_s, tuple(missing))
    track = Watched.at_rate(before, 25.0, 30).track
    assert np.array_equal(track.face, np.stack(before.face), equal_nan=True)
    assert track.found.tolist() == [index not in missing for index in range(30)]


def test_nothing_is_made_up_without_a_face_on_both_sides() -> None:
    track = Watched.at_rate(observed([0.0, 0.1, 0.2, 0.3], missing=(2,)), 20.0, 7).track
    assert track.found.tolist() == [True, True, True, False, False, False, True]


def test_nothing_is_made_up_across_a_hole_in_time() -> None:
    track = Watched.at_rate(observed([0.0, 0.1, 1.1, 1.2]), 10.0, 13).track
    assert np.flatnonzero(track.found).tolist() == [0, 1, 11, 12]


def test_a_half_is_seen_by_its_own_pipeline(tmp_path: Path) -> None:
    pictures = [draw([(32, (100 + 10 * n, 0, 0)), (96, BLUE)]) for n in range(8)]
    frames: list[None] = []
    with VideoFile(film(tmp_path / "a.mp4", pictures)) as video:
        left, right = observe(
            iter(video), [square_pipeline(), square_pipeline()], 64, lambda: frames.append(None)
        )
    assert len(frames) == 8
    jaws = [state[JAW] for state in left.face]
    assert jaws == pytest.approx([(100 + 10 * n) / 255 for n in range(8)], abs=0.03)
    assert [state[JAW] for state in right.face] == pytest.approx([BLUE[0] / 255] * 8, abs=0.03)
    assert right.look[0][2, 2].tolist() == pytest.approx(BLUE, abs=6)


def test_the_cut_is_the_middle_or_between_the_faces(tmp_path: Path) -> None:
    tracker = square_pipeline()._tracker
    middle = film(tmp_path / "a.mp4", [draw([(20, RED), (100, BLUE)])] * 30)
    assert find_cut(middle, tracker) == 64
    aside = film(tmp_path / "b.mp4", [draw([(76, RED), (110, BLUE)])] * 30)
    assert find_cut(aside, tracker) == pytest.approx(93, abs=1)


@pytest.mark.parametrize(
    ("faces", "message"),
    [
        ([(64, RED)], "one face in 4 of 4 looks at the picture; expected two people side by side"),
        ([], "no face in 4 of 4 looks"),
        ([(20, RED), (60, BLUE), (100, RED)], "3 faces in 4 of 4 looks"),
    ],
)
def test_another_number_of_faces_is_refused(tmp_path: Path, faces, message: str) -> None:
    path = film(tmp_path / "a.mp4", [draw(faces)] * 50)
    with pytest.raises(InputError, match=rf"a\.mp4: {message}"):
        find_cut(path, square_pipeline()._tracker)


def test_one_person_leaving_for_a_while_is_no_reason(tmp_path: Path) -> None:
    both, alone = draw([(20, RED), (100, BLUE)]), draw([(20, RED)])
    path = film(tmp_path / "a.mp4", [alone] * 30 + [both] * 100)
    assert find_cut(path, square_pipeline()._tracker) == 64


def test_people_who_change_sides_are_noticed() -> None:
    def person(colors: list[int]) -> Watched:
        one = observed([index / 25 for index in range(len(colors))])
        one.look = [np.full_like(NO_LOOK, color) for color in colors]
        return Watched.at_rate(one, 25.0, len(colors))

    steady = person([30] * 100), person([200] * 100)
    changing = person([30] * 60 + [200] * 40), person([200] * 60 + [30] * 40)
    assert swapped_share(*steady) == 0
    assert swapped_share(*changing) == 0.4
    assert swapped_share(steady[0], changing[1]) == 0
    assert swapped_share(steady[0], steady[0]) is None


def test_gaps_are_counted_and_told() -> None:
    missing = (0, 1, 40, 99, *range(60, 90))
    one = Watched.at_rate(observed([index / 25 for index in range(100)], missing), 25.0, 100)
    quality = PersonQuality.of(one, 20.0, 4.0, False)
    assert (quality.found, quality.gaps, quality.longest_gap_s) == (0.66, 4, 1.2)
    assert quality.warnings == (
        "a face in 66% of the frames",
        "1.2 s without a face",
        "20 frames/s, fewer than the corpus's 25",
        "no sound",
    )
    whole = Watched.at_rate(observed([index / 25 for index in range(100)]), 25.0, 100)
    assert PersonQuality.of(whole, 24.0, 4.0, True).warnings == ()
