"""Small expression networks with random weights, as ONNX files and as run folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from support import tiny_fer
from visavis.base.networks import session_of
from visavis.types import FloatArray
from visavis_train.expression.models.hybrid import HybridConfig, HybridNet
from visavis_train.expression.release import export_network
from visavis_train.loop.checkpoint import save_checkpoint

# Just wide enough for convolutions and matrices that are worth quantising.
CONFIG = HybridConfig(widths=(8, 16, 48), blocks=(1, 1), layers=1, heads=2)


def network(seed: int = 0, config: HybridConfig = CONFIG) -> HybridNet:
    """A network with batch statistics of its own, whose answers differ from face to face."""
    torch.manual_seed(seed)
    net = HybridNet(config)
    with torch.no_grad():
        net.labels.weight.mul_(8)
        net(torch.randn(64, 1, 48, 48))
    return net.eval()


def write_run(folder: Path, seed: int = 0, config: HybridConfig = CONFIG) -> Path:
    """What a finished run leaves that export and quantise read."""
    folder.mkdir(parents=True)
    net = network(seed, config)
    settings = {"task": "expression", "name": "tiny", "model": config.model_dump()}
    (folder / "config.json").write_text(json.dumps(settings))
    save_checkpoint(folder / "best.safetensors", {"model": net}, None, {"epoch": 0})
    export_network(net, folder / "expression.onnx")
    return folder


def labels_of(data: bytes, images: np.ndarray) -> FloatArray:
    """Probabilities (N, 7) that an ONNX file gives pictures (N, 48, 48)."""
    answer: FloatArray = session_of(data, "the network").run(["labels"], {"images": images[:, None]})[0]
    return answer


def write_data(folder: Path, data: bytes) -> Path:
    """A fer2013.csv of which a network reads all of PublicTest rightly and all of PrivateTest wrongly."""
    rows = []
    for seed, (usage, shift) in enumerate((("Training", 0), ("PublicTest", 0), ("PrivateTest", 1))):
        images, _ = tiny_fer.patterns(35, seed)
        labels = (labels_of(data, images).argmax(axis=1) + shift) % 7
        rows += [(label, image, usage) for label, image in zip(labels, images, strict=True)]
    return tiny_fer.write_faces(folder, rows)
