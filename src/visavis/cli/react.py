"""A track and sound of a person in, the reactions of listeners out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import output
from visavis.cli.listener import Listener, Seed, TemperamentText, named_listener, parse_temperament
from visavis.cli.tokenizer import Decoder, Encoder
from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.reaction.listener import FaceListener
    from visavis.types import FloatArray, Track

MOST_SAMPLES = 1000
# Sound and track may differ by this much before it is worth telling.
_NEARLY_S = 0.2


def react(
    track: Annotated[Path, typer.Argument(help="A track as  visavis run --track  writes it.")],
    out: Annotated[Path, typer.Option(help="The reactions, as .npz.")],
    audio: Annotated[
        Path | None, typer.Option(help="What the person says: a sound file, or the video itself.")
    ] = None,
    samples: Annotated[int, typer.Option(help="How many listeners; they hear the same and differ.")] = 1,
    seed: Seed = 0,
    temperament: TemperamentText = None,
    temperature: Annotated[
        float | None, typer.Option(help="0 takes the likeliest face; 1 draws as predicted.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(help="Draw from the k likeliest faces alone.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Draw from the likeliest that reach this share.")
    ] = None,
    listener: Listener = None,
    encoder: Encoder = None,
    decoder: Decoder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Let listeners react to a recorded person.

    The reactions run at 25 frames a second, whatever the track does: each frame has the last face before its
    end. Sound runs on the clock of the pictures. A live listener would have done the same.

    Examples:

        visavis run talk.mp4 --track talk.npz
        visavis react talk.npz --audio talk.mp4 --samples 10 --out reactions.npz
        visavis react talk.npz --temperament nodding=.9,smiling=.2 --seed 3 --out warm.npz
    """
    from visavis.atomic import require_place
    from visavis.reaction.clip import Reaction, faces_at_25_hz, follow
    from visavis.types import Track

    if not 1 <= samples <= MOST_SAMPLES:
        raise InputError(f"--samples is {samples}; expected 1 to {MOST_SAMPLES}")
    if out.suffix.lower() != ".npz":
        raise InputError(f"{str(out)!r}: expected a name that ends in .npz")
    if out.resolve() in {path.resolve() for path in (track, audio) if path is not None}:
        raise InputError(f"{out}: would overwrite what is read; name another file")
    require_place(out)
    character = parse_temperament(temperament)
    person = Track.load(track)
    try:
        faces = faces_at_25_hz(person)
    except InputError as error:
        raise InputError(f"{track}: {error}") from error
    networks = _sampled(named_listener(listener, encoder, decoder), temperature, top_k, top_p)
    speech, note = _heard(person, audio, len(faces))
    if note is not None:
        output.print_note(note)
    with output.progress("react", len(faces)) as advance:
        tokens = follow(networks.start(seed, samples, character), faces, speech, advance)
    reaction = Reaction.of_tokens(tokens, networks.tokenizer, seed)
    reaction.save(out)
    seconds = len(faces) / reaction.fps
    if as_json:
        summary: dict[str, Any] = {
            "out": str(out),
            "samples": samples,
            "frames": len(faces),
            "fps": reaction.fps,
            "seed": seed,
            "temperament": None if character is None else asdict(character),
            "sound": audio is not None,
            "note": note,
        }
        output.print_json(summary)
    else:
        output.print_line(f"wrote {out}: {samples} x {seconds:.1f} s")


def _sampled(
    networks: FaceListener, temperature: float | None, top_k: int | None, top_p: float | None
) -> FaceListener:
    """The listener with its usual way of drawing, but for what is given."""
    from visavis.reaction.listener import FaceListener
    from visavis.reaction.sampling import Sampling

    usual = networks.sampling
    sampling = Sampling(
        usual.temperature if temperature is None else temperature,
        usual.top_k if top_k is None else top_k,
        usual.top_p if top_p is None else top_p,
    )
    return FaceListener(networks.predictor, networks.tokenizer, sampling)


def _heard(person: Track, audio: Path | None, frames: int) -> tuple[FloatArray, str | None]:
    """(T, 44) speech features, and what to tell about the sound's length."""
    from visavis.capture.sound import Soundtrack
    from visavis.reaction.clip import speech_at_25_hz, start_of
    from visavis.reaction.speech import FRAME_RATE_HZ

    start_s = start_of(person)
    if audio is None:
        return speech_at_25_hz((), start_s, frames), None
    end_s = start_s + frames / FRAME_RATE_HZ
    with Soundtrack(audio) as sound:
        if not sound.has_sound:
            raise InputError(f"{audio}: no sound in this file; name another, or leave --audio out")
        speech = speech_at_25_hz(sound.until(end_s), start_s, frames)
        for _ in sound.until(end_s + _NEARLY_S):  # Only a look whether there is more.
            pass
        if sound.end_s is None:
            return speech, f"{audio}: goes on after the track's end at {end_s:.1f} s; the rest is not heard"
        if sound.end_s < end_s - _NEARLY_S:
            return speech, (
                f"{audio}: ends at {sound.end_s:.1f} s, the track at {end_s:.1f} s; silence in between"
            )
    return speech, None
