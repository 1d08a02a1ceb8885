from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Self

import av
import numpy as np
import pytest

from visavis.capture.source import open_source
from visavis.capture.video import VideoFile
from visavis.errors import DeviceError, InputError
from visavis.pipeline import Moment, Pipeline
from visavis.recording.outputs import Outputs
from visavis.recording.record import Recording, record
from visavis.track import Track
from visavis.types import Frame

pytestmark = pytest.mark.usefixtures("painted_puppet")


class Live:
    """A camera that gives some frames and then is lost, or interrupted by the user."""

    name = "camera 0"
    fps = 25.0
    size = (64, 48)
    frame_count_hint = None
    live = True

    def __init__(self, count: int, end: BaseException) -> None:
        self.count = count
        self.end = end

    def __iter__(self) -> Generator[Frame, None, None]:
        for index in range(self.count):
            yield Frame(np.full((48, 64, 3), 90, np.uint8), index / 25, index)
        raise self.end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None: ...


def outputs(folder: Path) -> Outputs:
    return Outputs(folder / "out.mp4", folder / "out.npz", folder / "out.motion3.json")


def frames_in(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


def record_file(path: Path, pipeline: Pipeline, folder: Path, limit_s: float | None = None) -> Recording:
    folder.mkdir()
    with VideoFile(path) as source:
        return record(source, pipeline, outputs(folder), limit_s=limit_s)


def test_a_track_holds_the_landmarks_of_trackers_that_number_them(
    make_video, tmp_path: Path, scripted_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted_pipeline._tracker.misses = {1}
    path = make_video(count=3)
    record_file(path, scripted_pipeline, tmp_path / "without")
    assert Track.load(tmp_path / "without" / "out.npz").landmarks_xy.shape == (3, 0, 2)
    numbers, update = np.arange(40) + 100, scripted_pipeline._tracker.update
    monkeypatch.setattr(
        scripted_pipeline._tracker,
        "update",
        lambda frame: tuple(replace(face, landmark_numbers=numbers) for face in update(frame)),
    )
    record_file(path, scripted_pipeline, tmp_path / "with")
    track = Track.load(tmp_path / "with" / "out.npz")
    np.testing.assert_array_equal(track.landmark_numbers, numbers)
    assert np.isnan(track.landmarks_xy[1]).all()
    (face,) = update(Frame(np.zeros((48, 64, 3), np.uint8), 0.0, 2))
    np.testing.assert_array_equal(track.landmarks_xy[2], face.landmarks_xy)


def test_writes_all_three(make_video, tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    scripted_pipeline._tracker.misses = {3, 4}
    result = record_file(make_video(count=20, sound_hz=300), scripted_pipeline, tmp_path / "o")
    assert result.error is None
    assert not result.interrupted
    assert (result.frames, result.frames_with_face) == (20, 18)
    assert result.expressions == {"happy": 18}
    assert [path.name for path in result.written] == ["out.mp4", "out.npz", "out.motion3.json"]
    assert {"face", "emotion", "avatar", "puppet", "video"} == set(result.timings_ms)
    track = Track.load(tmp_path / "o" / "out.npz")
    assert track.time_s == pytest.approx(np.arange(20) / 30, abs=1e-3)
    assert track.found.tolist() == [index not in (3, 4) for index in range(20)]
    assert np.isnan(track.face[3]).all()
    assert np.isnan(track.emotion[4]).all()
    assert np.isfinite(track.emotion[5]).all()
    assert frames_in(tmp_path / "o" / "out.mp4") == pytest.approx(track.time_s, abs=1e-3)
    with av.open(str(tmp_path / "o" / "out.mp4")) as container:
        assert len(container.streams.audio) == 1


def test_the_real_puppet_follows(
    make_video, tmp_path: Path, scripted_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    record_file(make_video(count=10), scripted_pipeline, tmp_path / "o")
    with av.open(str(tmp_path / "o" / "out.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    avatar = slice(480, 480 + 360)
    moved = np.abs(frames[0][:, avatar].astype(int) - frames[9][:, avatar]).mean()
    assert frames[0][:, avatar].std() > 20
    assert moved > 0.5


def test_video_keeps_variable_times(make_video, tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    times_s = [0.0, 0.05, 0.3, 0.31, 0.9]
    record_file(make_video(times_s=times_s), scripted_pipeline, tmp_path / "o")
    assert frames_in(tmp_path / "o" / "out.mp4") == pytest.approx(times_s, abs=2e-3)
    assert Track.load(tmp_path / "o" / "out.npz").time_s == pytest.approx(times_s, abs=2e-3)


def test_truncated_source_keeps_what_was_read(
    make_video, tmp_path: Path, scripted_pipeline: Pipeline
) -> None:
    path = make_video(count=90, size=(96, 64))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    result = record_file(path, scripted_pipeline, tmp_path / "o")
    assert isinstance(result.error, InputError)
    assert f"truncated video: {result.frames} frames were read" in str(result.error)
    assert 20 < result.frames < 90
    assert len(result.written) == 3
    assert len(frames_in(tmp_path / "o" / "out.mp4")) == result.frames
    assert len(Track.load(tmp_path / "o" / "out.npz")) == result.frames


def test_lost_camera_keeps_what_was_seen(tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    lost = DeviceError("camera 0 gives no picture any more")
    result = record(Live(7, lost), scripted_pipeline, outputs(tmp_path))
    assert result.error is lost
    assert result.frames == 7
    assert len(frames_in(tmp_path / "out.mp4")) == 7
    assert len(Track.load(tmp_path / "out.npz")) == 7


def test_ctrl_c_keeps_what_was_seen(tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    def interrupt(moment: Moment) -> None:
        if moment.frame.index == 5:
            raise KeyboardInterrupt

    threads = threading.active_count()
    endless = Live(1000, DeviceError("unreached"))
    result = record(endless, scripted_pipeline, outputs(tmp_path), on_frame=interrupt)
    assert result.interrupted
    assert result.error is None
    assert result.frames == 6
    assert len(frames_in(tmp_path / "out.mp4")) == 6
    assert threading.active_count() == threads


def test_camera_lost_before_the_first_frame_leaves_nothing(
    tmp_path: Path, scripted_pipeline: Pipeline
) -> None:
    result = record(Live(0, DeviceError("lost")), scripted_pipeline, outputs(tmp_path))
    assert result.frames == 0
    assert result.written == ()
    assert list(tmp_path.iterdir()) == []


def test_limit(make_video, tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    result = record_file(make_video(count=60), scripted_pipeline, tmp_path / "o", limit_s=0.5)
    assert result.error is None
    assert result.frames == 15


def test_without_emotions(make_video, tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    pipeline = Pipeline(scripted_pipeline._tracker, None, scripted_pipeline._animator)
    result = record_file(make_video(count=4), pipeline, tmp_path / "o")
    assert result.expressions == {}
    assert np.isnan(Track.load(tmp_path / "o" / "out.npz").emotion).all()


def link_to(target: Path, link: Path) -> Path:
    link.symlink_to(target)
    return link


def test_a_link_stays_a_link_and_its_target_is_written(
    make_video, tmp_path: Path, scripted_pipeline: Pipeline
) -> None:
    link = link_to(tmp_path / "real.npz", tmp_path / "t.npz")
    film = link_to(tmp_path / "real.mp4", tmp_path / "v.mp4")
    with open_source(make_video(count=3)) as source:
        record(source, scripted_pipeline, Outputs(film, link))
    assert link.is_symlink()
    assert film.is_symlink()
    assert len(Track.load(tmp_path / "real.npz")) == 3
    assert (tmp_path / "real.mp4").stat().st_size > 1000


def test_one_output_that_cannot_be_written_does_not_cost_the_others(
    make_video, tmp_path: Path, scripted_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    result = record_file(make_video(count=4), scripted_pipeline, tmp_path / "o")
    assert [path.name for path in result.written] == ["out.mp4", "out.npz"]
    assert {path.name for path in (tmp_path / "o").iterdir()} == {"out.mp4", "out.npz"}
    assert "out.motion3.json: cannot be written: No space left" in str(result.error)


def test_the_first_error_is_the_one_that_is_told(
    tmp_path: Path, scripted_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    lost = DeviceError("camera 0 gives no picture any more")
    assert record(Live(3, lost), scripted_pipeline, outputs(tmp_path)).error is lost
