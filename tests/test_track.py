"""Tracks as recordings of Live Link Face; the rest of Track is tested with what uses it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.errors import InputError
from visavis.track import Track


def a_track(count: int = 6, missing: int | None = None) -> Track:
    rng = np.random.default_rng(0)
    face = rng.uniform(0, 1, (count, len(FACE_CHANNELS))).astype(np.float32)
    face[:, -3:] = 0
    found = np.arange(count) != missing
    face[~found] = np.nan
    return Track(np.arange(count) / 30, face, np.full((count, 25), np.nan), found, 30.0)


def test_a_recording_holds_the_same_faces(tmp_path: Path) -> None:
    track = a_track()
    track.save(tmp_path / "t.csv")
    read = Track.load(tmp_path / "t.csv")
    np.testing.assert_allclose(read.face, track.face, atol=1e-6)
    np.testing.assert_allclose(read.time_s, track.time_s, atol=1e-4)
    assert read.fps == pytest.approx(30, abs=0.01)
    assert read.found.all()
    assert np.isnan(read.expression).all()


def test_a_recording_has_no_rows_without_a_face(tmp_path: Path) -> None:
    a_track(missing=2).save(tmp_path / "T.CSV")
    read = Track.load(tmp_path / "T.CSV")
    np.testing.assert_allclose(read.time_s, np.asarray([0, 1, 3, 4, 5]) / 30, atol=1e-4)


@pytest.mark.parametrize("count", [0, 1])
def test_a_short_recording(tmp_path: Path, count: int) -> None:
    a_track(count).save(tmp_path / "t.csv")
    read = Track.load(tmp_path / "t.csv")
    assert (len(read), read.fps) == (count, 60.0)


def test_times_that_stand_still_are_refused(tmp_path: Path) -> None:
    rows = "00:00:00:00.0,61,0.5\n" * 3
    (tmp_path / "t.csv").write_text("Timecode,BlendShapeCount,JawOpen\n" + rows)
    with pytest.raises(InputError, match=r"t\.csv: a track's times must be finite and increasing"):
        Track.load(tmp_path / "t.csv")


def test_the_table_of_a_track_is_no_recording(tmp_path: Path) -> None:
    a_track().to_csv(tmp_path / "t.csv")
    with pytest.raises(InputError, match=r"a table of Track\.to_csv"):
        Track.load(tmp_path / "t.csv")


@pytest.mark.parametrize("fps", [0.0, -1.0, 1e-9, 1e300, np.nan, np.inf, "25", None])
def test_impossible_frame_rates(fps: Any) -> None:
    with pytest.raises(InputError, match="fps must be"):
        track(fps=fps)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("face", np.zeros((6, 58), np.complex64), "face holds complex numbers; expected real ones"),
        ("face", np.ma.masked_equal(np.zeros((6, 58)), 0), "face holds NaN in frame 0"),
        ("time_s", np.arange(6) * (1 + 1j), "times holds complex numbers; expected real ones"),
        ("time_s", np.ma.masked_equal(np.arange(6), 3), "times must be finite and increasing"),
        ("found", np.full(6, 2), "found must be booleans, or 0 and 1; found 2 to 2"),
    ],
)
def test_what_numpy_would_forget_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(a_track(), **{name: value})


def test_impossible_times() -> None:
    with pytest.raises(InputError, match="times must be below"):
        track(time_s=np.asarray([0.0, 1e13]))


def track(time_s: np.ndarray | None = None, fps: Any = 25.0) -> Track:
    times = np.asarray([0.0, 0.04]) if time_s is None else time_s
    unknown = np.full((len(times), 25), np.nan)
    return Track(times, np.zeros((len(times), 58)), unknown, np.ones(len(times), bool), fps)


@pytest.mark.parametrize(
    ("part", "column", "value", "message"),
    [
        ("face", "jawOpen", 1e10, r"weights lie in -10\.\.10; found 1e\+10 in frame 1"),
        ("face", "yaw", 1e6, r"head angles lie in -6\.28319\.\.6\.28319; found 1e\+06 in frame 1"),
        ("face", "x", -1e9, r"head positions lie in -10000\.\.10000; found -1e\+09 in frame 1"),
        ("expression", "valence", 40.0, r"expression values lie in -10\.\.10; found 40 in frame 1"),
    ],
)
def test_impossible_values(tmp_path: Path, part: str, column: str, value: float, message: str) -> None:
    arrays = {"face": np.zeros((3, 58), np.float32), "expression": np.zeros((3, 25), np.float32)}
    channels = FACE_CHANNELS if part == "face" else EXPRESSION_CHANNELS
    arrays[part][1, channels.index(column)] = value
    np.savez(
        tmp_path / "t.npz",
        time_s=np.arange(3.0),
        face=arrays["face"],
        emotion=arrays["expression"],
        found=np.ones(3, bool),
        fps=1.0,
    )
    with pytest.raises(InputError, match=message):
        Track.load(tmp_path / "t.npz")


def test_a_track_knows_its_channels_and_is_no_list() -> None:
    track = Track(np.zeros(1), np.zeros((1, 58)), np.full((1, 25), np.nan), np.ones(1, bool), 30.0)
    assert "jawOpen" in track
    assert "jawopen" not in track
    with pytest.raises(TypeError, match="not iterable"):
        list(track)
