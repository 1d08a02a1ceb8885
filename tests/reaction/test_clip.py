"""Whole clips: streaming equals offline at any frame rate, and R.npz survives a round trip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import tiny_listener
from support.tiny_listener import Echo
from visavis.channels import FACE_CHANNELS
from visavis.errors import InputError
from visavis.reaction.clip import (
    LONGEST_CLIP_S,
    Reaction,
    faces_at_25_hz,
    react_frames,
    speech_at_25_hz,
    start_of,
)
from visavis.reaction.live import LONGEST_SILENCE_S, LiveListener
from visavis.track import Track
from visavis.types import AudioChunk, FaceState

RATE_HZ = 16_000


def track(times_s: Sequence[float], found: Sequence[bool] | None = None, seed: int = 0) -> Track:
    count = len(times_s)
    there = np.ones(count, bool) if found is None else np.asarray(found)
    face = np.random.default_rng(seed).random((count, len(FACE_CHANNELS))).astype(np.float32)
    face[~there] = np.nan
    return Track(np.asarray(times_s), face, np.full((count, 25), np.nan), there, 30.0)


def chunks(seconds: float, piece: int = 1500) -> list[AudioChunk]:
    """Speech-like sound: noise that swells three times a second."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(1).normal(0, 0.2, len(time_s)) * np.sin(3 * np.pi * time_s) ** 2
    parts = np.split(noise.astype(np.float32), range(piece, len(noise), piece))
    return [AudioChunk(part, RATE_HZ, piece * k / RATE_HZ) for k, part in enumerate(parts)]


def live(echo: Echo, folder: Path, person: Track, sound: Sequence[AudioChunk]) -> None:
    """Play a track and its sound to a live listener, the sound a little ahead."""
    listener = LiveListener(tiny_listener.listener(folder, echo), seed=5)
    waiting = list(sound)
    for time_s, face, found in zip(person.time_s, person.face, person.found, strict=True):
        while waiting and waiting[0].time_s <= time_s + 0.1:
            listener.hear(waiting.pop(0))
        listener.see(FaceState(face) if found else None, float(time_s))


@pytest.mark.parametrize("fps", [10, 25, 29.97, 60])
@pytest.mark.parametrize("with_sound", [True, False])
def test_streaming_is_offline(tmp_path: Path, fps: float, with_sound: bool) -> None:
    count = round(3 * fps)
    present = np.random.default_rng(2).random(count) > 0.3
    present[round(fps) : round(1.6 * fps)] = False  # Longer than a face is held.
    person = track([k / fps for k in range(count)], present)
    sound = chunks(3.5) if with_sound else []
    streaming, offline = Echo(even=True), Echo(even=True)
    live(streaming, tmp_path, person, sound)
    faces = faces_at_25_hz(person)
    speech = speech_at_25_hz(sound, start_of(person), len(faces))
    assert np.isfinite(speech).all() == with_sound
    react_frames(tiny_listener.listener(tmp_path, offline).start(seed=5), faces, speech, lambda: None)
    # The frame that the last picture lies in is not over for the live one.
    assert len(offline.heard) - len(streaming.heard) in (0, 1)
    assert len(streaming.heard) >= 72
    for a, b in zip(streaming.heard, offline.heard, strict=False):
        np.testing.assert_array_equal(a.speaker, b.speaker)
        np.testing.assert_array_equal(a.own, b.own)
        np.testing.assert_allclose(a.sound, b.sound, atol=1e-5)


@given(st.integers(1, 200), st.floats(5, 120))
def test_a_clip_has_a_frame_for_each_25th_of_a_second(count: int, fps: float) -> None:
    times_s = np.arange(count) / fps
    assert len(faces_at_25_hz(track(list(times_s)))) == int((times_s[-1] + 1e-3) * 25) + 1


def test_at_25_hz_faces_are_the_tracks_own() -> None:
    person = track([k / 25 for k in range(40)])
    np.testing.assert_array_equal(faces_at_25_hz(person), person.face)


def test_a_face_is_held_for_a_moment_and_then_gone() -> None:
    there = [True] + [False] * 24
    seen = np.isfinite(faces_at_25_hz(track([k / 25 for k in range(25)], there))).all(axis=1)
    assert seen.tolist() == [k <= 6 for k in range(25)]  # 0.3 s reach into the end of frame 6.


def test_a_track_without_a_face_or_without_an_end_is_refused() -> None:
    with pytest.raises(InputError, match=r"no face in the track \(3 frames\)"):
        faces_at_25_hz(track([0, 0.1, 0.2], [False] * 3))
    with pytest.raises(InputError, match="cut it"):
        faces_at_25_hz(track([0.0, LONGEST_CLIP_S + 1.0]))


def test_reactions_come_back(tmp_path: Path) -> None:
    networks = tiny_listener.listener(tmp_path)
    tokens = np.arange(12).reshape(3, 4)
    reaction = Reaction.of_tokens(tokens, networks.tokenizer, 7)
    reaction.save(tmp_path / "r.npz")
    again = Reaction.load(tmp_path / "r.npz")
    assert (again.fps, again.seed) == (25.0, 7)
    np.testing.assert_array_equal(again.face[1], networks.tokenizer.decode(tokens[1]))
    np.testing.assert_array_equal(again.expression[2], networks.tokenizer.expressions(tokens[2]))


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"face": np.zeros((1, 2, 58))}, "a file of reactions holds the arrays face, emotion, fps, seed"),
        ({"face": np.zeros((2, 58)), "emotion": 0, "fps": 25, "seed": 0}, r"face has shape \(2, 58\)"),
        (
            {"face": np.zeros((1, 2, 58)), "emotion": np.zeros((1, 3, 25)), "fps": 25, "seed": 0},
            r"expression has shape \(1, 3, 25\); expected \(1, 2, 25\)",
        ),
        (
            {"face": np.zeros((1, 2, 58)), "emotion": np.zeros((1, 2, 25)), "fps": 0, "seed": 0},
            "fps must be positive",
        ),
    ],
)
def test_other_files_are_named(tmp_path: Path, arrays: dict[str, object], says: str) -> None:
    np.savez(tmp_path / "r.npz", **arrays)
    with pytest.raises(InputError, match=rf"r\.npz: .*{says}"):
        Reaction.load(tmp_path / "r.npz")


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.npz").write_text("hello")
    with pytest.raises(InputError, match="not a readable file of reactions"):
        Reaction.load(tmp_path / "r.npz")
    with pytest.raises(InputError, match="no such file"):
        Reaction.load(tmp_path / "none.npz")


def test_sound_that_was_long_gone_begins_anew(tmp_path: Path) -> None:
    echo = Echo()
    listener = LiveListener(tiny_listener.listener(tmp_path, echo))
    away_s = LONGEST_SILENCE_S + 3600  # An hour and more: a computer that slept.
    for start_s in (0.0, away_s):
        for chunk in chunks(1.0):
            listener.hear(AudioChunk(chunk.samples, RATE_HZ, start_s + chunk.time_s))
        for k in range(25):
            listener.see(FaceState(np.full(58, 0.5, np.float32)), start_s + k / 25)
    known = [bool(np.isfinite(heard.sound).all()) for heard in echo.heard]
    assert len(known) == 48
    assert all(known)
