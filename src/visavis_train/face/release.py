"""Export of the trained face network as the embedded ONNX file, with its manifest entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from visavis.channels import BLENDSHAPES
from visavis.face.mesh import LANDMARKS_146
from visavis.types import ImageArray
from visavis_train.face.data.faces import FacePack, load_faces, validation_rows, warp
from visavis_train.face.face_task import FaceConfig
from visavis_train.face.measure import choose_blend, label_agreement, read_rows
from visavis_train.face.network import EYE_CORNERS, FaceExport, FaceNet
from visavis_train.face.parts import INPUT_PX
from visavis_train.loop.checkpoint import read_tensors
from visavis_train.loop.experiment import load_experiment
from visavis_train.onnx.export import current_commit, export_onnx, register

ASSETS = Path("src/visavis/assets")
# The heads' shares are chosen on clips with at least this number of frames, and on this number of each.
LEAST_FRAMES, MOST_FRAMES = 60, 400
# The ranges of layers in 8 bits come from this number of training faces.
SHOWN = 400
LICENCE = "Apache-2.0 for the weights; trained on data for research: see docs/models/face.md"
DATA = (
    "UTKFace (non-commercial research), YawDD (research), LFW-type press photographs (research), FER-2013 "
    "(research), GRID talker s1 and six short clips of video, labels by MediaPipe Face Landmarker 0.10.32; "
    "renders of ICT-FaceKit (MIT) with skins of UTKFace, and photographs moved by its shapes; pictures "
    "without faces from the public packages of experiments/photographs.toml"
)


def export_face_network(path: Path) -> None:
    """Export ``face.onnx`` of one experiment file."""
    commit = current_commit()  # Read before the described files change.
    config = load_experiment(path, FaceConfig)
    state = read_tensors(config.out / "face.safetensors")
    net = FaceNet(state["mean_shape"], config.width)
    net.load_state_dict(state)
    net.eval()
    pack, truths = load_faces(*config.packs), load_faces(*config.truths)
    training, held_out = validation_rows(pack, config.test_clips)
    sets = [held_out, *training_clips(pack, config.test_clips)]
    blend = choose_blend(
        [(read_rows(net, pack, rows), pack.weights[rows]) for rows in sets],
        (read_rows(net, truths, np.arange(len(truths.source))), truths.weights),
    )
    rows = np.flatnonzero(np.isin(pack.clip, config.test_clips))
    shown = np.random.default_rng(config.seed).choice(training, min(SHOWN, len(training)), replace=False)
    wide = [
        f"net.trunk.{name}.weight"
        for name, part in net.trunk.named_modules()
        if isinstance(part, nn.Conv2d) and part.kernel_size == (3, 3)
    ]
    export_onnx(
        FaceExport(net, *(torch.from_numpy(each) for each in (blend.share, blend.doubt, blend.offset))),
        (torch.from_numpy(middles(pack, rows[:2])),),
        ASSETS / "face.onnx",
        input_names=["crops"],
        output_names=["landmarks", "weights", "rotations", "scores", "seen"],
        metadata={
            "input_px": INPUT_PX,
            "eye_corners": EYE_CORNERS,
            "landmark_numbers": LANDMARKS_146,
            "not_read": [name for name, share in zip(BLENDSHAPES, blend.share, strict=True) if share < 0],
            "reliability": [round(float(value), 3) for value in blend.reliability],
            "truth_share": [round(float(max(value, 0)), 2) for value in blend.share],
            "doubt": [round(float(value), 2) for value in blend.doubt],
            "offset": [round(float(value), 2) for value in blend.offset],
        },
        tolerance=0.05,
        half_weights=True,
        int8_dense=True,
        int8_convolutions=(wide, [{"crops": middles(pack, [row])} for row in np.sort(shown)]),
    )
    found = {
        clip: label_agreement(net, pack, np.flatnonzero(pack.clip == clip)) for clip in config.test_clips
    }
    score = {f"r_{clip}": value for clip, each in found.items() if (value := each["r"]) is not None}
    for key in ("r", "landmark", "yaw_deg", "pitch_deg"):
        known = [value for each in found.values() if (value := each[key]) is not None]
        score[f"mean_{key}"] = round(float(np.mean(known)), 4)
    facts = {"licence": LICENCE, "training_data": DATA, "config": path.as_posix(), "commit": commit}
    register(ASSETS / "manifest.json", "face", ASSETS / "face.onnx", {**facts, "score": score})


def middles(pack: FacePack, rows: Iterable[int]) -> ImageArray:
    """Crops (N, 160, 160, 3) as the network gets them, not moved."""
    return np.stack([warp(pack.crop(int(row)), np.eye(2, 3, dtype=np.float32)) for row in rows])


def training_clips(pack: FacePack, test_clips: Sequence[str]) -> list[NDArray[np.int64]]:
    """Rows of each clip that is long enough for a correlation, and is not a test clip."""
    filmed = np.char.find(pack.source, ":") >= 0
    names, counts = np.unique(pack.clip[filmed & ~pack.rendered], return_counts=True)
    long = names[counts >= LEAST_FRAMES]
    return [np.flatnonzero(pack.clip == name)[:MOST_FRAMES] for name in long if name not in test_clips]
