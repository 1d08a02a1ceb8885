"""The command ``visavis run``: a video of face and avatar, a track, a motion file and a reaction."""

from __future__ import annotations

from contextlib import closing
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.base import console
from visavis.cli.listener import Listener, Seed, TemperamentText, named_listener, parse_temperament
from visavis.cli.profile import ProfileOption
from visavis.cli.recognizer import KeepOption, RecognizerName, RecognizerOption, parse_keep
from visavis.cli.tokenizer import Decoder, Encoder
from visavis.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from visavis.pipeline import Pipeline
    from visavis.reaction.live import LiveListener
    from visavis.recording.outputs import Outputs
    from visavis.recording.record import Recording

INTERRUPTED = 130
MAX_LIMIT_S = 1e7


class Mode(StrEnum):
    """What the avatar does."""

    MIRROR = "mirror"
    LISTEN = "listen"


class TrackerName(StrEnum):
    """The face trackers."""

    VISAVIS = "visavis"
    MEDIAPIPE = "mediapipe"


def run(
    source: Annotated[str, typer.Argument(help="A video file, or a camera's number (0, 1, ...).")],
    mode: Annotated[
        Mode, typer.Option(help="mirror: the avatar does what you do; listen: it listens to you.")
    ] = Mode.MIRROR,
    out: Annotated[
        Path | None, typer.Option(help="Video of the real face next to the avatar, such as out.mp4.")
    ] = None,
    track: Annotated[Path | None, typer.Option(help="File for face and emotion over time, .npz.")] = None,
    motion: Annotated[Path | None, typer.Option(help="File for the avatar's motion, .motion3.json.")] = None,
    reaction: Annotated[
        Path | None, typer.Option(help="In listen mode: file for the listener's face over time, .npz.")
    ] = None,
    seed: Seed = 0,
    temperament: TemperamentText = None,
    listener: Listener = None,
    encoder: Encoder = None,
    decoder: Decoder = None,
    no_emotions: Annotated[bool, typer.Option("--no-emotions", help="Do not read emotions.")] = False,
    recognizer: RecognizerOption = RecognizerName.DENSE,
    keep: KeepOption = None,
    profile: ProfileOption = None,
    tracker: Annotated[TrackerName, typer.Option(help="Face tracker.")] = TrackerName.VISAVIS,
    limit_s: Annotated[float | None, typer.Option("--limit-s", help="Stop after this many seconds.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Let the avatar follow the face in a video or in front of a camera, or listen to the person.

    With --mode listen, the listener hears the sound of a video file. From a camera it only gets the picture,
    because this command opens no microphone; the page of  visavis serve  does.

    Ctrl-C ends the run; all results so far are kept.

    Examples:

        visavis run clip.mp4 --out out.mp4
        visavis run 0 --track me.npz --motion me.motion3.json --limit-s 30
        visavis run 0 --profile me --out me.mp4
        visavis run clip.mp4 --recognizer sparse --keep adaptive
        visavis run talk.mp4 --mode listen --temperament nodding=0.9,smiling=0.2 --out listening.mp4
    """
    from visavis.avatar.profile import named_profile
    from visavis.pipeline import Pipeline
    from visavis.recording.outputs import Outputs

    if limit_s is not None and not 0 < limit_s < MAX_LIMIT_S:
        raise InputError(f"--limit-s is {limit_s:g}; expected seconds between 0 and {MAX_LIMIT_S:g}")
    outputs = Outputs(out, track, motion, reaction)
    outputs.check(source)
    avatar: LiveListener | None = None
    if mode is Mode.LISTEN:
        avatar = _avatar(seed, temperament, listener, encoder, decoder)
    elif reaction or temperament or listener or encoder or decoder:
        raise InputError("--reaction, --temperament, --listener, --encoder and --decoder need --mode listen")
    if no_emotions and (keep is not None or recognizer is not RecognizerName.DENSE):
        raise InputError("--recognizer and --keep say how emotions are read: leave out --no-emotions")
    worn = named_profile(profile)
    if worn is not None and avatar is not None:
        console.print_note("--profile has no effect on a listener, which has its own face; the run goes on")
    make_pipeline = partial(
        Pipeline,
        tracker.value,
        None if no_emotions else recognizer.value,
        # The real face is shown as the camera sees it, not as in a mirror, so the avatar must be, too.
        mirror=False,
        keep=parse_keep(keep),
        profile=worn,
    )
    recording, live = _record(source, make_pipeline, avatar, outputs, limit_s)
    reader = None if no_emotions else recognizer.value
    summary = {**summarise(source, recording), "recognizer": reader, "keep": keep}
    if as_json:
        console.print_json(summary)
    else:
        _print_summary(summary)
    if recording.error is not None:
        raise recording.error
    if recording.interrupted and not live:
        raise typer.Exit(INTERRUPTED)


def _record(
    source: str,
    make_pipeline: Callable[[], Pipeline],
    avatar: LiveListener | None,
    outputs: Outputs,
    limit_s: float | None,
) -> tuple[Recording, bool]:
    """The recording of the source, and whether the source is live."""
    from visavis.capture.source import open_source
    from visavis.recording.record import record

    with open_source(source) as opened, closing(make_pipeline()) as pipeline:
        if avatar is not None:
            pipeline.listen(avatar)
        expected = opened.frame_count_hint
        if limit_s is not None:
            limited = round(limit_s * opened.fps)
            expected = limited if expected is None else min(expected, limited)
        with console.progress(opened.name, expected) as advance:
            recording = record(opened, pipeline, outputs, limit_s=limit_s, on_frame=lambda _: advance())
        return recording, opened.live


def _avatar(
    seed: int, temperament: str | None, listener: Path | None, encoder: Path | None, decoder: Path | None
) -> LiveListener:
    from visavis.reaction.live import LiveListener

    character = parse_temperament(temperament)
    return LiveListener(named_listener(listener, encoder, decoder), seed, character)


def summarise(source: str, recording: Recording) -> dict[str, Any]:
    """What ``--json`` prints."""
    import numpy as np

    elapsed_s = recording.elapsed_s
    return {
        "source": source,
        "frames": recording.frames,
        "frames_with_face": recording.frames_with_face,
        "duration_s": round(recording.duration_s, 3),
        "elapsed_s": round(elapsed_s, 3),
        "frames_per_s": round(recording.frames / elapsed_s, 2) if elapsed_s > 0 else None,
        "times_real_time": round(recording.duration_s / elapsed_s, 3) if elapsed_s > 0 else None,
        "timings_ms": {
            stage: {"p50": round(float(np.median(ms)), 3), "p95": round(float(np.percentile(ms, 95)), 3)}
            for stage, ms in recording.timings_ms.items()
        },
        "expressions": dict(recording.expressions),
        "written": [str(path) for path in recording.written],
        "interrupted": recording.interrupted,
        "error": None if recording.error is None else str(recording.error),
    }


def _print_summary(summary: dict[str, Any]) -> None:
    frames = summary["frames"]
    share = summary["frames_with_face"] / frames if frames else 0.0
    console.print_line(
        f"{frames} frames ({summary['duration_s']:.1f} s) in {summary['elapsed_s']:.1f} s, "
        f"a face in {share:.0%} of them"
    )
    if shown := summary["expressions"]:
        total = sum(shown.values())
        console.print_line(
            "shown: " + ", ".join(f"{label} {count / total:.0%}" for label, count in shown.items())
        )
    for path in summary["written"]:
        console.print_line(f"wrote {path}")
