"""Processing one recording: its files in the corpus, or the reason why it is refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from visavis.capture.sound import write_wav
from visavis.capture.video import VideoFile
from visavis.corpus import layout
from visavis.corpus.layout import DONE, REFUSED, Outcome
from visavis.corpus.quality import SWAPPED_SHARE, PersonQuality, Quality, swapped_share
from visavis.corpus.recording import PEOPLE, Recording, Settings, Source
from visavis.corpus.sides import MOST_FACES, find_cut
from visavis.corpus.watching import Observed, Watched, watch
from visavis.errors import InputError
from visavis.face.tracker import open_tracker
from visavis.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Job:
    """A job for a worker.

    Attributes:
        root: the corpus's folder.
        recording: the recording to process.
        settings: settings of the corpus.
        sources: the recording's videos.
        frames: estimated number of frames, for the progress bar; None if not known.
    """

    root: Path
    recording: Recording
    settings: Settings
    sources: tuple[Source, ...]
    frames: int | None


class Bench:
    """The networks of one worker: they are opened once and used for all recordings."""

    def __init__(self) -> None:
        self.people = [Pipeline() for _ in PEOPLE]
        self.searcher = open_tracker("visavis", MOST_FACES)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One person in the video."""

    observed: Observed
    video: Path
    fps: float
    start_s: float

    @property
    def end_s(self) -> float:
        """The time at which the last frame ends."""
        return self.observed.time_s[-1] + 1 / self.fps


def build_recording(job: Job, bench: Bench, on_frame: Callable[[], None]) -> Outcome:
    """Process a recording and write its files and its record.

    Args:
        job: the job.
        bench: the worker's networks.
        on_frame: called after each processed frame.

    Raises:
        InputError: a file cannot be written. Errors of the videos are the outcome's reason instead.
    """
    recording = job.recording
    layout.discard(job.root, recording)
    try:
        seen = _see(job, bench, on_frame)
        people, mismatch_s = _align(job, seen)
    except InputError as error:
        outcome = Outcome(recording.name, recording.split, REFUSED, str(error), job.sources, {}, None)
        outcome.save(job.root)
        return outcome
    with layout.unfinished(job.root, recording) as folder:
        duration_s = len(people[0].track) / job.settings.fps
        sounds = []
        for name, person, view in zip(PEOPLE, people, seen, strict=True):
            clip = layout.clip_path(recording, name)
            layout.write_track(folder, clip, person.track)
            sounds.append(write_wav(view.video, layout.sound_path(folder, clip), view.start_s, duration_s))
        files = layout.list_files(folder, recording.split)
    quality = _judge(job, seen, people, sounds, mismatch_s)
    outcome = Outcome(recording.name, recording.split, DONE, None, job.sources, files, asdict(quality))
    outcome.save(job.root)
    return outcome


def _see(job: Job, bench: Bench, on_frame: Callable[[], None]) -> list[_Seen]:
    """Both people, each through the whole video."""
    videos = job.recording.videos
    with ExitStack() as stack:
        for pipeline in bench.people:
            stack.callback(pipeline.close)
        if len(videos) == 1:
            cut_px = find_cut(videos[0], bench.searcher)
            return _see_video(videos[0], bench.people, cut_px, on_frame)
        seen = [_see_video(video, bench.people[:1], None, on_frame) for video in videos]
        return [one for (one,) in seen]


def _see_video(
    path: Path, people: list[Pipeline], cut_px: int | None, on_frame: Callable[[], None]
) -> list[_Seen]:
    with VideoFile(path) as video:
        observed = watch(video, people, cut_px, on_frame)
        return [_Seen(person, path, video.fps, video.start_s) for person in observed]


def _align(job: Job, seen: list[_Seen]) -> tuple[list[Watched], float]:
    """Both people at the corpus's rate and with the same length, and how much of the longer video was cut.

    Raises:
        InputError: lengths differ too much, there is no frame, or a person is rarely seen.
    """
    settings, (first, second) = job.settings, seen
    mismatch_s = abs(first.end_s - second.end_s)
    if mismatch_s > settings.tolerance_s:
        raise InputError(
            f"{first.video} lasts {first.end_s:.2f} s and {second.video} {second.end_s:.2f} s: "
            f"{mismatch_s:.2f} s apart, and at most {settings.tolerance_s:g} s are allowed; cut both to the "
            "same conversation"
        )
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
    job: Job, seen: list[_Seen], people: list[Watched], sounds: list[bool], mismatch_s: float
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
