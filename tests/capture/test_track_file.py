from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from visavis.capture.source import open_source
from visavis.capture.track_file import TrackFile
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS, FACE_INDEX
from visavis.errors import InputError
from visavis.pipeline import Pipeline
from visavis.track import Track


def a_track(count: int = 12, missing: tuple[int, ...] = (3, 4), start_s: float = 5.0) -> Track:
    found = ~np.isin(np.arange(count), missing)
    face = np.zeros((count, len(FACE_CHANNELS)), np.float32)
    face[:, FACE_INDEX["jawOpen"]] = np.linspace(0, 1, count)
    face[:, FACE_INDEX["yaw"]] = 0.25
    face[~found] = np.nan
    expression = np.full((count, len(EXPRESSION_CHANNELS)), np.nan, np.float32)
    expression[:1] = 0
    expression[:1, EXPRESSION_CHANNELS.index("happy")] = 1
    return Track(start_s + np.arange(count) / 30, face, expression, found, 30.0)


@pytest.mark.parametrize("name", ["t.npz", "T.NPZ"])
def test_the_frames_are_the_tracks_rows(tmp_path: Path, name: str) -> None:
    track = a_track()
    track.save(tmp_path / name)
    with open_source(tmp_path / name) as source:
        assert isinstance(source, TrackFile)
        assert (source.name, source.fps) == (str(tmp_path / name), 30.0)
        assert (source.frame_count_hint, source.live) == (12, False)
        frames = list(source)
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(12) / 30)
    assert [frame.index for frame in frames] == list(range(12))
    assert [len(frame.faces) for frame in frames] == track.found.astype(int).tolist()
    for frame, row in zip(frames, track.face, strict=True):
        if frame.faces:
            np.testing.assert_array_equal(frame.faces[0].state.values, row)
    assert frames[0].faces[0].label == "happy"
    assert frames[1].faces[0].expression is None
    assert frames[0].image_rgb.shape == (*source.size, 3)


def test_weights_are_cut_to_their_range(tmp_path: Path) -> None:
    track = a_track(1, ())
    face = track.face.copy()
    face[0, 0], face[0, 1] = -0.5, 1.5
    Track(track.time_s, face, track.expression, track.found, 30.0).save(tmp_path / "t.npz")
    (frame,) = TrackFile(tmp_path / "t.npz")
    assert frame.faces[0].state.values[:2].tolist() == [0, 1]


def test_a_recording_of_live_link_face_is_replayed(tmp_path: Path) -> None:
    a_track(missing=()).save(tmp_path / "t.csv")
    with open_source(str(tmp_path / "t.csv")) as source:
        states = [frame.faces[0].state for frame in source]
    assert [state["jawOpen"] for state in states] == pytest.approx(np.linspace(0, 1, 12), abs=1e-6)
    assert states[0]["yaw"] == 0.25


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"", "not a readable track"), (b"hello", "not a readable track")],
)
def test_files_that_are_no_tracks(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_source(tmp_path / "t.npz")


def test_an_empty_track(tmp_path: Path) -> None:
    a_track(0, ()).save(tmp_path / "t.npz")
    with pytest.raises(InputError, match="the track has no frames"):
        open_source(tmp_path / "t.npz")


@pytest.mark.usefixtures("painted_puppet")
def test_a_track_becomes_a_video_and_the_same_track(
    visavis, tmp_path: Path, scripted_pipeline: Pipeline
) -> None:
    track = a_track(start_s=0.0)
    track.save(tmp_path / "t.npz")
    files = ("--out", tmp_path / "v.mp4", "--track", tmp_path / "again.npz")
    assert visavis("run", tmp_path / "t.npz", *files) == 0
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert len(list(container.decode(video=0))) == 12
    again = Track.load(tmp_path / "again.npz")
    np.testing.assert_array_equal(again.face, track.face)
    np.testing.assert_array_equal(again.found, track.found)
    np.testing.assert_array_equal(again.expression[0], track.expression[0])
