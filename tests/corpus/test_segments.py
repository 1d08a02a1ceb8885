from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from support.conversations import call, slow_worker, tree
from visavis.corpus import segments
from visavis.corpus.build import build_corpus, plan
from visavis.corpus.job import finish, work
from visavis.corpus.layout import Outcome
from visavis.corpus.recording import CorpusSettings, Source, list_recordings
from visavis.corpus.segments import RecordingJob, claim, is_complete, join_segments, list_segments
from visavis.corpus.watching import MOST_TRIES, watch_segment
from visavis.errors import InputError

SETTINGS = CorpusSettings(segment_s=4.0)


@pytest.fixture
def job(tmp_path: Path) -> RecordingJob:
    return job_of(call(tmp_path / "call.mp4", 120, 5))


def job_of(path: Path, run: str = "run") -> RecordingJob:
    (recording,) = list_recordings([path], "train", pairs=False)
    parts = list_segments(recording, SETTINGS)
    return RecordingJob(path.parent / "c", recording, SETTINGS, (Source.of(path),), parts, run)


def see(job: RecordingJob, *numbers: int) -> None:
    worker = slow_worker()
    for number in numbers or range(len(job.segments)):
        watch_segment(job, number, worker, lambda: None)


def test_segments_have_every_frame_once(job: RecordingJob) -> None:
    assert [(one.from_s, one.start_s, one.end_s) for one in job.segments[:3]] == [
        (0, 0, 8),
        (4, 8, 12),
        (8, 12, 16),
    ]
    assert job.segments[-1].end_s is None
    assert job.frames == 120
    see(job, *reversed(range(len(job.segments))))
    for person in join_segments(job):
        assert person.observed.time_s == pytest.approx(np.arange(120) / 5)


def test_short_and_unreadable_videos_are_one_segment(tmp_path: Path) -> None:
    assert len(job_of(call(tmp_path / "short.mp4", 20, 5)).segments) == 1
    (tmp_path / "text.mp4").write_text("hello")
    assert len(job_of(tmp_path / "text.mp4").segments) == 1


@pytest.mark.slow
def test_the_corpus_does_not_show_where_segments_begin(tmp_path: Path, job: RecordingJob) -> None:
    whole = replace(job, root=tmp_path / "whole", segments=list_segments(job.recording, CorpusSettings()))
    assert (len(whole.segments), len(job.segments)) == (1, 6)
    for each in (job, whole):
        see(each)
        assert finish(each).status == "done"
        assert list_files(each) == []
    assert tree(job.root / "train") == tree(whole.root / "train")


@pytest.mark.slow
def test_the_reason_is_that_of_the_earliest_bad_segment(job: RecordingJob) -> None:
    path = job.recording.videos[0]
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in (52, 82):
        place, size = packets[number]
        data[place : place + size] = b"\xff" * size
    path.write_bytes(data)
    see(job, 3)
    assert not is_complete(job)
    see(job, 4, 0, 1)  # Number 4 comes after a refused one, and is not made.
    assert not job.path(4).exists()
    assert is_complete(job)
    outcome = finish(job)
    assert outcome.status == "refused"
    assert "a damaged video" in outcome.reason
    assert list_files(job) == []


def list_files(job: RecordingJob) -> list[Path]:
    return list((job.root / segments.SEGMENTS).iterdir())


def test_a_segment_at_which_workers_die_is_given_up(
    job: RecordingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemError("the worker is killed here")

    monkeypatch.setattr("visavis.corpus.watching.observe", die)
    monkeypatch.setattr("pathlib.Path.unlink", lambda *_, **__: None)  # A dead worker deletes nothing.
    for _ in range(MOST_TRIES):
        with pytest.raises(SystemError):
            see(job, 0)
    see(job, 0)
    monkeypatch.undo()
    assert f"call.mp4: the worker died {MOST_TRIES} times at 0 s" in finish(job).reason


@pytest.mark.slow
def test_a_damaged_file_of_a_segment_is_made_again(job: RecordingJob) -> None:
    see(job)
    job.path(1).write_bytes(b"half")
    with pytest.raises(InputError, match="it was deleted, and the same command makes it again"):
        finish(job)
    see(job, 1)
    assert finish(job).status == "done"


@pytest.mark.slow
def test_one_worker_finishes_a_recording_also_if_it_dies_meanwhile(job: RecordingJob) -> None:
    see(job)
    assert claim(job, 2)
    assert not claim(job, 3)
    assert claim(job, 2)
    assert claim(replace(job, run="later"), 3)


@pytest.mark.slow
def test_what_a_dead_worker_has_finished_is_not_done_again(job: RecordingJob) -> None:
    see(job)
    outcome = finish(job)
    seen: list[None] = []
    again = work(job, 0, slow_worker(), lambda: seen.append(None))
    assert (again.status, again.files) == (outcome.status, outcome.files)
    assert not seen


@pytest.mark.slow
def test_a_recording_whose_worker_died_at_the_end_is_in_the_result(tmp_path: Path) -> None:
    """The process can die before it finishes a recording, and after it, before it tells of it."""

    class Dying:
        def run(self, jobs: Sequence[RecordingJob], advance: object) -> Iterator[Outcome]:
            see(jobs[0])
            see(jobs[1])
            finish(jobs[1])
            yield from ()

    videos = [call(tmp_path / f"{name}.mp4", 20, 5) for name in "ab"]
    todo = plan(tmp_path / "c", list_recordings(videos, "train", pairs=False), SETTINGS)
    result = build_corpus(todo, Dying(), lambda _: None)
    assert [(outcome.name, outcome.status) for outcome in result.outcomes] == [("a", "done"), ("b", "done")]
