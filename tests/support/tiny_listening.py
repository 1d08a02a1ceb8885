"""Small packs of conversations whose listeners repeat the speaker's face of the frame before."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from support import tiny_tokenizer
from visavis.channels import EXPRESSION_CHANNELS, FACE_CHANNELS
from visavis.reaction.speech import SPEECH_CHANNELS
from visavis_train.data.conversation_pack import ListeningItem, ListeningPack, PersonClip, save_listening

LISTENERS = 2
FOLLOWED = 0.9
# Tables of any listener, for so many steps a round on stretches of so many frames.
NETWORK = """
[model]
width = 16
heads = 2
layers = 1
context = 8
dropout = 0.0

[training]
rounds = 2
round_steps = {round_steps}
batch_size = 8
frames = {frames}
learning_rate = 1e-2
warm_steps = 5
masked_past = 0.0
no_speaker = 0.3
"""
CONFIG = """
task = "listener"
name = "tiny"
data = "{data}"
tokenizer = "{tokenizer}"
out = "{out}"
seed = 1
"""


def clip(name: str, steps: np.ndarray, rng: np.random.Generator, *, speaks: bool) -> PersonClip:
    """A face whose first channel is one of two token's; its expression goes up and down with it."""
    frames = len(steps)
    face = np.full((frames, len(FACE_CHANNELS)), 0.5, np.float16)
    face[:, 0] = np.where(steps, 0.6, 0.3)
    expression = rng.random((frames, len(EXPRESSION_CHANNELS))) * 0.2 + 0.5 * steps[:, None]
    speech = rng.normal(size=(frames, len(SPEECH_CHANNELS))).astype(np.float16) if speaks else None
    return PersonClip(name, face, expression.astype(np.float16), speech)


def pack(split: str = "train", speakers: int = 4, frames: int = 120, seed: int = 0) -> ListeningPack:
    """Each speaker has two listeners, who follow in nine of ten frames."""
    rng = np.random.default_rng((seed, len(split)))
    items = []
    for number in range(speakers):
        steps = rng.integers(0, 2, frames)
        speaker = clip(f"{split}{number}/A", steps, rng, speaks=True)
        for one in range(LISTENERS):
            follows = np.where(rng.random(frames) < FOLLOWED, np.roll(steps, 1), 1 - np.roll(steps, 1))
            listener = clip(f"{split}{number}/B{one}", follows, rng, speaks=False)
            items.append(ListeningItem(speaker, listener, rng.random(5).astype(np.float32)))
    whose = np.repeat(np.arange(speakers), LISTENERS)
    return ListeningPack("tiny", ("made up",), split, tuple(items), whose[:, None] == whose)


def write(folder: Path) -> Path:
    """Packs, a tokenizer and an experiment on them; its run folder is ``run``."""
    for split, frames in (("train", 250), ("val", 150), ("test", 110)):
        save_listening(folder / f"{split}.npz", pack(split, frames=frames))
    paths = tiny_tokenizer.write(folder, changes={"quantizer_settings": {"levels": [4, 4]}})
    for path, name in zip(paths, ("tokens_encoder", "tokens_decoder"), strict=True):
        path.rename(folder / f"{name}.onnx")
    toml = folder / "tiny.toml"
    network = NETWORK.format(round_steps=60, frames=40)
    toml.write_text(CONFIG.format(data=folder, tokenizer=folder, out=folder / "run") + network)
    return toml
