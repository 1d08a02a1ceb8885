"""Export of the trained detector as the embedded ONNX file, with its manifest entry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from visavis.base.networks import manifest
from visavis.errors import InputError
from visavis.face.detector import FaceDetector, overlap, views
from visavis.types import FloatArray, ImageArray
from visavis_train.face.data.scenes import load_frames
from visavis_train.face.detector import INPUT_PX, STRIDE_PX, DetectorExport, DetectorNet
from visavis_train.face.detector_task import DetectorConfig
from visavis_train.loop.checkpoint import read_tensors
from visavis_train.loop.experiment import load_experiment
from visavis_train.onnx.export import current_commit, export_onnx, register

ASSETS = Path("src/visavis/assets")
LICENCE = "Apache-2.0 for the weights; trained on data for research: see docs/models/detector.md"
DATA = (
    "UTKFace (non-commercial research), YawDD (research), LFW-type press photographs (research) and six "
    "short clips of video, boxes by MediaPipe Face Landmarker 0.10.32; pictures without faces from the "
    "public packages of experiments/photographs.toml"
)


def export_detector_network(path: Path) -> None:
    """Export ``detector.onnx`` of one experiment file.

    Raises:
        InputError: no frame of the test clips has a labelled face.
    """
    commit = current_commit()  # Read before the described files change.
    config = load_experiment(path, DetectorConfig)
    frames = test_frames(config)  # Before any file is written.
    net = DetectorNet(config.width)
    net.load_state_dict(read_tensors(config.out / "detector.safetensors"))
    net.eval()
    export_onnx(
        DetectorExport(net),
        (torch.randint(0, 256, (2, INPUT_PX, INPUT_PX, 3), dtype=torch.uint8),),
        ASSETS / "detector.onnx",
        input_names=["pictures"],
        output_names=["heat", "size", "offset", "roll"],
        metadata={"input_px": INPUT_PX, "stride_px": STRIDE_PX},
        tolerance=5e-3,
        half_weights=True,
    )
    entry = {"licence": LICENCE, "training_data": DATA, "config": path.as_posix(), "commit": commit}
    manifest_json, file = ASSETS / "manifest.json", ASSETS / "detector.onnx"
    # The detector is opened by its entry, so the score comes second.
    register(manifest_json, "detector", file, {**entry, "score": {}})
    manifest.cache_clear()
    score = {"recall": round(recall(FaceDetector(), frames), 4), "frames": len(frames)}
    register(manifest_json, "detector", file, {**entry, "score": score})


def test_frames(config: DetectorConfig) -> list[tuple[ImageArray, FloatArray]]:
    """Every fifth frame of the test clips with its faces (centre x, y, side and roll).

    Raises:
        InputError: there is no such frame.
    """
    clips = [video for video in sorted(config.videos.glob("*.mp4")) if video.stem in config.test_clips]
    frames = load_frames(config.pack / "labels.npz", clips, 5)
    if not frames:
        names = ", ".join(config.test_clips) or "none"
        raise InputError(
            f"{config.videos}: no frame of the test clips ({names}) has a face in "
            f"{config.pack / 'labels.npz'}; expected clips NAME.mp4 that the pack was made of"
        )
    return frames


def recall(detector: FaceDetector, frames: list[tuple[ImageArray, FloatArray]]) -> float:
    """Share of the faces (centre x, y, side and roll) that a box covers with an overlap above 0.45.

    Weak traces do not count: only the face network tells whether they are faces.
    """
    hits = total = 0
    for image, faces in frames:
        found = [one for one in detector.detect(image, looks=views(image)) if not one.weak]
        for x, y, side, _ in faces:
            box = np.asarray([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)
            hits += any(overlap(box, detection.box_xyxy) > 0.45 for detection in found)
            total += 1
    return hits / total
