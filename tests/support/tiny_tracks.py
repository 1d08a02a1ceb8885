"""A small pack of face tracks and an experiment on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS, FACE_INDEX
from visavis.types import FloatArray
from visavis_train.data.track_pack import Clip, save_pack

FRAMES = 60
CONFIG = """
task = "tokenizer"
name = "tiny"
data = "{data}"
out = "{out}"
seed = 0

[split]
validation = ["video_4"]
test = ["video_5", "grid_3", "call_1_*"]

[model]
expression_width = 16

[model.quantizer]
kind = "fsq"
levels = [5, 5, 4]

[model.coder]
kind = "mlp"
width = 32
layers = 1

[training]
face_rounds = 3
expression_rounds = 2
round_steps = 12
batch_size = 32
learning_rate = 5e-3
warm_steps = 4

[training.shares]
video = 0.6
grid = 0.2
dyads = 0.2
"""


def moving_face(seed: int, frames: int = FRAMES) -> FloatArray:
    """(T, 58): three slow motions that all channels share, and a little noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / 25
    motions = np.sin(2 * np.pi * rng.uniform(0.2, 1.5, 3) * time + rng.uniform(0, 6, 3))
    mixing = np.random.default_rng(0).normal(size=(3, len(FACE_CHANNELS)))
    face = 0.4 + 0.12 * motions @ mixing + 0.005 * rng.normal(size=(frames, len(FACE_CHANNELS)))
    face[:, :52] = face[:, :52].clip(0, 1)
    face[:, -1] -= 50
    return face.astype(np.float32)


def expression_values(face: FloatArray) -> FloatArray:
    """(T, 25) that follows from the face."""
    mixing = np.random.default_rng(1).normal(size=(len(FACE_CHANNELS), len(EXPRESSION_CHANNELS)))
    expression = 0.5 + 0.05 * (face - face.mean(axis=0)) @ mixing
    expression[:, -8:] = np.abs(expression[:, -8:])
    expression[:, -8:] /= expression[:, -8:].sum(axis=1, keepdims=True)
    return expression.astype(np.float32)


def clips() -> list[Clip]:
    """Six videos, one of them with a gap, three of one talker, and two calls of which the smile is known."""
    made = []
    for number in range(9):
        face = moving_face(number + 1)
        expression = expression_values(face)
        source, name = ("video", f"video_{number}") if number < 6 else ("grid", f"grid_{number - 5}")
        if number == 0:
            face[10:14], expression[10:14] = np.nan, np.nan
        made.append(Clip(name, source, 25.0, face, expression))
    for call in "01":
        for who in "ab":
            smile = moving_face(ord(call) + ord(who))[:, :1]
            face = np.full((FRAMES, len(FACE_CHANNELS)), np.nan, np.float32)
            for channel in ("mouthSmileLeft", "mouthSmileRight"):
                face[:, FACE_INDEX[channel]] = smile[:, 0]
            nothing = np.full((FRAMES, len(EXPRESSION_CHANNELS)), np.nan, np.float32)
            made.append(Clip(f"call_{call}_{who}", "dyads", 30.0, face, nothing))
    return made


def write(folder: Path, out: Path | None = None) -> Path:
    """Write the pack and the experiment; returns the experiment's file."""
    folder.mkdir(parents=True, exist_ok=True)
    save_pack(folder / "faces.npz", clips())
    path = folder / "tokenizer_tiny.toml"
    path.write_text(CONFIG.format(data=folder / "faces.npz", out=out or folder / "tokenizer_tiny"))
    return path
