from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any, Self

import av
import numpy as np
import pytest

from support.films import read_rgba
from support.takes import film, onsets_s
from visavis.avatar.puppet import Puppet
from visavis.capture.sound import Soundtrack
from visavis.capture.source import open_source
from visavis.capture.video import VideoFile
from visavis.errors import DeviceError, InputError
from visavis.pipeline import Moment, Pipeline
from visavis.recording.log import Recording
from visavis.recording.outputs import AvatarAlone, Outputs
from visavis.recording.record import record_source
from visavis.recording.video_writer import VideoWriter
from visavis.track import Track
from visavis.types import AudioChunk, AvatarPose, Frame, ImageArray

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
        return record_source(source, pipeline, outputs(folder), limit_s=limit_s)


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


def test_each_picture_waits_unchanged_for_a_slow_encoder(
    make_video, tmp_path: Path, scripted_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = VideoWriter.write_planes

    def slowly(writer: VideoWriter, planes: ImageArray, time_s: float) -> None:
        sleep(0.02)
        write(writer, planes, time_s)

    monkeypatch.setattr(VideoWriter, "write_planes", slowly)
    levels = np.arange(20, 236, 12)
    frames = (Frame(np.full((48, 64, 3), level, np.uint8), i / 25, i) for i, level in enumerate(levels))
    source = Live(len(levels), KeyboardInterrupt())
    monkeypatch.setattr(Live, "__iter__", lambda _: (yield from frames))
    record_source(source, scripted_pipeline, Outputs(tmp_path / "out.mp4"))
    with av.open(str(tmp_path / "out.mp4")) as container:
        seen = [frame.to_ndarray(format="rgb24")[:40, :40].mean() for frame in container.decode(video=0)]
    assert seen == pytest.approx(levels, abs=4)


def test_writes_all_three(make_video, tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    scripted_pipeline._tracker.misses = {3, 4}
    result = record_file(make_video(count=20, sound_hz=300), scripted_pipeline, tmp_path / "o")
    assert result.error is None
    assert not result.interrupted
    assert (result.frames, result.frames_with_face) == (20, 18)
    assert result.expressions == {"happy": 18}
    assert [path.name for path in result.written] == ["out.mp4", "out.npz", "out.motion3.json"]
    assert {"face", "expression", "avatar", "puppet", "video"} == set(result.timings_ms)
    track = Track.load(tmp_path / "o" / "out.npz")
    assert track.time_s == pytest.approx(np.arange(20) / 30, abs=1e-3)
    assert track.found.tolist() == [index not in (3, 4) for index in range(20)]
    assert np.isnan(track.face[3]).all()
    assert np.isnan(track.expression[4]).all()
    assert np.isfinite(track.expression[5]).all()
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


@pytest.mark.parametrize("name", ["v.webm", "v.mov"])
def test_the_avatar_alone_has_a_transparent_background(
    make_video, tmp_path: Path, scripted_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.undo()
    outputs = Outputs(tmp_path / name, alone=AvatarAlone("transparent", 128))
    with open_source(make_video(count=6, sound_hz=300)) as source:
        result = record_source(source, scripted_pipeline, outputs)
    assert result.written == (tmp_path / name,)
    frames = read_rgba(tmp_path / name)
    assert frames.shape == (6, 128, 128, 4)
    assert frames[:, :8, :8, 3].max() <= 2  # Both upper corners.
    assert frames[:, :8, -8:, 3].max() <= 2
    assert frames[:, 56:72, 56:72, 3].min() >= 253  # The face.
    with av.open(str(tmp_path / name)) as container:
        assert len(container.streams.audio) == 1


@pytest.mark.parametrize("background", ["soft", (0, 255, 0)])
@pytest.mark.parametrize("name", ["v.webm", "v.mp4"])
@pytest.mark.slow
def test_the_avatar_alone_has_a_background(
    make_video,
    tmp_path: Path,
    scripted_pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    background: Any,
) -> None:
    monkeypatch.undo()
    outputs = Outputs(tmp_path / name, alone=AvatarAlone(background, 96))
    with open_source(make_video(count=4)) as source:
        record_source(source, scripted_pipeline, outputs)
    frames = read_rgba(tmp_path / name)
    assert frames.shape == (4, 96, 96, 4)
    assert (frames[..., 3] == 255).all()
    expected = Puppet.load().draw(AvatarPose.from_mapping({}, 0.0), 96)[4, 4]
    if background != "soft":
        expected = np.asarray(background)
    assert frames[-1, 4, 4, :3] == pytest.approx(expected.astype(int), abs=10)


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
    assert str(result.error).endswith(f"; frames that were read: {result.frames}")
    assert 20 < result.frames < 90
    assert len(result.written) == 3
    assert len(frames_in(tmp_path / "o" / "out.mp4")) == result.frames
    assert len(Track.load(tmp_path / "o" / "out.npz")) == result.frames


def test_lost_camera_keeps_what_was_seen(tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    lost = DeviceError("camera 0 gives no picture any more")
    result = record_source(Live(7, lost), scripted_pipeline, outputs(tmp_path))
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
    result = record_source(endless, scripted_pipeline, outputs(tmp_path), on_frame=interrupt)
    assert result.interrupted
    assert result.error is None
    assert result.frames == 6
    assert len(frames_in(tmp_path / "out.mp4")) == 6
    assert threading.active_count() == threads


@pytest.mark.skipif(os.name != "posix", reason="needs a signal to the own process")
def test_a_run_ends_at_once_while_it_hears_a_long_gap(
    make_video, scripted_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(_: Soundtrack, time_s: float) -> Generator[AudioChunk, None, None]:
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        while True:
            yield AudioChunk(np.zeros(160, np.float32), 16_000, time_s)

    signal.signal(signal.SIGINT, signal.default_int_handler)  # A program in the background ignores it.
    monkeypatch.setattr(Soundtrack, "until", endless)
    monkeypatch.setattr(scripted_pipeline, "hear", lambda _: None)
    monkeypatch.setattr(Pipeline, "hears", True)
    with VideoFile(make_video(count=3, sound_hz=200)) as source:
        result = record_source(source, scripted_pipeline, Outputs())
    assert result.interrupted
    assert result.frames == 0


@pytest.mark.slow
def test_what_is_odd_in_a_file_is_told(tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    take, joined = film(tmp_path / "take.ts"), tmp_path / "joined.ts"
    joined.write_bytes(2 * take.read_bytes())
    with VideoFile(joined) as source:
        result = record_source(source, scripted_pipeline, Outputs(tmp_path / "out.mp4"))
    assert result.error is None
    assert result.frames == len(frames_in(tmp_path / "out.mp4")) == 100
    assert len(result.notes) == 1
    assert "starts again at 2.0" in result.notes[0]
    with av.open(str(tmp_path / "out.mp4")) as container:
        heard = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
        rate_hz = container.streams.audio[0].rate
    assert onsets_s(np.concatenate(heard), rate_hz) == pytest.approx([1.0, 3.0], abs=0.15)


def test_camera_lost_before_the_first_frame_leaves_nothing(
    tmp_path: Path, scripted_pipeline: Pipeline
) -> None:
    result = record_source(Live(0, DeviceError("lost")), scripted_pipeline, outputs(tmp_path))
    assert result.frames == 0
    assert result.written == ()
    assert list(tmp_path.iterdir()) == []


def test_limit(make_video, tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    result = record_file(make_video(count=60), scripted_pipeline, tmp_path / "o", limit_s=0.5)
    assert result.error is None
    assert result.frames == 15


def test_without_expressions(make_video, tmp_path: Path, scripted_pipeline: Pipeline) -> None:
    pipeline = Pipeline(scripted_pipeline._tracker, None, scripted_pipeline._animator)
    result = record_file(make_video(count=4), pipeline, tmp_path / "o")
    assert result.expressions == {}
    assert np.isnan(Track.load(tmp_path / "o" / "out.npz").expression).all()


def link_to(target: Path, link: Path) -> Path:
    link.symlink_to(target)
    return link


def test_a_link_stays_a_link_and_its_target_is_written(
    make_video, tmp_path: Path, scripted_pipeline: Pipeline
) -> None:
    link = link_to(tmp_path / "real.npz", tmp_path / "t.npz")
    film = link_to(tmp_path / "real.mp4", tmp_path / "v.mp4")
    with open_source(make_video(count=3)) as source:
        record_source(source, scripted_pipeline, Outputs(film, link))
    assert link.is_symlink()
    assert film.is_symlink()
    assert len(Track.load(tmp_path / "real.npz")) == 3
    assert (tmp_path / "real.mp4").stat().st_size > 1000


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_one_output_that_cannot_be_written_does_not_cost_the_others(
    make_video, tmp_path: Path, scripted_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "write_text", full_disk)
    result = record_file(make_video(count=4), scripted_pipeline, tmp_path / "o")
    assert [path.name for path in result.written] == ["out.mp4", "out.npz"]
    assert {path.name for path in (tmp_path / "o").iterdir()} == {"out.mp4", "out.npz"}
    assert "out.motion3.json: cannot be written: No space left" in str(result.error)


def test_the_end_and_every_file_that_is_not_written_are_told(
    tmp_path: Path, scripted_pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visavis.base.files.put_in_place", full_disk)
    lost = DeviceError("camera 0 gives no picture any more")
    wanted = outputs(tmp_path)
    full = "cannot be written: No space left on device; choose another place"
    failures = f"{wanted.track}: {full}; {wanted.motion}: {full}"
    assert str(record_source(Live(3, lost), scripted_pipeline, wanted).error) == f"{lost}; {failures}"
    assert str(record_source(Live(3, KeyboardInterrupt()), scripted_pipeline, wanted).error) == failures
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
