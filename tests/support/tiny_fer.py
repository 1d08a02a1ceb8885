"""A small FER-2013 that networks can learn, and an experiment that learns it in seconds."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from visavis.expression.labels import FERPLUS_COLUMNS
from visavis.types import ImageArray

CONFIG = """
name = "tiny"
data = "{data}"
out = "{out}"
threads = 1

[model]
widths = [4, 8, 16]
blocks = [1, 1]
layers = 1
heads = 2

[training]
epochs = 3
batch_size = 16
learning_rate = 5e-3
image_px_schedule = [[0.0, 32], [0.5, 48]]
"""


def patterns(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces of a kind: each label is a bright square at its own place."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 7
    images = rng.integers(0, 80, (n, 48, 48), np.uint8)
    for image, label in zip(images, labels, strict=True):
        y, x = (15 * v for v in divmod(int(label), 3))
        image[y + 2 : y + 14, 15:33] += 60
        image[y + 2 : y + 14, x + 2 : x + 14] += 100
    return images, labels


def write_faces(folder: Path, rows: Iterable[tuple[int, ImageArray, str]]) -> Path:
    """``fer2013.csv`` of a label, a picture and a usage for each face."""
    path = folder / "fer2013.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["emotion", "pixels", "Usage"])
        table.writerows([label, " ".join(map(str, image.ravel())), usage] for label, image, usage in rows)
    return path


def write(folder: Path) -> None:
    """``fer2013.csv`` with 140 faces to learn from and 35 to choose by, and ``fer2013new.csv``."""
    # Each face's votes: eight for what its label says, two for neutral.
    column_of_label = [FERPLUS_COLUMNS.index(name) for name in ("anger", "disgust", "fear", "happiness")]
    column_of_label += [FERPLUS_COLUMNS.index(name) for name in ("sadness", "surprise", "neutral")]
    faces = [
        (label, image, usage)
        for usage, n, seed in (("Training", 140, 0), ("PublicTest", 35, 1))
        for image, label in zip(*patterns(n, seed), strict=True)
    ]
    write_faces(folder, faces)
    with (folder / "fer2013new.csv").open("w", newline="") as file:
        votes = csv.writer(file)
        votes.writerow(FERPLUS_COLUMNS)
        for label, _, _ in faces:
            counts = np.zeros(len(FERPLUS_COLUMNS), np.int64)
            counts[column_of_label[label]] += 8
            counts[FERPLUS_COLUMNS.index("neutral")] += 2
            votes.writerow(counts.tolist())


# A small network of each kind, as an override of CONFIG.
KINDS = {
    "hybrid": "model={widths=[4, 8, 16], blocks=[1, 1], layers=1, heads=2}",
    "vit": "model={kind='vit', preset='tiny', layers=1, dropout=0.0}",
    "vgg": "model={kind='vgg', widths=[8, 16, 16]}",
    "sparse": "model={kind='sparse', stem=[8, 16], width=16, layers=2, heads=2, pruning={keep_rate=0.3}}",
    "sae": "model={kind='sae', widths=[16, 8, 8], layers=1, heads=2, pruning={keep_rate=0.3}}",
    "timm": "model={kind='timm', name='resnet10t', image_px=48, arguments={channels=[8, 8, 16, 16]}}",
}
