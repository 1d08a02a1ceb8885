"""A live listener: the timing of its inputs, and its face when nobody is there."""

from __future__ import annotations

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from support import tiny_listener, tiny_tokenizer
from support.tiny_listener import Echo
from visavis.reaction.live import ALONE_AFTER_S, HELD_FACE_S, SMOOTHING_S, LiveListener
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis.types import AudioChunk, FaceState

RATE_HZ = 16_000


def face(level: float) -> FaceState:
    return FaceState(np.full(58, level, np.float32))


def chunk(start_s: float, seconds: float) -> AudioChunk:
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE_HZ)).astype(np.float32)
    return AudioChunk(noise, RATE_HZ, start_s)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def live(tmp_path: Path, echo: Echo) -> LiveListener:
    return LiveListener(tiny_listener.listener(tmp_path, echo))


def tokens(echo: Echo) -> list[int]:
    return [int(heard.speaker[0, 0, 0]) for heard in echo.heard]


@pytest.mark.parametrize("fps", [10, 25, 30, 60])
def test_it_hears_25_frames_a_second_of_any_camera(live: LiveListener, echo: Echo, fps: int) -> None:
    for k in range(2 * fps + 1):
        live.see(face(0.5), 5 + k / fps)
    assert len(echo.heard) == 50


def test_a_frame_holds_the_last_face_of_its_time(live: LiveListener, echo: Echo) -> None:
    for k, level in enumerate([0.1, 0.3, 0.5, 0.7, 0.9]):
        live.see(face(level), k / 25)
    assert tokens(echo) == [int(16 * level) for level in (0.1, 0.3, 0.5, 0.7)]


@pytest.mark.parametrize("met", [True, False])
def test_another_person_is_seen_against_their_own_rest(tmp_path: Path, met: bool) -> None:
    echo = Echo()
    files = tiny_tokenizer.write(tmp_path, changes={"rest": [0.5] * 58})
    live = LiveListener(tiny_listener.of_tokenizer(*files, predictor=echo))
    for k in range(40):
        if k == 20 and met:
            live.start_new_person()
        live.see(face(0.1 if k < 20 else 0.9), k / 25)
    # Who keeps still is at rest, whoever it is; without a word, the second looks like the first one startled.
    assert set(tokens(echo)[:20]) == {8}
    assert (set(tokens(echo)[20:]) == {8}) == met


def test_a_reaction_shows_within_two_frames_of_its_cause(live: LiveListener) -> None:
    for k in range(20):
        rest = live.see(face(0.1), k / 25)
    live.see(face(0.9), 20 / 25)  # The cause enters.
    moved = live.see(face(0.9), 21 / 25)
    assert moved.values[0] - rest.values[0] > 0.2


def test_what_is_shown_follows_without_steps(live: LiveListener) -> None:
    for k in range(20):
        before = live.see(face(0.1), k / 25)
    live.see(face(0.9), 20 / 25)
    levels = []
    for k in range(12):
        state = live.see(face(0.9), 21 / 25 + k / 100)
        levels.append(float(state.values[0]))
    assert all(a <= b for a, b in pairwise(levels))
    goal = levels[-1] + (levels[-1] - before.values[0]) * np.exp(-0.11 / SMOOTHING_S)
    assert levels[1] == pytest.approx(
        goal + (before.values[0] - goal) * np.exp(-0.05 / SMOOTHING_S), abs=0.05
    )


def test_a_missed_face_is_held_for_a_moment(live: LiveListener, echo: Echo) -> None:
    live.see(face(0.5), 0.0)
    for k in range(1, 26):
        live.see(None, k / 25)
    seen = [token == 8 for token in tokens(echo)]
    assert seen == [k <= HELD_FACE_S * 25 for k in range(1, 26)]


def test_frames_wait_for_their_sound_but_not_long(live: LiveListener, echo: Echo) -> None:
    live.hear(chunk(0.0, 0.2))
    for k in range(7):
        live.see(face(0.5), k / 25)
    assert len(echo.heard) < 6  # The sound of frame 5 is not here.
    known = [bool(np.isfinite(heard.sound).all()) for heard in echo.heard]
    assert all(known)
    live.see(face(0.5), 8 / 25)
    assert not np.isfinite(echo.heard[-1].sound).all()


def test_sound_reaches_the_frame_that_it_belongs_to(live: LiveListener, echo: Echo) -> None:
    live.hear(AudioChunk(np.zeros(RATE_HZ // 2, np.float32), RATE_HZ, 1.0))
    live.hear(chunk(1.5, 1.0))
    for k in range(36):
        live.see(face(0.5), 1 + k / 25)
    energy = [float(heard.sound[0, 0, 0, SPEECH_CHANNELS.index("energy")]) for heard in echo.heard]
    assert np.argmax(np.diff(energy)) in (11, 12)  # Half a second is 12.5 frames.


def test_late_sound_does_not_make_the_next_begin_anew(live: LiveListener, echo: Echo) -> None:
    for k in range(50):
        live.hear(chunk(20 + k / 25, 0.04))
        live.see(face(0.5), 20 + k / 25)
    reader = live._speech
    live.hear(chunk(5.0, 0.04))
    live.hear(chunk(22.0, 0.04))
    assert live._speech is reader


def test_sound_that_no_frame_hears_does_not_pile_up(live: LiveListener) -> None:
    for k in range(20):
        live.hear(chunk(9 * k, 0.04))
        live.see(face(0.5), 9 * k)
    assert len(live._rows) <= 2


def test_nobody_is_nobody_and_comes_back(live: LiveListener) -> None:
    assert live.see(None, 0.0) is None
    for k in range(10):
        state = live.see(face(0.5), k / 25)
    assert state is not None
    gone = [live.see(None, 0.4 + k / 25) for k in range(1, 110)]
    times = [0.4 + k / 25 for k, shown in enumerate(gone, 1) if shown is not None]
    assert max(times) == pytest.approx(9 / 25 + ALONE_AFTER_S, abs=0.05)
    live.see(face(0.5), 5.0)
    assert live.see(face(0.5), 5.04) is not None


def test_a_stall_is_left_out_and_logged_once(
    live: LiveListener, echo: Echo, caplog: pytest.LogCaptureFixture
) -> None:
    live.see(face(0.5), 0.0)
    with caplog.at_level(logging.WARNING):
        for start_s in (100.0, 7300.0):
            for k in range(5):
                live.see(face(0.5), start_s + k / 25)
    assert len(echo.heard) == 8
    assert len(caplog.records) == 1
    assert "without a picture" in caplog.text


def test_a_reset_listener_is_as_new(live: LiveListener) -> None:
    def play() -> list[float]:
        live.hear(chunk(0.0, 0.5))
        shown = [live.see(face(0.02 * k), k / 25) for k in range(20)]
        return [float(state.values[3]) for state in shown if state is not None]

    first = play()
    live.reset()
    assert play() == first
