"""``python -m visavis_train.face.rendering HEAD.npz CROPS OUT --count N --seed S``: a pack of faces."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from visavis.base.console import print_note
from visavis.capture.image import IMAGE_SUFFIXES, read_image
from visavis.errors import InputError
from visavis.types import ImageArray
from visavis_train.face.rendering.head import Head
from visavis_train.face.rendering.landmarks import LandmarkTable
from visavis_train.face.rendering.pack import write_pack
from visavis_train.face.rendering.probes import EACH
from visavis_train.face.rendering.scene import IDENTITIES, Renderer
from visavis_train.face.rendering.skins import make_skins, read_skins, write_skins
from visavis_train.loop.command import status_of

SKINS = "skins.npz"
PHOTOGRAPH_PX = 448


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m visavis_train.face.rendering",
        description="Render faces whose weights, rotation, landmarks and gaze are known.",
    )
    parser.add_argument("head", type=Path, help="ict_face.npz")
    parser.add_argument("crops", type=Path, help="folder of face crops, for skins")
    parser.add_argument("out", type=Path, help="folder of the pack")
    parser.add_argument("--count", type=int, required=True, help="pictures")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--split", choices=tuple(IDENTITIES), default="train", help="skins and identities")
    parser.add_argument("--skins", type=Path, help=f"file of skins, made if missing; {SKINS} beside the pack")
    parser.add_argument("--model", type=Path, help="face_landmarker.task, if skins are to be made")
    parser.add_argument("--photographs", type=Path, help="folder of pictures for backgrounds")
    parser.add_argument("--plain", action="store_true", help="nothing in front of the face: for measuring")
    parser.add_argument(
        "--probes",
        action="store_true",
        help=f"plain pictures of each weight at full: {EACH} for each identity, the first at rest",
    )
    return parser


def photographs(folder: Path | None) -> list[ImageArray]:
    """Pictures of a folder, in the order of their names, made small.

    Raises:
        InputError: there are none, or one cannot be read.
    """
    if folder is None:
        return []
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise InputError(f"{folder}: no pictures there")
    return [_small(read_image(path)) for path in paths]


def _small(image: ImageArray) -> ImageArray:
    scale = PHOTOGRAPH_PX / min(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def main() -> int:
    """Command line; returns the exit status."""
    args = parser().parse_args()

    def work() -> None:
        head = Head.load(args.head)
        path = args.skins or args.out.parent / SKINS
        if not path.is_file():
            model = args.model or args.crops.parent.parent / "models" / "face_landmarker.task"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_skins(path, make_skins(head, args.crops, model, 2000))
        skins, pictures = read_skins(path), photographs(args.photographs)
        renderer = Renderer(
            head,
            LandmarkTable.load(head),
            skins,
            args.split,
            args.seed,
            pictures,
            args.plain,
            args.probes,
        )
        write_pack(renderer, args.out, args.count, args.workers)
        print_note(f"{args.out}: {args.count} faces of the split {args.split}")

    return status_of(work, "interrupted: the same command begins anew")


if __name__ == "__main__":
    sys.exit(main())
