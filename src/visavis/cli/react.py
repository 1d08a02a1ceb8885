"""A track and sound of a person in, the reactions of listeners out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from visavis.base import console
from visavis.cli.listener import Guidance, Listener, Seed, TemperamentText, named_listener, parse_temperament
from visavis.cli.tokenizer import Decoder, Encoder
from visavis.errors import InputError

if TYPE_CHECKING:
    from visavis.drawing.explanation import Explanation
    from visavis.reaction.clip import Reaction
    from visavis.reaction.listener import FaceListener
    from visavis.reaction.temperament import Temperament
    from visavis.reaction.tokenizer import Tokens
    from visavis.types import FloatArray

MOST_SAMPLES = 1000
# Faces of all samples together; they and their emotions are held in memory: 1.7 GB.
MOST_FACES = 5_000_000
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
    top_k: Annotated[
        int | None, typer.Option(help="Draw each digit of a face from its k likeliest values.")
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Draw from the likeliest that reach this share.")
    ] = None,
    guidance: Guidance = None,
    video: Annotated[
        Path | None, typer.Option(help="Also a video of the person beside up to ten listeners.")
    ] = None,
    explain: Annotated[
        Path | None, typer.Option(help="Also what raised each smile, nod and raise of the brows, as .json.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Also that as a picture, .svg.")] = None,
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
        visavis react talk.npz --audio talk.mp4 --samples 10 --out reactions.npz --video reactions.mp4
        visavis react talk.npz --temperament nodding=.9,smiling=.2 --seed 3 --out warm.npz
        visavis react talk.npz --audio talk.mp4 --out r.npz --explain why.json --figure why.svg
    """
    from visavis.reaction.clip import Reaction, follow

    if not 1 <= samples <= MOST_SAMPLES:
        raise InputError(f"--samples is {samples}; expected 1 to {MOST_SAMPLES}")
    extra = _Extra(video, explain, figure)
    extra.check(out, [path for path in (track, audio) if path is not None])
    character = parse_temperament(temperament)
    clip = _Clip.read(track, audio)
    _check_size(samples, len(clip.face))
    networks = named_listener(listener, encoder, decoder).drawing(
        temperature=temperature, top_k=top_k, top_p=top_p, guidance=guidance
    )
    clip.hear()
    with console.progress("react", len(clip.face)) as advance:
        tokens = follow(networks.start(seed, samples, character), clip.face, clip.speech, advance)
    reaction = Reaction.of_tokens(tokens, networks.tokenizer, seed)
    reaction.save(out)
    told = extra.explained(networks, clip, tokens, reaction, character)
    extra.film(clip, reaction)
    if as_json:
        summary: dict[str, Any] = {
            "out": str(out),
            "samples": samples,
            "frames": len(clip.face),
            "fps": reaction.fps,
            "seed": seed,
            "temperament": None if character is None else asdict(character),
            "sound": audio is not None,
            "note": clip.note,
            "written": [str(path) for path in (out, *extra.written)],
            "raised_by": None if told is None else told.counts(),
        }
        console.print_json(summary)
        return
    if told is not None:
        from visavis.drawing.explanation import COLUMNS

        console.print_table(COLUMNS, told.rows())
    console.print_line(f"wrote {out}: {samples} x {len(clip.face) / reaction.fps:.1f} s")
    for path in extra.written:
        console.print_line(f"wrote {path}")


def _check_size(samples: int, frames: int) -> None:
    if samples * frames > MOST_FACES:
        raise InputError(
            f"{samples} samples of {frames} frames are {samples * frames} faces; expected at most "
            f"{MOST_FACES}: fewer --samples, or a shorter track"
        )


@dataclass(slots=True)
class _Clip:
    """The person at 25 Hz.

    Attributes:
        audio: that is heard; None for nothing.
        start_s: time of the first row.
        face, speech: (T, 58) and (T, 44).
        note: what to tell about the sound's length.
    """

    audio: Path | None
    start_s: float
    face: FloatArray
    speech: FloatArray
    note: str | None = None

    @classmethod
    def read(cls, track: Path, audio: Path | None) -> Self:
        """A person who is seen and not yet heard."""
        from visavis.reaction.clip import faces_at_25_hz, speech_at_25_hz, start_of
        from visavis.types import Track

        person = Track.load(track)
        try:
            face = faces_at_25_hz(person)
        except InputError as error:
            raise InputError(f"{track}: {error}") from error
        start_s = start_of(person)
        return cls(audio, start_s, face, speech_at_25_hz((), start_s, len(face)))

    def hear(self) -> None:
        """Take in the sound, where there is any, and tell what its length was."""
        from visavis.capture.sound import Soundtrack
        from visavis.reaction.clip import speech_at_25_hz
        from visavis.reaction.speech import FRAME_RATE_HZ

        if self.audio is None:
            return
        end_s = self.start_s + len(self.face) / FRAME_RATE_HZ
        with Soundtrack(self.audio) as sound:
            if not sound.has_sound:
                raise InputError(f"{self.audio}: no sound in this file; name another, or leave --audio out")
            self.speech = speech_at_25_hz(sound.until(end_s), self.start_s, len(self.face))
            for _ in sound.until(end_s + _NEARLY_S):  # Only a look whether there is more.
                pass
            if sound.end_s is None:
                self.note = f"goes on after the track's end at {end_s:.1f} s; the rest is not heard"
            elif sound.end_s < end_s - _NEARLY_S:
                self.note = f"ends at {sound.end_s:.1f} s, the track at {end_s:.1f} s; silence in between"
        if self.note is not None:
            self.note = f"{self.audio}: {self.note}"
            console.print_note(self.note)


@dataclass(slots=True)
class _Extra:
    """What is wanted beside the reactions.

    Attributes:
        video, explanation, figure: files; None for none.
        written: those that now exist.
    """

    video: Path | None
    explanation: Path | None
    figure: Path | None
    written: list[Path] = field(default_factory=list)

    def check(self, out: Path, sources: list[Path]) -> None:
        from visavis.recording.outputs import require_outputs
        from visavis.recording.video_writer import CONTAINERS

        wanted = (
            (out, (".npz",)),
            (self.video, tuple(CONTAINERS)),
            (self.explanation, (".json",)),
            (self.figure, (".svg",)),
        )
        require_outputs(wanted, sources)

    def explained(
        self,
        networks: FaceListener,
        clip: _Clip,
        tokens: Tokens,
        reaction: Reaction,
        temperament: Temperament | None,
    ) -> Explanation | None:
        """What raised the gestures of the first listeners, written; None where nobody asked."""
        from visavis.drawing.explanation import (
            MOST_EXPLAINED,
            Explanation,
            explanation_figure,
            save_explanation,
        )
        from visavis.drawing.svg import save
        from visavis.reaction.causes import explain

        if self.explanation is None and self.figure is None:
            return None
        explained = []
        with console.progress("explain", min(len(tokens), MOST_EXPLAINED), "listeners") as advance:
            for each in tokens[:MOST_EXPLAINED]:
                explained.append(tuple(explain(networks, clip.face, clip.speech, each, temperament)))
                advance()
        told = Explanation(clip.start_s, clip.face, clip.speech, reaction, tuple(explained))
        if self.explanation is not None:
            save_explanation(self.explanation, told)
            self.written.append(self.explanation)
        if self.figure is not None:
            save(self.figure, explanation_figure(told))
            self.written.append(self.figure)
        return told

    def film(self, clip: _Clip, reaction: Reaction) -> None:
        """Write the video where one is wanted."""
        from visavis.recording.side_by_side import write_side_by_side

        if self.video is None:
            return
        with console.progress("video", len(clip.face)) as advance:
            write_side_by_side(self.video, clip.face, reaction, clip.start_s, clip.audio, advance)
        self.written.append(self.video)
