"""Nothing in, a contact sheet out: Mira in the 8 expressions and at the extremes.

``python -m visavis.avatar.puppet_sheet docs/pictures/puppet.png`` draws the sheet of the documentation.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from visavis.avatar.expressions import LOOKS
from visavis.avatar.puppet import Puppet
from visavis.errors import InputError
from visavis.types import AvatarPose, ImageArray

CELL_PX = 212
COLUMNS = 4
PAPER_RGB = (238, 238, 252)


def both(**values: float) -> dict[str, float]:
    """Parameters of both eyes or brows: ``EyeOpen=1`` stands for ParamEyeLOpen and ParamEyeROpen."""
    out = {}
    for name, value in values.items():
        part = next((part for part in ("Eye", "Brow") if name.startswith(part)), "")
        if not part or name.startswith("EyeBall"):
            out[f"Param{name}"] = value
        else:
            out |= {f"Param{part}{side}{name.removeprefix(part)}": value for side in "LR"}
    return out


# What tracked eyes and mouths do in each expression; brows and cheeks are those of ``LOOKS``.
FACES: Mapping[str, Mapping[str, float]] = {
    "neutral": {},
    "happy": both(MouthForm=1, MouthOpenY=0.45, EyeSmile=0.7, EyeOpen=0.8),
    "sad": both(MouthForm=-0.8, EyeOpen=0.65, EyeBallY=-0.4),
    "surprise": both(MouthOpenY=0.7),
    "fear": both(MouthForm=-0.7, MouthOpenY=0.4),
    "disgust": both(MouthForm=-0.8, MouthOpenY=0.2, EyeOpen=0.6, EyeSmile=0.4),
    "anger": both(MouthForm=-0.6, EyeOpen=0.85),
    "contempt": both(MouthForm=0.25, EyeOpen=0.62, EyeBallX=-0.4)
    | {"ParamEyeLSmile": 0.7, "ParamAngleX": 9.0},
}
EXTREMES: Mapping[str, Mapping[str, float]] = {
    "right, up": both(AngleX=30, AngleY=30, EyeBallX=1, EyeBallY=1),
    "left, down": both(AngleX=-30, AngleY=-30, EyeBallX=-1, EyeBallY=-1),
    "tilt": both(AngleZ=30, AngleX=12, MouthForm=0.6),
    "tilt back, lean": both(AngleZ=-30, BodyAngleZ=-10, BodyAngleX=10),
    "eyes closed": both(EyeOpen=0),
    "laugh": both(EyeOpen=0, EyeSmile=1, MouthForm=1, MouthOpenY=1, Cheek=1, BrowY=0.4, BrowForm=0.5),
    "wink": both(MouthForm=0.8, Cheek=0.5) | {"ParamEyeLOpen": 0.0, "ParamEyeLSmile": 1.0},
    "shout": both(MouthForm=-1, MouthOpenY=1, BrowY=-1, BrowAngle=-1, BrowX=1, BrowForm=-1),
}


def contact_sheet(cell_px: int = CELL_PX) -> ImageArray:
    """Sixteen labelled pictures in rows of four: (4 cell_px, 4 cell_px, 3) RGB."""
    puppet = Puppet.load()
    poses = {**{name: {**LOOKS[name], **face} for name, face in FACES.items()}, **EXTREMES}
    cells = []
    for name, values in poses.items():
        puppet.reset()
        cell = puppet.draw(AvatarPose.from_mapping(dict(values), 0.0), cell_px, PAPER_RGB)
        cv2.putText(cell, name, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (70, 66, 120), 1, cv2.LINE_AA)
        cells.append(cell)
    rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    return np.vstack(rows)


def write_sheet(path: Path) -> None:
    """Write the contact sheet as a picture file.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        written = cv2.imwrite(str(path), contact_sheet()[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    except cv2.error as error:
        raise InputError(f"{path}: not a kind of picture that OpenCV writes; name it .png") from error
    if not written:
        raise InputError(f"{path}: cannot be written; does its folder exist?")


if __name__ == "__main__":
    write_sheet(Path(sys.argv[1] if len(sys.argv) > 1 else "puppet.png"))
