from __future__ import annotations

import multiprocessing
import threading
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from support import counting_people
from visavis.capture.portrait import PortraitClip
from visavis.capture.video import VideoFile
from visavis.errors import InputError
from visavis.pipeline import Pipeline, Sighting
from visavis.recording import parts
from visavis.recording.parts import PartsReader, follow_faces, plan_parts

LEAD_S = 0.5


@pytest.fixture
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LEAD_S", LEAD_S)
    monkeypatch.setattr(parts, "LEAST_PART_S", 2.0)


def alone(path: Path, pipeline: Pipeline) -> list[Sighting]:
    with VideoFile(path) as video:
        return list(follow_faces(video, lambda: pipeline, jobs=1))


def values(seen: list[Sighting]) -> tuple[np.ndarray, ...]:
    faces = [one.faces[0] for one in seen]
    return (
        np.asarray([one.time_s for one in seen]),
        np.stack([face.state.values for face in faces]),
        np.stack([face.landmarks_xy for face in faces]),
        np.stack([face.expression.values for face in faces if face.expression is not None]),
    )


@pytest.mark.slow
@pytest.mark.parametrize("forgets", [5, 100_000], ids=["forgets", "never forgets"])
@pytest.mark.parametrize("jobs", [2, 3])
def test_several_processes_give_what_one_pass_gives(
    make_video, short_parts: None, forgets: int, jobs: int
) -> None:
    path = make_video(count=240, fps=30)
    cuts_s = plan_parts(path, jobs)
    assert len(cuts_s) >= jobs
    make_pipeline = partial(counting_people.pipeline, forgets)
    together = list(PartsReader(path, make_pipeline, cuts_s, jobs))
    one_pass = alone(path, make_pipeline())
    assert [one.time_s for one in together] == [one.time_s for one in one_pass]
    for found, expected in zip(values(together), values(one_pass), strict=True):
        np.testing.assert_array_equal(found, expected)
    if forgets > 1000:  # One process has read everything.
        assert [one.faces[0].track_id for one in together] == [one.faces[0].track_id for one in one_pass]


@pytest.mark.slow
def test_a_real_face_is_read_as_in_one_pass(tmp_path: Path) -> None:
    path = tmp_path / "portrait.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 360, 360, "yuv420p"
        stream.codec_context.gop_size = 25
        for index, shown in enumerate(islice(PortraitClip(), 130)):
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(shown.image_rgb[:360, :360]), format="rgb24"
            )
            frame.pts = index
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    make_pipeline = partial(Pipeline, max_faces=4)
    together = list(PartsReader(path, make_pipeline, [0.0, 2.0, 4.0], 2))
    one_pass = alone(path, make_pipeline())
    (time_s, face, points, shown), expected = values(together), values(one_pass)
    np.testing.assert_array_equal(time_s, expected[0])
    np.testing.assert_array_equal(points, expected[2])
    np.testing.assert_allclose(face, expected[1], atol=1e-5)
    np.testing.assert_allclose(shown, expected[3], atol=1e-4)
    labels = ([one.faces[0].label for one in seen] for seen in (together, one_pass))
    assert next(labels) == next(labels)


def test_short_cut_off_and_restarting_files_are_read_in_one_pass(
    make_video, short_parts: None, tmp_path: Path
) -> None:
    whole = make_video("whole.mp4", count=240, size=(96, 64))
    assert len(plan_parts(whole, 2)) == 2
    assert plan_parts(whole, 2, limit_s=3.0) == []
    assert plan_parts(whole, 1) == []
    cut = make_video("cut.mp4", count=240, size=(96, 64))
    cut.write_bytes(cut.read_bytes()[: int(cut.stat().st_size * 0.8)])
    assert len(plan_parts(cut, 2)) < 2
    take = make_video("take.ts", count=240)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(2 * take.read_bytes())
    assert len(plan_parts(joined, 2)) < 2


@pytest.mark.slow
def test_a_damaged_frame_is_told_once_after_all_good_ones(make_video, short_parts: None) -> None:
    path = make_video("clip.mkv", count=240, size=(320, 240))
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        place = path.read_bytes().find(bytes(packets[100])[8:40])
    data = bytearray(path.read_bytes())
    data[place : place + 60] = bytes(60)
    path.write_bytes(data)
    cuts_s = [0.0, 10 / 3]
    told = []
    for read in (
        lambda: PartsReader(path, counting_people.pipeline, cuts_s, 2),
        lambda: follow_faces(VideoFile(path), counting_people.pipeline, 1),
    ):
        seen: list[Sighting] = []
        with pytest.raises(InputError) as error:
            seen.extend(read())
        told.append((len(seen), str(error.value)))
    assert told[0] == told[1]
    assert "damaged video" in told[0][1]


@pytest.mark.slow
def test_what_was_read_before_a_process_ended_is_kept(make_video, short_parts: None) -> None:
    path = make_video(count=240, fps=30)
    make_pipeline = partial(counting_people.pipeline, 5, 6.0)
    seen: list[Sighting] = []
    with pytest.raises(InputError, match=r"process .* ended \(status 9\); --jobs 1"):
        seen.extend(PartsReader(path, make_pipeline, plan_parts(path, 2), 2))
    assert seen[-1].time_s > 4
    assert [one.time_s for one in seen] == pytest.approx([index / 30 for index in range(len(seen))], abs=1e-3)


@pytest.mark.slow
def test_no_process_is_left_when_the_user_stops(make_video, short_parts: None) -> None:
    path = make_video(count=240, fps=30)
    threads = threading.active_count()
    with closing(iter(PartsReader(path, counting_people.pipeline, plan_parts(path, 2), 2))) as frames:
        next(frames)
        assert len(multiprocessing.active_children()) == 1
        assert threading.active_count() == threads + 1
    assert multiprocessing.active_children() == []
    assert threading.active_count() == threads


def test_the_first_part_waits_for_no_process(
    make_video, short_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So Ctrl-C while processes start keeps what one pass would have read."""
    monkeypatch.setattr(parts, "_work_apart", counting_people.idle)
    path = make_video(count=240, fps=30)
    with closing(iter(PartsReader(path, counting_people.pipeline, plan_parts(path, 2), 2))) as frames:
        seen = [next(frames) for _ in range(90)]
    assert [one.time_s for one in seen] == pytest.approx([index / 30 for index in range(90)], abs=1e-3)
