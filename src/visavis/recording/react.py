"""Listeners that react to a recorded person: reactions, their causes, and a video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from visavis.base.arrays import require_whole
from visavis.base.files import PathText, as_path
from visavis.base.words import counted
from visavis.capture.sound import Soundtrack
from visavis.drawing.explanation import MOST_EXPLAINED, Explanation
from visavis.errors import InputError
from visavis.reaction.causes import explain
from visavis.reaction.clip import Reaction, faces_at_25_hz, react_frames, speech_at_25_hz, start_of
from visavis.reaction.listener import ListenerModel
from visavis.reaction.speech import FRAME_RATE_HZ
from visavis.reaction.style import Style
from visavis.reaction.tokenizer import Tokens
from visavis.track import Track
from visavis.types import FloatArray

MOST_SAMPLES = 1000
# Number of faces of all samples together; faces and expressions in memory then take 1.7 GB.
MOST_FACES = 5_000_000
# Sound and track may differ by this much before a note is printed.
_NEARLY_S = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerClip:
    """A recorded speaker as listeners see and hear them, 25 frames a second.

    Attributes:
        start_s: time of the first row.
        face: (T, 58), NaN where no face is known.
        speech: (T, 44), NaN where no sound is known.
        audio: file of the sound, or None.
        note: how the lengths of sound and track differ; None if they do not.
    """

    start_s: float
    face: FloatArray
    speech: FloatArray
    audio: PathText | None = None
    note: str | None = None

    @classmethod
    def of(cls, track: Track, audio: PathText | None = None) -> Self:
        """The clip of a track, with the sound of a sound file or of the video itself.

        Raises:
            InputError: the track shows no face or is too long, or the file has no sound.
        """
        face, start_s = faces_at_25_hz(track), start_of(track)
        if audio is None:
            return cls(start_s, face, speech_at_25_hz((), start_s, len(face)))
        end_s = start_s + len(face) / FRAME_RATE_HZ
        note = None
        with Soundtrack(audio) as sound:
            if not sound.has_sound:
                raise InputError(f"{audio}: no sound in this file; name another, or leave it out")
            speech = speech_at_25_hz(sound.until(end_s), start_s, len(face))
            for _ in sound.until(end_s + _NEARLY_S):  # This only tests whether there is more.
                pass
            if sound.end_s is None:
                note = f"{audio}: goes on after the track's end at {end_s:.1f} s; the rest is not heard"
            elif sound.end_s < end_s - _NEARLY_S:
                note = f"{audio}: ends at {sound.end_s:.1f} s, the track at {end_s:.1f} s; silence in between"
        return cls(start_s, face, speech, audio, note)


@dataclass(frozen=True, slots=True, eq=False)
class RecordedReaction:
    """Reactions of K listeners to a recorded person.

    Attributes:
        speaker: the person.
        networks: networks of the listeners.
        style: traits of the listeners; None if they were drawn at random.
        tokens: (K, T) tokens of the listeners' faces.
        reaction: the faces of these tokens.
    """

    speaker: SpeakerClip
    networks: ListenerModel
    style: Style | None
    tokens: Tokens
    reaction: Reaction

    def explain(self, on_listener: Callable[[], None] = lambda: None) -> Explanation:
        """The causes of each smile, nod and raise of the brows of the first listeners.

        Args:
            on_listener: called after each listener, at most
                :data:`~visavis.drawing.explanation.MOST_EXPLAINED` times.
        """
        clip, explained = self.speaker, []
        for tokens in self.tokens[:MOST_EXPLAINED]:
            explained.append(tuple(explain(self.networks, clip.face, clip.speech, tokens, self.style)))
            on_listener()
        return Explanation(clip.start_s, clip.face, clip.speech, self.reaction, tuple(explained))

    def film(self, path: PathText, on_frame: Callable[[], None] = lambda: None) -> None:
        """Write a video of the person and up to ten listeners.

        Raises:
            InputError: the file cannot be written.
        """
        from visavis.recording.side_by_side import write_side_by_side  # Slow to import.

        clip = self.speaker
        audio = None if clip.audio is None else as_path(clip.audio)
        write_side_by_side(as_path(path), clip.face, self.reaction, clip.start_s, audio, on_frame)


def react_to_recording(
    speaker: SpeakerClip,
    networks: ListenerModel,
    *,
    samples: int = 1,
    seed: int = 0,
    style: Style | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> RecordedReaction:
    """Let listeners react to a recorded person.

    Args:
        speaker: the person.
        networks: networks of the listeners.
        samples: number of listeners; all hear the same, and each reacts differently.
        seed: a different seed gives different listeners.
        style: traits of the listeners; None draws them at random.
        on_frame: called after each frame.

    Raises:
        InputError: there are too few or too many samples, or the seed is out of its range.
    """
    require_whole("samples", samples, 1, MOST_SAMPLES)
    frames = len(speaker.face)
    if samples * frames > MOST_FACES:
        raise InputError(
            f"{counted(samples, 'sample')} of {counted(frames, 'frame')}: {samples * frames} faces; expected "
            f"at most {MOST_FACES}: fewer samples, or a shorter track"
        )
    tokens = react_frames(networks.start(seed, samples, style), speaker.face, speaker.speech, on_frame)
    reaction = Reaction.of_tokens(tokens, networks.tokenizer, seed)
    return RecordedReaction(speaker, networks, style, tokens, reaction)
