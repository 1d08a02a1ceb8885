"""Export of the trained face network and detector as the embedded ONNX files, with their manifest entries."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from visavis.channels import BLENDSHAPES
from visavis.face.detector import FaceDetector, overlap
from visavis.face.mesh import LANDMARKS_146
from visavis.types import FloatArray, ImageArray
from visavis.weights import manifest
from visavis_train.data.faces import load_pack, validation_rows, warp
from visavis_train.data.scenes import load_frames
from visavis_train.experiment import load_experiment
from visavis_train.export import current_commit, export, register
from visavis_train.models.detector import INPUT_PX as DETECTOR_PX
from visavis_train.models.detector import STRIDE_PX, DetectorExport, DetectorNet
from visavis_train.models.face import EYE_CORNERS, INPUT_PX, FaceExport, FaceNet
from visavis_train.tasks.detector import DetectorConfig
from visavis_train.tasks.face import FaceConfig
from visavis_train.tasks.face_measure import answers, choose_blend, evaluate

ASSETS = Path("src/visavis/assets")
LICENCE = "Apache-2.0 for the weights; trained on data for research: see docs/models/face.md"
DATA = (
    "UTKFace (non-commercial research), YawDD (research), LFW-type press photographs (research), FER-2013 "
    "(research), GRID talker s1 and six short clips of video; labels by MediaPipe Face Landmarker 0.10.32"
)


def export_face(path: Path, commit: str) -> None:
    """Export ``face.onnx`` of one experiment file, made at a commit."""
    config = load_experiment(path, FaceConfig)
    state = load_file(config.out / "face.safetensors")
    net = FaceNet(state["mean_shape"], config.width)
    net.load_state_dict(state)
    net.eval()
    pack, truths = load_pack(*config.packs), load_pack(*config.truths)
    _, held_out = validation_rows(pack, config.test_clips)
    blend = choose_blend(
        (answers(net, pack, held_out), pack.weights[held_out]),
        (answers(net, truths, np.arange(len(truths.source))), truths.weights),
    )
    rows = np.flatnonzero(np.isin(pack.clip, config.test_clips))
    crops = np.stack([warp(pack.crop(int(row)), np.eye(2, 3, dtype=np.float32)) for row in rows[:2]])
    export(
        FaceExport(net, torch.from_numpy(blend.share)),
        (torch.from_numpy(crops),),
        ASSETS / "face.onnx",
        input_names=["crops"],
        output_names=["landmarks", "weights", "rotations", "scores"],
        metadata={
            "input_px": INPUT_PX,
            "eye_corners": EYE_CORNERS,
            "landmark_numbers": LANDMARKS_146,
            "not_read": [name for name, share in zip(BLENDSHAPES, blend.share, strict=True) if share < 0],
            "reliability": [round(float(value), 3) for value in blend.reliability],
            "truth_share": [round(float(max(value, 0)), 2) for value in blend.share],
        },
        tolerance=5e-3,
        half_weights=True,
    )
    score = {clip: evaluate(net, pack, np.flatnonzero(pack.clip == clip)) for clip in config.test_clips}
    mean = {
        f"mean_{key}": round(float(np.mean([clip[key] for clip in score.values()])), 4)
        for key in ("r", "landmark", "yaw_deg", "pitch_deg")
    }
    enter("face", path, commit, mean | {f"r_{clip}": round(v["r"], 4) for clip, v in score.items()})


def export_detector(path: Path, commit: str) -> None:
    """Export ``detector.onnx`` of one experiment file, made at a commit."""
    config = load_experiment(path, DetectorConfig)
    net = DetectorNet(config.width)
    net.load_state_dict(load_file(config.out / "detector.safetensors"))
    export(
        DetectorExport(net),
        (torch.randint(0, 256, (2, DETECTOR_PX, DETECTOR_PX, 3), dtype=torch.uint8),),
        ASSETS / "detector.onnx",
        input_names=["pictures"],
        output_names=["heat", "size", "offset"],
        metadata={"input_px": DETECTOR_PX, "stride_px": STRIDE_PX},
        tolerance=5e-3,
        half_weights=True,
    )
    enter("detector", path, commit, {})
    manifest.cache_clear()
    clips = [video for video in sorted(config.videos.glob("*.mp4")) if video.stem in config.test_clips]
    frames = load_frames(config.pack / "labels.npz", clips, 5)
    enter(
        "detector", path, commit, {"recall": round(recall(FaceDetector(), frames), 4), "frames": len(frames)}
    )


def recall(detector: FaceDetector, frames: list[tuple[ImageArray, FloatArray]]) -> float:
    """Share of the faces (centre x, y and side) that a box covers with an overlap above 0.45."""
    hits = total = 0
    for image, faces in frames:
        found = detector.detect(image)
        for x, y, side in faces:
            box = np.asarray([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)
            hits += any(overlap(box, detection.box_xyxy) > 0.45 for detection in found)
            total += 1
    return hits / total


def enter(name: str, config: Path, commit: str, score: dict[str, float]) -> None:
    """Write the manifest's entry."""
    register(
        ASSETS / "manifest.json",
        name,
        ASSETS / f"{name}.onnx",
        {
            "licence": LICENCE,
            "training_data": DATA,
            "config": config.as_posix(),
            "commit": commit,
            "score": score,
        },
    )


def main() -> None:
    """``python -m visavis_train.tasks.export_face FACE.toml DETECTOR.toml``, from the repository's root."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("face", type=Path)
    parser.add_argument("detector", type=Path)
    args = parser.parse_args()
    commit = current_commit()  # Before the files that it describes change.
    export_face(args.face, commit)
    export_detector(args.detector, commit)


if __name__ == "__main__":
    main()
