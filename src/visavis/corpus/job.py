"""The work on one segment, and the end of a recording: its files in the corpus, or why it is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

from visavis.capture.sound import write_wav
from visavis.corpus import layout, segments
from visavis.corpus.layout import DONE, REFUSED, Outcome, describe_refusal
from visavis.corpus.observe import Watched
from visavis.corpus.quality import SWAPPED_SHARE, PersonQuality, Quality, swapped_share
from visavis.corpus.recording import PEOPLE, SourceChangedError, mismatch
from visavis.corpus.segments import PersonView, RecordingJob
from visavis.corpus.watching import Worker, watch_segment
from visavis.datasets.parquet import write_tracks
from visavis.errors import InputError


def work(job: RecordingJob, number: int, worker: Worker, on_frame: Callable[[], None]) -> Outcome | None:
    """Process a segment, and finish its recording if no other segment is missing.

    This is what every engine runs.

    Args:
        job: the recording.
        number: index of the segment.
        worker: the worker's networks.
        on_frame: called after each processed frame.

    Returns:
        The recording's outcome if this call finished it, or if it is finished: this worker may do again what
        one that died has done.

    Raises:
        InputError: a file cannot be written. Errors of the videos are the outcome's reason instead.
    """
    if (outcome := finished(job)) is not None:
        return outcome
    watch_segment(job, number, worker, on_frame)
    return finish(job) if segments.is_complete(job) and segments.claim(job, number) else None


def finished(job: RecordingJob) -> Outcome | None:
    """The outcome of a recording that is finished; None if it is not."""
    outcome = Outcome.load(layout.record_path(job.root, job.recording.split, job.recording.name))
    return outcome if outcome is not None and outcome.stands(job.root, job.sources) else None


def finish(job: RecordingJob) -> Outcome:
    """Write the files and the record of a recording whose segments are complete.

    Raises:
        InputError: a file cannot be written. Errors of the videos are the outcome's reason instead.
    """
    reason = segments.refusal(job)
    try:
        outcome = _refusal(job, reason) if reason is not None else _write(job, segments.join_segments(job))
        if outcome.status == REFUSED:
            _require_unchanged(job)
    except SourceChangedError as error:  # The next run must not take this for the end.
        unknown = tuple(replace(source, sha256="") for source in job.sources)
        outcome = replace(_refusal(job, str(error)), sources=unknown)
    if outcome.stays:
        return outcome  # Without a record, the segments say what is done until the run ends.
    if outcome.status == REFUSED:
        layout.discard(job.root, job.recording)
    outcome.save(job.root)
    segments.forget(job)
    return outcome


def _refusal(job: RecordingJob, reason: str) -> Outcome:
    return describe_refusal(job.root, job.recording, reason, job.sources)


def _require_unchanged(job: RecordingJob) -> None:
    for source in job.sources:
        source.require_unchanged()


def _write(job: RecordingJob, seen: list[PersonView]) -> Outcome:
    recording = job.recording
    try:
        people, mismatch_s = _align(job, seen)
    except InputError as error:
        return _refusal(job, str(error))
    with layout.unfinished(job.root, recording) as folder:
        duration_s = len(people[0].track) / job.settings.fps
        sounds = []
        for name, person, view in zip(PEOPLE, people, seen, strict=True):
            clip = layout.clip_path(recording, name)
            layout.write_track(folder, clip, person.track)
            sounds.append(write_wav(view.video, layout.sound_path(folder, clip), view.start_s, duration_s))
        if job.settings.parquet:
            tracks = {name: person.track for name, person in zip(PEOPLE, people, strict=True)}
            facts = {"split": recording.split, "recording": recording.name}
            sources = [source.sha256 for source in job.sources]
            write_tracks(layout.parquet_path(folder, recording), tracks, {**facts, "sources": sources})
        files = layout.list_files(folder, recording.split)
        _require_unchanged(job)
        layout.discard(job.root, recording)  # What was made before, just before the new files take its place.
    quality = _judge(job, seen, people, sounds, mismatch_s)
    return Outcome(recording.name, recording.split, DONE, None, job.sources, files, asdict(quality))


def _align(job: RecordingJob, seen: list[PersonView]) -> tuple[list[Watched], float]:
    """Both people at the corpus's rate and with the same length, and how much of the longer video was cut.

    Raises:
        InputError: lengths differ too much, there is no frame, or a person is rarely seen.
    """
    settings, (first, second) = job.settings, seen
    mismatch_s = mismatch((first.video, second.video), (first.end_s, second.end_s), settings.tolerance_s)
    count = int(min(first.end_s, second.end_s) * settings.fps + 1e-6)
    if not count:
        raise InputError(f"{first.video}: shorter than a frame of the corpus")
    people = [Watched.at_rate(one.observed, settings.fps, count) for one in seen]
    places = ("the left half of ", "the right half of ") if first.video == second.video else ("", "")
    for person, one, place in zip(people, seen, places, strict=True):
        share = float(person.track.found.mean())
        if share < settings.least_found:
            raise InputError(
                f"a face in {share:.0%} of {place}{one.video}; at least {settings.least_found:.0%} of the "
                "frames are needed: name a video that shows the person throughout"
            )
    return people, mismatch_s


def _judge(
    job: RecordingJob, seen: list[PersonView], people: list[Watched], sounds: list[bool], mismatch_s: float
) -> Quality:
    measured = {
        name: PersonQuality.of(person, one.fps, one.end_s, sound)
        for name, person, one, sound in zip(PEOPLE, people, seen, sounds, strict=True)
    }
    swapped = swapped_share(*people)
    changed = (
        f"the people seem to change sides: in {swapped or 0:.0%} of the frames each looks like the other"
    )
    frames = len(people[0].track)
    return Quality(
        frames=frames,
        duration_s=round(frames / job.settings.fps, 3),
        mismatch_s=round(mismatch_s, 3),
        swapped=swapped,
        mixed_sound=len(job.recording.videos) == 1 and any(sounds),
        people=measured,
        warnings=(changed,) if swapped is not None and swapped > SWAPPED_SHARE else (),
    )
