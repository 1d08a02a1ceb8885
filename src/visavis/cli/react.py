"""The command ``visavis react``: listeners react to a recorded person."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from visavis.base import console
from visavis.cli.listener import Guidance, Listener, Seed, TemperamentText, named_listener, parse_temperament
from visavis.cli.tokenizer import Decoder, Encoder
from visavis.errors import InputError


def react(
    track: Annotated[Path, typer.Argument(help="A track file that  visavis run --track  wrote.")],
    out: Annotated[Path, typer.Option(help="File for the reactions, .npz.")],
    audio: Annotated[
        Path | None, typer.Option(help="What the person says: a sound file, or the video itself.")
    ] = None,
    samples: Annotated[int, typer.Option(help="Number of listeners.")] = 1,
    seed: Seed = 0,
    temperament: TemperamentText = None,
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
        visavis react talk.npz --temperament nodding=0.9,smiling=0.2 --seed 3 --out warm.npz
        visavis react talk.npz --audio talk.mp4 --out r.npz --explain why.json --figure why.svg
    """
    from visavis.drawing.explanation import COLUMNS, MOST_EXPLAINED, explanation_figure, save_explanation
    from visavis.drawing.svg import save
    from visavis.recording.outputs import require_outputs
    from visavis.recording.react import MOST_SAMPLES, SpeakerClip, answer
    from visavis.recording.video_writer import CONTAINERS
    from visavis.track import Track

    if not 1 <= samples <= MOST_SAMPLES:
        raise InputError(f"--samples is {samples}; expected 1 to {MOST_SAMPLES}")
    wanted = ((out, (".npz",)), (video, tuple(CONTAINERS)), (explain, (".json",)), (figure, (".svg",)))
    require_outputs(wanted, [path for path in (track, audio) if path is not None])
    character = parse_temperament(temperament)
    person = Track.load(track)
    networks = named_listener(listener, encoder, decoder).drawing(
        temperature=temperature, top_k=top_k, top_p=top_p, guidance=guidance
    )
    try:
        speaker = SpeakerClip.of(person, audio)
    except InputError as error:
        raise error if str(audio) in str(error) else InputError(f"{track}: {error}") from error
    if speaker.note is not None:
        console.print_note(speaker.note)
    with console.progress("react", len(speaker.face)) as advance:
        answered = answer(
            speaker, networks, samples=samples, seed=seed, temperament=character, on_frame=advance
        )
    answered.reaction.save(out)
    written = [out]
    told = None
    if explain is not None or figure is not None:
        with console.progress("explain", min(samples, MOST_EXPLAINED), "listeners") as advance:
            told = answered.explain(advance)
        if explain is not None:
            save_explanation(explain, told)
            written.append(explain)
        if figure is not None:
            save(figure, explanation_figure(told))
            written.append(figure)
    if video is not None:
        with console.progress("video", len(speaker.face)) as advance:
            answered.film(video, advance)
        written.append(video)
    if as_json:
        summary: dict[str, Any] = {
            "out": str(out),
            "samples": samples,
            "frames": len(speaker.face),
            "fps": answered.reaction.fps,
            "seed": seed,
            "temperament": None if character is None else asdict(character),
            "sound": audio is not None,
            "note": speaker.note,
            "written": [str(path) for path in written],
            "raised_by": None if told is None else told.counts(),
        }
        console.print_json(summary)
        return
    if told is not None:
        console.print_table(COLUMNS, told.rows())
    length_s = len(speaker.face) / answered.reaction.fps
    console.print_line(f"wrote {out}: {samples} x {length_s:.1f} s")
    for path in written[1:]:
        console.print_line(f"wrote {path}")
