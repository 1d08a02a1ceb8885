"""A folder that looks like a Live2D model's; its ``.moc3`` has a head and no content."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from visavis.cubism.folder import ModelFolder
from visavis.cubism.model import Live2DModel
from visavis.errors import DeviceError


def moc3(version: int = 3, big: int = 0, section: int = 704, size: int = 704) -> bytes:
    """The head of a model, of this size in bytes, with a section at this place."""
    head = b"MOC3" + bytes([version, big]) + bytes(58) + struct.pack("<160I", section, *[0] * 159)
    return head.ljust(size, b"\0")[:size]


def vector(x: float = 0.0, y: float = 0.0) -> dict[str, float]:
    return {"X": x, "Y": y}


def physics3() -> dict[str, Any]:
    """A strand of two points that follows the head, with counts that lie."""
    span = {"Minimum": -10, "Default": 0, "Maximum": 10}
    point = {"Position": vector(), "Mobility": 1, "Delay": 0.9, "Acceleration": 1, "Radius": 5}
    source = {"Target": "Parameter", "Id": "ParamAngleX"}
    hair = {"Target": "Parameter", "Id": "ParamHairFront"}
    return {
        "Version": 3,
        "Meta": {
            "PhysicsSettingCount": 99,
            "TotalInputCount": 99,
            "EffectiveForces": {"Gravity": vector(0, -1), "Wind": vector()},
        },
        "PhysicsSettings": [
            {
                "Id": "hair",
                "Input": [{"Source": source, "Weight": 100, "Type": "X", "Reflect": False}],
                "Output": [
                    {
                        "Destination": hair,
                        "VertexIndex": 1,
                        "Scale": 1.5,
                        "Weight": 100,
                        "Type": "Angle",
                        "Reflect": False,
                    }
                ],
                "Vertices": [point, point],
                "Normalization": {"Position": span, "Angle": span},
            }
        ],
    }


def write_model(folder: Path, **references: Any) -> Path:
    """A folder that passes all checks; references replace those of its model3.json."""
    folder.mkdir(exist_ok=True)
    (folder / "m.moc3").write_bytes(moc3())
    cv2.imwrite(str(folder / "t.png"), np.full((8, 8, 4), 200, np.uint8))
    (folder / "m.physics3.json").write_text(json.dumps(physics3()))
    (folder / "joy.exp3.json").write_text(json.dumps({"Type": "Live2D Expression", "Parameters": []}))
    files = {
        "Moc": "m.moc3",
        "Textures": ["t.png"],
        "Physics": "m.physics3.json",
        "Expressions": [{"Name": "joy", "File": "joy.exp3.json"}],
    }
    path = folder / "m.model3.json"
    path.write_text(json.dumps({"Version": 3, "FileReferences": files | references}))
    return path


def drawable(folder: ModelFolder) -> Live2DModel | str:
    """The model, or why it cannot be drawn here."""
    from importlib.util import find_spec

    missing = [name for name in ("live2d", "moderngl") if find_spec(name) is None]
    if missing:
        return f"{', '.join(missing)} is not installed: pip install -e '.[live2d]'"
    try:
        return Live2DModel(folder)
    except DeviceError as error:
        return str(error)
