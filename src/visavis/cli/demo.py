"""The command ``visavis demo``: the page with the webcam, or a video of the embedded portrait."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.base import console
from visavis.base.interruption import Interruption
from visavis.base.signals import INTERRUPTED
from visavis.base.words import counted
from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.recording.log import Recording

VIDEO, TRACK, MOTION = "demo.mp4", "demo.npz", "demo.motion3.json"


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Write files instead of opening the page.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("out"),
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the page.", show_default="8765")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; implies --headless.")
    ] = False,
) -> None:
    """Show an avatar that follows your face, or an embedded portrait.

    Opens the page with your webcam. With --headless, or without a camera or display, it uses an embedded,
    moving portrait, and writes demo.mp4, the track and the motion.

    Examples:

        visavis demo
        visavis demo --headless --out /tmp/demo
    """
    from visavis.evaluate.doctor import camera_likely, display_likely

    missing = [
        what
        for what, there in (("camera", camera_likely()), ("display", display_likely(os.environ)))
        if not there
    ]
    if headless or as_json or missing:
        if missing and not (headless or as_json):
            console.print_note(
                f"no {' and no '.join(missing)} here: running on the embedded portrait instead"
            )
        _write(out, as_json)
    else:
        _open_page(port)


def _open_page(port: int | None) -> None:
    from visavis.pipeline import Pipeline
    from visavis.reaction.listener import ListenerModel
    from visavis.serve.app import DEFAULT_PORT
    from visavis.serve.server import serve
    from visavis.serve.vocabulary import Vocabulary

    def announce(url: str) -> None:
        console.print_note(f"visavis is at {url} (Ctrl-C stops it)")

    serve(
        Pipeline,
        port=DEFAULT_PORT if port is None else port,
        vocabulary=Vocabulary.embedded(),
        listener=ListenerModel.embedded(),
        open_browser=True,
        announce=announce,
    )


def _write(folder: Path, as_json: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made a folder: {error.strerror}; name another --out"
        ) from error
    with Interruption():
        name, recording = _record(folder)
    if not recording.frames:  # An error, or Ctrl-C before the first frame.
        raise recording.error or typer.Exit(INTERRUPTED)
    if as_json:
        console.print_json({"source": name, **recording.summary()})
    else:
        share = recording.frames_with_face / recording.frames
        found = f"a face in {share:.0%} of them"
        console.print_line(f"{counted(recording.frames, 'frame')} in {recording.elapsed_s:.1f} s, {found}")
        for path in recording.summary()["written"]:
            console.print_line(f"wrote {path}")
    if recording.error is not None:
        raise recording.error
    if recording.interrupted:
        raise typer.Exit(INTERRUPTED)


def _record(folder: Path) -> tuple[str, Recording]:
    from visavis.capture.portrait import PortraitClip
    from visavis.pipeline import Pipeline
    from visavis.recording.outputs import Outputs
    from visavis.recording.record import record_source

    outputs = Outputs(folder / VIDEO, folder / TRACK, folder / MOTION)
    with (
        # The face is shown as a camera sees it, not as in a mirror, so the avatar must be, too.
        closing(Pipeline(mirror=False)) as pipeline,
        PortraitClip() as clip,
        console.progress("demo", clip.frame_count_hint) as advance,
    ):
        return clip.name, record_source(clip, pipeline, outputs, on_frame=lambda _: advance())
