"""A contact sheet of Mira: 8 expressions, 12 mouths, and the extremes."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from visavis.avatar.expressions import worn
from visavis.avatar.puppet import Drawing, Puppet
from visavis.base.files import PathText, as_path, whole_file
from visavis.channels import EXPRESSIONS
from visavis.errors import InputError
from visavis.types import AvatarPose, ImageArray

CELL_PX = 200
COLUMNS = 7
PAPER_RGB = (238, 238, 252)


def both(**values: float) -> dict[str, float]:
    """Parameters of both eyes or brows: ``EyeOpen=1`` means ParamEyeLOpen and ParamEyeROpen."""
    out = {}
    for name, value in values.items():
        part = next((part for part in ("Eye", "Brow") if name.startswith(part)), "")
        if not part or name.startswith("EyeBall"):
            out[f"Param{name}"] = value
        else:
            out |= {f"Param{part}{side}{name.removeprefix(part)}": value for side in "LR"}
    return out


MOUTHS: Mapping[str, Mapping[str, float]] = {
    "smile": both(MouthForm=1),
    "grin": both(MouthForm=0.9, MouthPressLipOpen=1),
    "laughing": both(MouthForm=1, MouthOpenY=0.9, JawOpen=0.9),
    "frown": both(MouthForm=-1),
    "pout": both(MouthPuckerWiden=-1, MouthShrug=0.3),
    "oh": both(MouthFunnel=1, MouthOpenY=0.45, JawOpen=0.5),
    "ah": both(MouthOpenY=0.9, JawOpen=0.9),
    "pressed": both(MouthPressLipOpen=-1, MouthShrug=0.5),
    "teeth": both(MouthPressLipOpen=1, MouthPuckerWiden=1, MouthForm=-0.3),
    "aside": both(MouthX=1, MouthPuckerWiden=-0.4),
    "smirk": both(MouthLForm=1, MouthX=0.3),
    "tongue": both(TongueOut=1, MouthOpenY=0.25, JawOpen=0.3),
}
EXTREMES: Mapping[str, Mapping[str, float]] = {
    "right, up": both(AngleX=30, AngleY=30, EyeBallX=1, EyeBallY=1),
    "left, down": both(AngleX=-30, AngleY=-30, EyeBallX=-1, EyeBallY=-1),
    "tilt back, lean": both(AngleZ=-30, BodyAngleZ=-10, BodyAngleX=10),
    "eyes closed": both(EyeOpen=0),
    "laugh": both(EyeOpen=0, EyeSmile=1, MouthForm=1, MouthOpenY=1, Cheek=1, BrowY=0.4, BrowForm=0.5),
    "wink": both(MouthForm=0.8, Cheek=0.5) | {"ParamEyeLOpen": 0.0, "ParamEyeLSmile": 1.0},
    "puffed, sneer": both(CheekPuff=1, NoseSneer=1, MouthPuckerWiden=-0.5),
    "shout": both(MouthForm=-1, MouthOpenY=1, BrowY=-1, BrowAngle=-1, BrowX=-1, BrowForm=-1),
}


def contact_sheet(
    cell_px: int = CELL_PX, drawing: Drawing | None = None
) -> tuple[ImageArray, list[list[str]]]:
    """Labelled pictures in rows of seven, of Mira by default.

    Returns:
        The sheet, (4 cell_px, 7 cell_px, 3) RGB; and the names of equal pictures, group by group: the drawing
        lacks the movements that would tell them apart.
    """
    puppet = drawing or Puppet.load()
    poses = {**{name: worn(name) for name in EXPRESSIONS}, **MOUTHS, **EXTREMES}
    cells = []
    names: dict[bytes, list[str]] = {}
    for name, values in poses.items():
        puppet.reset()
        cell = puppet.draw(AvatarPose.from_mapping(dict(values), 0.0), cell_px, PAPER_RGB)
        names.setdefault(cell.tobytes(), []).append(name)
        cv2.putText(cell, name, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (70, 66, 120), 1, cv2.LINE_AA)
        cells.append(cell)
    rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    return np.vstack(rows), [group for group in names.values() if len(group) > 1]


def write_png(path: PathText, image: ImageArray) -> None:
    """Write a picture (H, W, 3) RGB as a PNG file; it appears complete or not at all.

    Raises:
        InputError: the name has another ending, or the file cannot be written.
    """
    path = as_path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: expected a name that ends in .png")
    _, data = cv2.imencode(".png", image[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    with whole_file(path) as partial:
        partial.write_bytes(data.tobytes())
