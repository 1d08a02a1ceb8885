"""Load: slow answers slow all sessions alike, and empty or still pictures are needed less often."""

from __future__ import annotations

import numpy as np
import pytest

from support import scripted_server as scripted
from visavis.base.clock import ManualClock
from visavis.channels import AVATAR_PARAMETERS
from visavis.pipeline import Moment
from visavis.serve.load import (
    FULL_FPS,
    LEAST_FPS,
    LOOK_EVERY_S,
    MOST_SPACING,
    NOBODY_FPS,
    RETRY_S,
    STILL_FPS,
    Attention,
    Load,
    Pace,
    is_news,
)
from visavis.types import AvatarPose, Faces, Frame

PICTURE = np.zeros((48, 64, 3), np.uint8)


def busy(clock: ManualClock) -> Load:
    load = Load(clock)
    load.sessions = 2
    return load


def answers(load: Load, clock: ManualClock, latency_s: float, seconds: float) -> None:
    for _ in range(round(seconds * 20)):
        clock.sleep_s(0.05)
        load.answered(latency_s)


def test_slow_answers_lower_the_rate_and_quick_ones_raise_it() -> None:
    clock = ManualClock()
    load = busy(clock)
    answers(load, clock, 0.06, 5)
    assert (load.fps, load.busy, load.admits) == (FULL_FPS, False, True)
    answers(load, clock, 0.3, 10)
    assert (load.fps, load.busy, load.admits) == (LEAST_FPS, True, False)
    answers(load, clock, 0.01, 3)
    assert LEAST_FPS < load.fps < FULL_FPS
    answers(load, clock, 0.01, 20)
    assert (load.fps, load.admits) == (FULL_FPS, True)


def test_expressions_become_rarer_before_pictures_are_dropped() -> None:
    clock = ManualClock()
    load = busy(clock)
    seen = []
    for latency_s in (0.3, 0.01):
        for _ in range(80):
            answers(load, clock, latency_s, LOOK_EVERY_S)
            seen.append((load.fps, load.spacing))
    assert (LEAST_FPS, MOST_SPACING) in seen
    assert all(spacing == MOST_SPACING for fps, spacing in seen if fps < FULL_FPS)
    assert (FULL_FPS, 2.0) in seen
    assert seen[-1] == (FULL_FPS, 1.0)
    assert not np.any(np.diff([spacing for _, spacing in seen[80:]]) > 0)


def test_one_session_alone_is_not_slowed() -> None:
    clock = ManualClock()
    load = Load(clock)
    load.sessions = 1
    answers(load, clock, 0.3, 10)
    assert (load.fps, load.spacing) == (FULL_FPS, 1.0)


def test_one_slow_answer_among_many_changes_nothing() -> None:
    clock = ManualClock()
    load = busy(clock)
    for _ in range(20):
        answers(load, clock, 0.03, LOOK_EVERY_S)
        load.answered(2.0)
    assert load.fps == FULL_FPS


def test_without_answers_for_a_while_new_sessions_are_admitted_again() -> None:
    clock = ManualClock()
    load = busy(clock)
    answers(load, clock, 0.3, 10)
    assert not load.admits
    clock.sleep_s(RETRY_S + 1)
    assert load.admits


def seen(attention: Attention, times_s: np.ndarray, moves: float | None) -> None:
    """Show a face that moves with this frequency, or nobody."""
    for time_s in times_s:
        frame = Frame(PICTURE, float(time_s))
        face = None if moves is None else scripted.face(Frame(PICTURE, float(moves * time_s)))
        pose = AvatarPose(np.zeros(len(AVATAR_PARAMETERS), np.float32), float(time_s))
        attention.see(Moment(frame, Faces(() if face is None else (face,)), pose, {}))


@pytest.mark.parametrize(
    ("moves", "pace"),
    [(1.0, Pace(FULL_FPS, "full")), (0.0, Pace(STILL_FPS, "still")), (None, Pace(NOBODY_FPS, "nobody"))],
)
def test_pictures_of_nobody_and_of_a_still_face_are_needed_less_often(
    moves: float | None, pace: Pace
) -> None:
    load, attention = Load(ManualClock()), Attention()
    seen(attention, np.arange(0, 1, 0.04), moves)
    assert attention.pace(load) == Pace(FULL_FPS, "full")
    seen(attention, np.arange(1, 6, 0.04), moves)
    assert attention.pace(load) == pace
    seen(attention, np.asarray([6.0]), 1.0)
    assert attention.pace(load) == Pace(FULL_FPS, "full")  # at once


def test_a_busy_server_slows_whoever_would_be_faster() -> None:
    clock = ManualClock()
    load = busy(clock)
    answers(load, clock, 0.3, 10)
    assert Attention().pace(load) == Pace(LEAST_FPS, "load")


def test_small_changes_of_the_rate_are_no_news() -> None:
    assert not is_news(Pace(19.5, "load"), Pace(20.0, "load"))
    assert is_news(Pace(15.0, "load"), Pace(20.0, "load"))
    assert is_news(Pace(30.0, "full"), Pace(30.0, "load"))
