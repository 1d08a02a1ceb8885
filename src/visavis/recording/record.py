"""Recording a run: the video, track, motion and reaction of a source, kept even after an error."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from threading import Event
from typing import TYPE_CHECKING

from visavis.base.arrays import require_number
from visavis.base.clock import Clock, SystemClock
from visavis.base.interruption import Interruption
from visavis.capture.prefetch import Prefetch
from visavis.capture.sound import Soundtrack
from visavis.capture.source import FrameSource
from visavis.capture.video import VideoFile
from visavis.errors import InputError, VisavisError
from visavis.pipeline import Moment, Pipeline, Sighting
from visavis.recording.film import DEPTH, Film, beside
from visavis.recording.log import Log, Recording, joined_errors
from visavis.recording.outputs import Outputs
from visavis.types import Frame

if TYPE_CHECKING:
    from visavis.avatar.puppet import Drawing
    from visavis.outputs.sender import Sender

# Sound is read this far ahead of the pictures, because a frame needs the sound up to its end.
HEARD_AHEAD_S = 0.1
# A longer gap between two frames of a file is skipped when the file is sent in real time.
LONGEST_WAIT_S = 10.0
# A run that is ended stops waiting after this.
LONGEST_SLEEP_S = 0.5


def record_source(
    source: FrameSource,
    pipeline: Pipeline,
    outputs: Outputs,
    *,
    limit_s: float | None = None,
    on_frame: Callable[[Moment], None] | None = None,
    clock: Clock | None = None,
    send: Sequence[Sender] = (),
    avatar: Drawing | None = None,
    real_time: bool = False,
) -> Recording:
    """Process a source to its end, or to an error or Ctrl-C, and write the requested files.

    Decoding, tracking, drawing the avatar, and encoding run in four threads; frames are streamed, so that
    only the rows of the track grow in memory.

    Args:
        source: an open source; the caller closes it.
        pipeline: its stream starts again here; the caller closes it.
        outputs: what to write.
        limit_s: stop at this time of the source.
        on_frame: called after each frame.
        clock: measures the timings.
        send: open outputs; frames of a file then come in real time.
        avatar: the avatar in the video; Mira by default.
        real_time: whether frames of a file come in real time also without outputs.

    Raises:
        InputError: an output cannot be written; this is checked before the work. Errors after the first frame
            are not raised but returned in the recording, since the results so far are kept.
    """
    outputs.validate(source.name)
    if limit_s is not None:
        require_number("limit_s", limit_s)
        if limit_s <= 0:
            raise InputError(f"limit_s is {limit_s}; expected more than 0 seconds")
    clock = clock or SystemClock()
    pipeline.reset()
    start_s = clock.now_s()
    log = Log(outputs)
    if outputs.reaction is not None and pipeline.listener is not None:
        pipeline.listener.on_frame = log.tokens.append
    error: VisavisError | None = None
    interrupted = False
    film = None
    if outputs.video is not None:
        from visavis.avatar.puppet import Puppet

        shown = outputs.alone or beside(source, pipeline.read_expressions)
        film = Film(outputs, outputs.video, source, shown, avatar or Puppet.load())
    with Interruption() as signals:
        try:
            with ExitStack() as stack:
                steps = _steps(
                    stack, source, pipeline, film, signals, limit_s, clock, send, real_time or bool(send)
                )
                for moment, timings_ms in steps:
                    timings_ms = {**moment.timings_ms, **timings_ms}
                    log.add(moment.frame.time_s, moment.faces, timings_ms, moment.pose)
                    if on_frame is not None:
                        on_frame(moment)
                interrupted = signals.came
        except KeyboardInterrupt:
            interrupted = True
        except VisavisError as caught:
            error = caught
        written = [film.writer.path] if film is not None and film.writer.finished else []
        saved, failures = log.save(source.fps, pipeline.listener)
    error = joined_errors(error, failures)
    notes = source.notes if isinstance(source, VideoFile) else ()
    return Recording.of(log, (*written, *saved), clock.now_s() - start_s, interrupted, error, notes)


def _steps(
    stack: ExitStack,
    source: FrameSource,
    pipeline: Pipeline,
    film: Film | None,
    signals: Interruption,
    limit_s: float | None,
    clock: Clock,
    send: Sequence[Sender],
    real_time: bool,
) -> Iterable[tuple[Moment, Mapping[str, float]]]:
    """Each moment, after it is in the video, with the milliseconds that this took; the stack ends all."""
    if film is not None:
        stack.enter_context(film.writer)
    sound: Soundtrack | None = None
    if pipeline.hears and isinstance(source, VideoFile):
        sound = stack.enter_context(Soundtrack(source.path))
    frames = iter(source)
    ahead = frames if source.live else stack.enter_context(Prefetch(frames, DEPTH))
    stop = Event()
    if real_time and not source.live:
        ahead = in_real_time(ahead, clock, stop)
    processed = _sent(_moments(ahead, pipeline, sound, limit_s, stop), send)
    moments = stack.enter_context(Prefetch(processed, DEPTH))
    stack.callback(stop.set)
    if film is None:
        return ((moment, {}) for moment in signals.each(moments))
    drawn = stack.enter_context(Prefetch(film.drawn(moments, clock), DEPTH))
    return film.written(signals.each(drawn), clock)


def record_track(
    source: VideoFile,
    seen: Generator[Sighting, None, None],
    outputs: Outputs,
    *,
    limit_s: float | None = None,
    on_frame: Callable[[], None] | None = None,
) -> Recording:
    """Write the track of a video whose faces are read elsewhere, such as in several processes.

    Args:
        source: the video.
        seen: its faces, frame after frame; it is closed here.
        outputs: what to write: a track, and nothing that needs the avatar.
        limit_s: stop at this time of the source.
        on_frame: called after each frame.

    Returns:
        The results, also after an error or Ctrl-C.
    """
    clock = SystemClock()
    start_s = clock.now_s()
    log = Log(outputs)
    error: VisavisError | None = None
    interrupted = False
    with Interruption() as signals:
        try:
            with closing(seen):
                for each in signals.each(seen):
                    if limit_s is not None and each.time_s >= limit_s:
                        break
                    log.add(each.time_s, each.faces, each.timings_ms)
                    if on_frame is not None:
                        on_frame()
                interrupted = signals.came
        except KeyboardInterrupt:
            interrupted = True
        except VisavisError as caught:
            error = caught
        saved, failures = log.save(source.fps, None)
    elapsed_s = clock.now_s() - start_s
    error = joined_errors(error, failures)
    return Recording.of(log, tuple(saved), elapsed_s, interrupted, error, source.notes)


def _moments(
    frames: Iterable[Frame], pipeline: Pipeline, sound: Soundtrack | None, limit_s: float | None, stop: Event
) -> Generator[Moment, None, None]:
    for frame in frames:
        if limit_s is not None and frame.time_s >= limit_s:
            return
        for chunk in () if sound is None else sound.until(frame.time_s + HEARD_AHEAD_S):
            if stop.is_set():  # A gap can hold minutes of sound.
                return
            pipeline.hear(chunk)
        yield pipeline.step(frame)


def _sent(moments: Iterable[Moment], send: Sequence[Sender]) -> Generator[Moment, None, None]:
    if not send:
        yield from moments
        return
    from visavis.outputs.sample import Sample

    for moment in moments:
        sample = Sample.of(moment)
        for sender in send:
            sender.send(sample)
        yield moment


def in_real_time(
    frames: Iterable[Frame], clock: Clock, stop: Event | None = None
) -> Generator[Frame, None, None]:
    """The frames of a file, each one not before its time.

    A slow pipeline does not make up for lost time, and nobody waits for a gap that is too long, or after
    ``stop``.
    """
    start_s: float | None = None
    for frame in frames:
        if start_s is None:
            start_s = clock.now_s() - frame.time_s
        wait_s = start_s + frame.time_s - clock.now_s()
        if 0 < wait_s <= LONGEST_WAIT_S:
            while wait_s > 0 and not (stop is not None and stop.is_set()):
                clock.sleep_s(min(wait_s, LONGEST_SLEEP_S))
                wait_s = start_s + frame.time_s - clock.now_s()
        else:
            start_s -= wait_s
        yield frame
