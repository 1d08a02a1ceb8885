"""One job of the simulation: the files of a speaker's clip and of its listeners."""

from __future__ import annotations

import os
import shutil
import wave
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visavis.base.files import write_json
from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.corpus.layout import (
    clip_path,
    list_files,
    record_path,
    sound_path,
    unfinished,
    write_track,
)
from visavis.corpus.recording import PEOPLE, CorpusRecording
from visavis.datasets.react import EMOTIONS, FACES, FPS, SOUNDS
from visavis.errors import InputError
from visavis.reaction.speech import speech_features
from visavis.track import Track
from visavis.types import FloatArray
from visavis_train.simulation.coupling import SmileCoupling
from visavis_train.simulation.cues import Speaker
from visavis_train.simulation.expressions import expression_values
from visavis_train.simulation.listener import Listener, SimulatedReaction
from visavis_train.simulation.own_face import own_face
from visavis_train.simulation.real_faces import Habits, RealFaces
from visavis_train.simulation.seed_stream import SeedStream
from visavis_train.simulation.speaker import Talker, talk
from visavis_train.simulation.styles import random_style
from visavis_train.simulation.utterances import GRID_SPEAKER
from visavis_train.simulation.voice import Voice

SILENCE = "silence.wav"
# Nods at pauses and low pitch per minute, roughly; the rate of murmurs over this number is their share.
NODS_PER_MINUTE = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class ClipJob:
    """Everything that a clip is made from.

    Attributes:
        root: folder of the corpus.
        name: name of the clip.
        split: its split of the corpus.
        seed: numbers that are unique to this clip.
        listeners: number of listeners.
        frames: number of frames of the clip.
        speaker: name of the speaker.
        voice: the speaker's voice.
        faces: the faces of the split.
        habits: how movements of a face belong together.
        coupling: how people smile back.
        short_per_minute: short responses per minute of the other's talk, in real dialogues.
    """

    root: Path
    name: str
    split: str
    seed: tuple[int, ...]
    listeners: int
    frames: int
    speaker: str
    voice: Voice
    faces: RealFaces
    habits: Habits
    coupling: SmileCoupling
    short_per_minute: float

    def listener(self, number: int) -> Listener:
        """One of the listeners, from 1."""
        seeds = SeedStream((*self.seed, number))
        return Listener(
            random_style(seeds.at("temperament")),
            self.faces,
            self.habits,
            self.coupling,
            min(self.short_per_minute / NODS_PER_MINUTE, 1.0),
            seeds,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A clip before it is written."""

    talker: Talker
    speaker: Speaker
    reactions: tuple[SimulatedReaction, ...]


def listener_name(clip: str, number: int) -> str:
    """The name of the conversation with a clip's listener."""
    return f"{clip}_l{number}"


def make(job: ClipJob) -> Made:
    """Make a clip; the same job gives the same numbers."""
    features = speech_features(job.voice.samples, SPEECH_RATE_HZ)[: job.frames]
    blank = np.zeros((job.frames, 58), np.float32)
    voice = Speaker.of(features, blank)
    if job.speaker == GRID_SPEAKER:
        talker = own_face(job.voice, job.faces.own_sound, job.frames)
    else:
        talker = talk(job.voice, voice, job.faces, job.habits, job.coupling, SeedStream(job.seed))
    speaker = Speaker.of(features, talker.face)
    reactions = tuple(job.listener(number).react(speaker) for number in range(1, job.listeners + 1))
    return Made(talker, speaker, reactions)


def write_clip(job: ClipJob) -> str:
    """Make a clip, put its files into the corpus, and then write a record that it is finished.

    Returns:
        The clip's name.

    Raises:
        InputError: a file cannot be written.
    """
    made = make(job)
    talking = PEOPLE[0]
    with unfinished(job.root, CorpusRecording(job.name, job.split, ())) as work:
        first = clip_path(CorpusRecording(listener_name(job.name, 1), job.split, ()), talking)
        write_track(work, first, _track(made.talker.face, made.talker.rest))
        write_samples(sound_path(work, first), job.voice.samples)
        for number, reaction in enumerate(made.reactions, 1):
            conversation = CorpusRecording(listener_name(job.name, number), job.split, ())
            speaker, listener = (clip_path(conversation, person) for person in PEOPLE)
            if number > 1:
                _same_files(work, first, speaker)
            write_track(work, listener, _track(reaction.face, reaction.rest))
            link(job.root / SILENCE, sound_path(work, listener))
        files = list_files(work, job.split)
    write_json(record_path(job.root, job.split, job.name), {"files": files, **provenance(job, made)})
    return job.name


def provenance(job: ClipJob, made: Made) -> dict[str, Any]:
    """The real parts of a clip, and the properties of its listeners."""
    listeners = [
        {
            "conversation": listener_name(job.name, number),
            "temperament": asdict(job.listener(number).style),
            "parts": reaction.parts,
            "events": reaction.events,
        }
        for number, reaction in enumerate(made.reactions, 1)
    ]
    said = [
        {
            "file": one.utterance.name,
            "emotion": one.utterance.emotion,
            "start_s": round(one.start_s, 3),
            "end_s": round(one.end_s, 3),
        }
        for one in job.voice.said
    ]
    window = job.voice.window
    return {
        "clip": job.name,
        "split": job.split,
        "speaker": job.speaker,
        "turns_of": {"dialogue": window.dialogue, "start_s": window.start_s},
        "face": made.talker.parts,
        "said": said,
        "listeners": listeners,
    }


def _track(face: FloatArray, rest: FloatArray) -> Track:
    found = np.ones(len(face), np.bool_)
    return Track(np.arange(len(face)) / FPS, face, expression_values(face, rest), found, FPS)


def write_samples(path: Path, samples: FloatArray) -> None:
    """Mono 16-bit PCM at 16 kHz."""
    with path.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SPEECH_RATE_HZ)
        file.writeframes(np.rint(samples * 32767).astype("<i2").tobytes())


def _same_files(work: Path, source: str, target: str) -> None:
    """Link the speaker's files of later conversations to the first one's: a clip has one speaker."""
    for folder, ending in ((FACES, ".npy"), (EMOTIONS, ".csv"), (SOUNDS, ".wav")):
        place = work / folder / f"{target}{ending}"
        place.parent.mkdir(parents=True, exist_ok=True)
        link(work / folder / f"{source}{ending}", place)


def link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it if the file system has no links.

    Raises:
        InputError: neither a link nor a copy can be made.
    """
    try:
        os.link(source, target)
    except OSError:
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise InputError(f"{target}: cannot be written: {error.strerror or error}") from error
