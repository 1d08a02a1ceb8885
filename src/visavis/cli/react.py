"""The command ``visavis react``: listeners react to a recorded person."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.base import console
from visavis.base.interruption import Interruption
from visavis.base.signals import INTERRUPTED
from visavis.cli.listener import Guidance, Listener, Seed, StyleText, Temperament, named_listener
from visavis.cli.tokenizer import Decoder, Encoder
from visavis.errors import InputError, VisavisError

if TYPE_CHECKING:
    from collections.abc import Generator

    from visavis.drawing.explanation import Explanation
    from visavis.reaction.listener import ListenerModel
    from visavis.reaction.style import Style
    from visavis.recording.react import SpeakerClip


def react(
    track: Annotated[Path, typer.Argument(help="A track file that  visavis run --track  wrote.")],
    out: Annotated[Path, typer.Option(help="File for the reactions, .npz. An existing file is replaced.")],
    audio: Annotated[
        Path | None, typer.Option(help="What the person says: a sound file, or the video itself.")
    ] = None,
    samples: Annotated[int, typer.Option(help="Number of listeners.")] = 1,
    seed: Seed = 0,
    style: StyleText = None,
    temperament: Temperament = None,
    temperature: Annotated[
        float | None, typer.Option(help="Randomness: 0 takes the most likely face, 1 draws as predicted.")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(help="Draw each digit of a token from its k most likely values.")
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Draw from the most likely values that reach this probability.")
    ] = None,
    guidance: Guidance = None,
    video: Annotated[
        Path | None, typer.Option(help="Also write a video of the person and up to ten listeners.")
    ] = None,
    explain: Annotated[
        Path | None, typer.Option(help="Also write the cause of each smile, nod and brow raise, .json.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw these causes, .svg.")] = None,
    listener: Listener = None,
    encoder: Encoder = None,
    decoder: Decoder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Let listeners react to a recorded person.

    Reactions have 25 frames a second at any frame rate of the track; each frame gets the last face before its
    end. Sound and pictures share one clock. A live listener reacts in the same way.

    Examples:

        visavis run talk.mp4 --track talk.npz
        visavis react talk.npz --audio talk.mp4 --samples 10 --out reactions.npz --video reactions.mp4
        visavis react talk.npz --style nodding=0.9,smiling=0.2 --seed 3 --out warm.npz
        visavis react talk.npz --audio talk.mp4 --out r.npz --explain why.json --figure why.svg
    """
    from visavis.base.arrays import require_whole
    from visavis.base.files import require_outputs
    from visavis.drawing.explanation import COLUMNS
    from visavis.reaction.speech import FRAME_RATE_HZ
    from visavis.reaction.style import Style
    from visavis.recording.react import MOST_SAMPLES, SpeakerClip
    from visavis.recording.video_writer import CONTAINERS
    from visavis.track import Track

    require_whole("--samples", samples, 1, MOST_SAMPLES)
    wanted = ((out, (".npz",)), (video, tuple(CONTAINERS)), (explain, (".json",)), (figure, (".svg",)))
    require_outputs(wanted, [path for path in (track, audio) if path is not None])
    character = Style.of(temperament if style is None else style)
    person = Track.load(track)
    networks = named_listener(listener, encoder, decoder).with_sampling(
        temperature=temperature, top_k=top_k, top_p=top_p, guidance=guidance
    )
    try:
        speaker = SpeakerClip.of(person, audio)
    except InputError as error:
        raise error if str(audio) in str(error) else InputError(f"{track}: {error}") from error
    if speaker.note is not None:
        console.print_note(speaker.note)
    failure: VisavisError | None = None
    made = _files(speaker, networks, (out, explain, figure, video), samples, seed, character)
    written: list[Path] = []
    told: Explanation | None = None
    with Interruption() as signals:
        try:
            for path, causes in signals.each(made):
                written.append(path)
                told = causes
        except VisavisError as error:
            if not written:
                raise
            failure = error
        if as_json:
            summary: dict[str, Any] = {
                "out": str(out),
                "samples": samples,
                "frames": len(speaker.face),
                "fps": float(FRAME_RATE_HZ),
                "seed": seed,
                "style": None if character is None else asdict(character),
                "sound": audio is not None,
                "note": speaker.note,
                "written": [str(path) for path in written],
                "raised_by": None if told is None else told.counts(),
                "interrupted": signals.came,
                "error": None if failure is None else str(failure),
            }
            console.print_json(summary)
        else:
            if told is not None:
                console.print_table(COLUMNS, told.rows())
            for path in written:
                length = f": {samples} x {len(speaker.face) / FRAME_RATE_HZ:.1f} s" if path == out else ""
                console.print_line(f"wrote {path}{length}")
    if failure is not None:
        raise failure
    if signals.came:
        console.print_note(f"interrupted: files that were written: {len(written)}")
        raise typer.Exit(INTERRUPTED)


def _files(
    speaker: SpeakerClip,
    networks: ListenerModel,
    files: tuple[Path, Path | None, Path | None, Path | None],
    samples: int,
    seed: int,
    style: Style | None,
) -> Generator[tuple[Path, Explanation | None], None, None]:
    """Make the reactions; gives each file when it is written, with the causes if they are known."""
    from visavis.drawing.explanation import MOST_EXPLAINED, explanation_figure, save_explanation
    from visavis.drawing.svg import save_svg
    from visavis.recording.react import react_to_recording

    out, explain, figure, video = files
    with console.progress("react", len(speaker.face)) as advance:
        answered = react_to_recording(
            speaker, networks, samples=samples, seed=seed, style=style, on_frame=advance
        )
    answered.reaction.save(out)
    told = None
    yield out, told
    if explain is not None or figure is not None:
        with console.progress("explain", min(samples, MOST_EXPLAINED), "listeners") as advance:
            told = answered.explain(advance)
        if explain is not None:
            save_explanation(explain, told)
            yield explain, told
        if figure is not None:
            save_svg(figure, explanation_figure(told))
            yield figure, told
    if video is not None:
        with console.progress("video", len(speaker.face)) as advance:
            answered.film(video, advance)
        yield video, told
