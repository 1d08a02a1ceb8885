"""Small invented parts from which dyads can be simulated quickly."""

from __future__ import annotations

import numpy as np

from visavis.base.waveform import SPEECH_RATE_HZ
from visavis.channels import FACE_CHANNELS, FACE_INDEX
from visavis.reaction.style import Style
from visavis.types import FloatArray
from visavis_train.simulation.corpus import Parts
from visavis_train.simulation.coupling import SmileCoupling
from visavis_train.simulation.cues import Speaker
from visavis_train.simulation.listener import Listener
from visavis_train.simulation.real_faces import Habits, RealFaces, Take
from visavis_train.simulation.seed_stream import SeedStream
from visavis_train.simulation.settings import ACTORS, SPLITS, SimulationSettings
from visavis_train.simulation.turns import Timings, Turn, Window
from visavis_train.simulation.utterances import GRID_SPEAKER, Utterance

FRAMES = 200
SETTINGS = SimulationSettings(seed=3, clips=6, listeners=2, frames=FRAMES)


def tone(length_s: float, pitch_hz: float) -> FloatArray:
    """A buzzing voice whose loudness goes up and down four times a second."""
    time_s = np.arange(round(length_s * SPEECH_RATE_HZ)) / SPEECH_RATE_HZ
    buzz = sum(np.sin(2 * np.pi * pitch_hz * k * time_s) / k for k in range(1, 8))
    return (0.1 * buzz * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time_s))).astype(np.float32)


def take(name: str, seed: int, frames: int = 75) -> Take:
    """A face whose jaw moves, whose head sways and whose eyes are open."""
    time_s = np.arange(frames) / 25
    face = np.full((frames, len(FACE_CHANNELS)), 0.05, np.float32)
    face[:, FACE_INDEX["jawOpen"]] = 0.2 + 0.2 * np.sin(2 * np.pi * (2 + 0.3 * seed) * time_s)
    for channel in ("yaw", "pitch", "browInnerUp"):
        face[:, FACE_INDEX[channel]] += 0.02 * np.sin(2 * np.pi * 0.4 * time_s + seed)
    face[:, FACE_INDEX["z"]] = -40
    return Take(name, face)


def faces(split: str) -> RealFaces:
    """Three people at rest, one that talks, and GRID's talker in train."""
    rests = np.full((3, len(FACE_CHANNELS)), 0.08, np.float32)
    rests[:, -6:] = 0
    names = tuple(f"still_{split}_{number}" for number in range(3))
    places = np.asarray([[0, 0, -40]], np.float32)
    own = {f"{GRID_SPEAKER}_{n}": take(f"grid_{n}", n) for n in range(3)} if split == "train" else {}
    return RealFaces((names, rests), places, (take(f"talk_{split}", 1),), (take(f"move_{split}", 2),), own)


def habits() -> Habits:
    """A smile lifts the corners, a blink shuts the lids, sadness raises the inner brows."""

    def with_weight(*names: str) -> FloatArray:
        change = np.zeros(len(FACE_CHANNELS), np.float32)
        change[[FACE_INDEX[name] for name in names]] = 1
        return change

    sad = 0.2 * with_weight("browInnerUp")
    smile = with_weight("mouthSmileLeft", "mouthSmileRight")
    return Habits(
        smile, with_weight("eyeBlinkLeft", "eyeBlinkRight"), {"sad": sad}, np.eye(3, dtype=np.float32)
    )


def parts() -> Parts:
    """Everything a corpus of 8-second clips needs."""
    spoken = {
        actor: tuple(
            Utterance(f"{actor}_{k}", actor, emotion, k == 1, tone(1.2 + 0.2 * k, 110 + 30 * k))
            for k, emotion in enumerate(("happy", "sad", "neutral"))
        )
        for split in SPLITS
        for actor in ACTORS[split]
    }
    spoken[GRID_SPEAKER] = tuple(
        Utterance(f"{GRID_SPEAKER}_{n}", GRID_SPEAKER, "neutral", False, tone(3.0, 120)) for n in range(3)
    )
    window = Window("talk", 0.0, (Turn(0.4, 5.2), Turn(6.0, 7.6)))
    timings = Timings((window,), (0.2, 0.4), 0.9)
    by_split = {split: faces(split) for split in SPLITS}
    return Parts(spoken, timings, by_split, habits(), SmileCoupling.load())


def speaker(frames: int = 1000, seed: int = 0) -> Speaker:
    """Talks for a second or two, pauses, smiles at times, and sways."""
    rng = np.random.default_rng(seed)
    speech = np.concatenate([np.r_[np.ones(n), np.zeros(m)] for n, m in rng.integers(15, 50, (60, 2))])[
        :frames
    ]
    face = np.zeros((frames, len(FACE_CHANNELS)), np.float32)
    smile = np.clip(np.sin(np.arange(frames) / 25 + seed), 0, 1) * 0.6
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        face[:, FACE_INDEX[name]] = smile
    face[:, FACE_INDEX["yaw"]] = 0.1 * np.sin(np.arange(frames) / 40)
    pitch, energy = rng.normal(size=(2, frames)).cumsum(axis=1).astype(np.float32)
    return Speaker(speech > 0, speech > 0, energy, pitch, face)


def listener(kind: Style, seed: int = 0) -> Listener:
    """One that may look like any of three people."""
    return Listener(kind, faces("val"), habits(), SmileCoupling.load(), 0.2, SeedStream((seed,)))
