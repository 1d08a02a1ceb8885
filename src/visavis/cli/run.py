"""The command ``visavis run``: a video of face and avatar, a track, a motion file and a reaction."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from visavis.base import console
from visavis.base.interruption import Interruption
from visavis.base.machine import MOST_PROCESSES
from visavis.base.signals import INTERRUPTED
from visavis.base.words import counted
from visavis.capture import inputs
from visavis.cli.listener import Listener, Seed, StyleText, Temperament, named_listener
from visavis.cli.profile import ProfileOption
from visavis.cli.recognizer import DENSE, KeepOption, RecognizerOption, parse_keep
from visavis.cli.send import SendOption, describe, teller
from visavis.cli.tokenizer import Decoder, Encoder
from visavis.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from visavis.avatar.puppet import Drawing
    from visavis.capture.source import FrameSource
    from visavis.outputs.sender import Sender
    from visavis.pipeline import Moment, Pipeline
    from visavis.reaction.live import LiveListener
    from visavis.recording.log import Recording
    from visavis.recording.outputs import Outputs

JobsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_PROCESSES,
        metavar="N",
        help="How many processes read a long video when only its track is wanted; 1 reads it in one pass.",
        show_default="one for each processor thread; 1 if there are only two",
    ),
]
MAX_LIMIT_S = 1e7


def run(
    source: Annotated[
        str,
        typer.Argument(
            help="A video or track file, a camera's number (0, 1, ...), or a tracker's address: "
            f"{', '.join(f'{scheme}://' for scheme in inputs.schemes())}."
        ),
    ],
    mode: Annotated[
        Literal["mirror", "listen"],
        typer.Option(help="mirror: the avatar does what you do; listen: it listens to you."),
    ] = "mirror",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Video of the real face next to the avatar, such as out.mp4. An existing file is replaced."
        ),
    ] = None,
    picture: Annotated[
        Literal["both", "avatar"],
        typer.Option(help="What the video shows: both, or a square with the avatar alone."),
    ] = "both",
    background: Annotated[
        str | None,
        typer.Option(
            help="With --picture avatar: soft, a colour such as '#00ff00', or transparent (.webm or .mov).",
            show_default="soft",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="PX",
            help="With --picture avatar: side of the video in pixels, even, 64 to 2160.",
            show_default="720",
        ),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast", help="With --out: encode in less time, into a larger file (about twice as large)."
        ),
    ] = False,
    track: Annotated[
        Path | None,
        typer.Option(help="File for face and expression over time, .npz; or .csv, as of Live Link Face."),
    ] = None,
    motion: Annotated[Path | None, typer.Option(help="File for the avatar's motion, .motion3.json.")] = None,
    reaction: Annotated[
        Path | None, typer.Option(help="In listen mode: file for the listener's face over time, .npz.")
    ] = None,
    seed: Seed = 0,
    style: StyleText = None,
    temperament: Temperament = None,
    listener: Listener = None,
    encoder: Encoder = None,
    decoder: Decoder = None,
    no_expressions: Annotated[
        bool, typer.Option("--no-expressions", help="Do not read expressions.")
    ] = False,
    recognizer: RecognizerOption = DENSE,
    keep: KeepOption = None,
    voice: Annotated[
        bool,
        typer.Option("--voice", help="Read expressions from face and voice; for acted speech only."),
    ] = False,
    profile: ProfileOption = None,
    send: SendOption = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Draw your Live2D model (.model3.json) instead of Mira; needs the extra live2d."),
    ] = None,
    wear: Annotated[
        str | None,
        typer.Option(
            help="With --model: one of the model's expressions, or an .exp3.json file, worn always."
        ),
    ] = None,
    window: Annotated[bool, typer.Option("--window", help="Show the avatar live in a window.")] = False,
    tracker: Annotated[Literal["visavis", "mediapipe"], typer.Option(help="Face tracker.")] = "visavis",
    limit_s: Annotated[float | None, typer.Option("--limit-s", help="Stop after this many seconds.")] = None,
    jobs: JobsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Let the avatar follow the face in a video or in front of a camera, or listen to the person.

    A motion file (.motion3.json) as source moves the avatar itself: nobody is watched. It is shown in a
    video, a window or a virtual camera.

    With --mode listen, the listener hears the sound of a video file. From a camera it only gets the picture,
    because this command opens no microphone; the page of  visavis serve  does.

    Ctrl-C ends the run; all results so far are kept.

    Examples:

        visavis run clip.mp4 --out out.mp4
        visavis run 0 --track me.npz --motion me.motion3.json --limit-s 30
        visavis run 0 --profile me --out me.mp4
        visavis run clip.mp4 --picture avatar --background transparent --out mira.webm
        visavis run 0 --send vmc://localhost:39539 --send vts://
        visavis run ifacialmocap://192.168.1.7 --out me.mp4
        visavis run 0 --model Haru/Haru.model3.json --window
        visavis run me.motion3.json --out me.mp4
        visavis run me.motion3.json --send camera://
        visavis run clip.mp4 --recognizer sparse --keep 0.3
        visavis run talk.mp4 --voice --track talk.npz
        visavis run talk.mp4 --mode listen --style nodding=0.9,smiling=0.2 --out listening.mp4
    """
    from visavis.avatar.profile import named_profile
    from visavis.base.int8 import wanted
    from visavis.outputs.registry import connect_output
    from visavis.pipeline import Pipeline
    from visavis.recording.outputs import AvatarAlone, Outputs

    if limit_s is not None and not 0 < limit_s < MAX_LIMIT_S:
        raise InputError(
            f"--limit-s is {limit_s:.15g}; expected more than 0 and less than {MAX_LIMIT_S:,.0f} seconds"
        )
    if out is None and (picture != "both" or background is not None or size is not None or fast):
        raise InputError("--picture, --background, --size and --fast describe a video: name --out FILE")
    alone = AvatarAlone.parse(picture, background, size)
    outputs = Outputs(out, track, motion, reaction, alone=alone, fast=fast)
    outputs.validate(source)
    of_faces = [address for address in send or () if not address.lower().startswith("camera:")]
    if _is_motion(source) and (mode == "listen" or track or of_faces):
        for address in of_faces:
            connect_output(address)  # An address that is not understood is told as such.
        raise InputError(
            f"{source}: a motion holds poses and no face; leave out --mode listen, --track and --send, "
            "except --send camera://, which shows the avatar"
        )
    if model is not None and not (out or window):
        raise InputError("--model is drawn into a video or a window: name --out FILE or --window")
    if wear is not None and model is None:
        raise InputError("--wear needs --model")
    drawn = _drawing(model, wear)
    live_listener = None
    style = temperament if style is None else style
    if mode == "listen":
        from visavis.reaction.live import LiveListener
        from visavis.reaction.style import Style

        character = Style.of(style)
        live_listener = LiveListener(named_listener(listener, encoder, decoder), seed, character)
    elif reaction or style or listener or encoder or decoder or seed:
        raise InputError(
            "--reaction, --style, --seed, --listener, --encoder and --decoder need --mode listen"
        )
    if no_expressions and (keep is not None or recognizer != DENSE):
        raise InputError("--recognizer and --keep say how expressions are read: leave out --no-expressions")
    if voice and no_expressions:
        raise InputError("--voice reads expressions: leave out --no-expressions")
    worn = named_profile(profile)
    if worn is not None and live_listener is not None:
        console.print_note("--profile has no effect on a listener, which has its own face; the run goes on")
    of_pictures = {
        "--recognizer": recognizer != DENSE,
        "--keep": keep is not None,
        "--tracker": tracker != "visavis",
    }
    make_pipeline = partial(
        Pipeline,
        tracker,
        None if no_expressions else recognizer,
        # The real face is shown as the camera sees it, not as in a mirror, so the avatar must be, too.
        mirror=False,
        keep=parse_keep(keep),
        profile=worn,
        voice=voice,
    )
    with Interruption():  # Also the summary is printed whole.
        recording, live, sent = _record(
            source,
            make_pipeline,
            live_listener,
            outputs,
            limit_s,
            send or (),
            drawn,
            window,
            jobs,
            voice,
            [option for option, given in of_pictures.items() if given],
        )
        reader = None if no_expressions else recognizer
        summary = {
            "source": source,
            **recording.summary(),
            "recognizer": reader,
            "keep": keep,
            "voice": voice,
            "int8": wanted(),
            "outputs": sent,
        }
        for note in recording.notes:
            console.print_note(f"{source}: {note}")
        if voice:
            console.print_note(
                "the voice has learnt from actors: on everyday talk, it is often wrong, although it is sure"
            )
        if as_json:
            console.print_json(summary)
        else:
            _print_summary(summary)
            if not (out or track or motion or reaction or send or window):
                console.print_line("nothing is kept; --out, --track and --motion write files")
    if recording.error is not None:
        raise recording.error
    if recording.interrupted and not live:
        raise typer.Exit(INTERRUPTED)


def _record(
    source: str,
    make_pipeline: Callable[[], Pipeline],
    listener: LiveListener | None,
    outputs: Outputs,
    limit_s: float | None,
    send: Sequence[str],
    drawn: Callable[[], Drawing],
    window: bool,
    jobs: int | None,
    voice: bool,
    of_pictures: Sequence[str],
) -> tuple[Recording, bool, list[dict[str, Any]]]:
    """The recording of the source, whether the source is live, and how each output did.

    ``of_pictures`` are the given options that have no effect on a source without pictures.
    """
    from visavis.capture.camera import Camera
    from visavis.capture.datagram_source import DatagramSource
    from visavis.capture.source import open_source
    from visavis.capture.video import VideoFile
    from visavis.recording.parts import follow_faces
    from visavis.recording.record import record_source, record_track
    from visavis.recording.window import AvatarWindow

    with ExitStack() as stack:
        senders: tuple[Sender, ...] = ()
        if send:
            from visavis.outputs.registry import open_outputs

            senders = stack.enter_context(open_outputs(send))
        opened = stack.enter_context(open_source(source))
        expected = opened.frame_count_hint
        if limit_s is not None:
            limited = round(limit_s * opened.fps)
            expected = limited if expected is None else min(expected, limited)
        if voice:
            _require_sound(opened)
        moved = outputs.video or outputs.motion or outputs.reaction
        track_alone = isinstance(opened, VideoFile) and not (moved or send or window or listener or voice)
        if of_pictures and not isinstance(opened, VideoFile | Camera):
            console.print_note(f"{opened.name} has no pictures: no effect of {', '.join(of_pictures)}")
        if jobs is not None and not track_alone:
            console.print_note(
                "no effect of --jobs: processes share a video only if just its track is wanted"
            )
        if isinstance(opened, VideoFile) and track_alone:
            seen = follow_faces(opened, make_pipeline, jobs, limit_s)
            with console.progress(Path(opened.name).name, expected) as advance:
                recording = record_track(opened, seen, outputs, limit_s=limit_s, on_frame=advance)
            return recording, False, []
        pipeline = stack.enter_context(closing(make_pipeline()))
        if listener is not None:
            pipeline.listen(listener)
        if isinstance(opened, DatagramSource):
            console.print_note(opened.status)
        tell = teller(senders)
        shown = stack.enter_context(AvatarWindow(drawn(), opened.name)) if window else None
        with console.progress(Path(opened.name).name, expected) as advance:

            def on_frame(moment: Moment) -> None:
                advance()
                tell()
                if shown is not None:
                    shown.show(moment.pose)

            recording = record_source(
                opened,
                pipeline,
                outputs,
                limit_s=limit_s,
                on_frame=on_frame,
                send=senders,
                avatar=drawn() if outputs.video is not None else None,
                real_time=window,
            )
        if isinstance(opened, DatagramSource):
            console.print_note(opened.status)
        for sender in senders:
            console.print_note(describe(sender.status))
        sent = [
            {"address": s.address, "sent": s.sent, "dropped": s.dropped, "message": s.message}
            for s in (sender.status for sender in senders)
        ]
        return recording, opened.live, sent


def _require_sound(opened: FrameSource) -> None:
    """Refuse a source without sound that can be read."""
    from visavis.capture.sound import Soundtrack
    from visavis.capture.video import VideoFile

    if isinstance(opened, VideoFile):
        with Soundtrack(opened.path) as sound:
            if sound.has_sound:
                return
    raise InputError(f"{opened.name}: no sound; --voice needs a video file with sound")


def _drawing(model: Path | None, wear: str | None) -> Callable[[], Drawing]:
    """What makes the avatar that is drawn: the user's Live2D model, whose files are checked now, or Mira."""
    if model is None:
        from visavis.avatar.puppet import Puppet

        return lambda: Puppet.load()
    from visavis.cubism.folder import ModelFolder
    from visavis.cubism.model import Live2DModel, require_live2d
    from visavis.cubism.trial import try_model

    folder = ModelFolder.load(model)
    worn = None if wear is None else folder.expression(wear)
    require_live2d()
    try_model(folder)
    return lambda: Live2DModel(folder, worn)


def _is_motion(source: str) -> bool:
    from visavis.capture.motion_file import MOTION_ENDING

    return source.lower().endswith(MOTION_ENDING)


def _print_summary(summary: dict[str, Any]) -> None:
    frames = summary["frames"]
    share = summary["frames_with_face"] / frames if frames else 0.0
    found = "" if _is_motion(summary["source"]) else f", a face in {share:.0%} of them"
    console.print_line(
        f"{counted(frames, 'frame')} ({summary['duration_s']:.1f} s) in {summary['elapsed_s']:.1f} s{found}"
    )
    if shown := summary["expressions"]:
        total = sum(shown.values())
        console.print_line(
            "shown: " + ", ".join(f"{label} {count / total:.0%}" for label, count in shown.items())
        )
    for path in summary["written"]:
        console.print_line(f"wrote {path}")
