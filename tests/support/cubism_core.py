"""A stand-in for Cubism Core for the web: what the page uses of it, and a model of a few squares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from support.live2d_folder import moc3, physics3

# Its squares: red moves with the head, green and blue are as high as the left eye and the mouth are open,
# yellow is drawn only inside of red, and hair (magenta) swings.
CORE = """var Live2DCubismCore = (() => {
  const NAMES = ["ParamAngleX", "ParamEyeLOpen", "ParamMouthOpenY", "ParamHairFront"];
  const COLORS = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1]];
  const square = (x, y, w, h) => Float32Array.of(x - w, y - h, x + w, y - h, x + w, y + h, x - w, y + h);
  class Model {
    constructor() {
      this.parameters = {
        ids: NAMES,
        minimumValues: Float32Array.of(-30, 0, 0, -1),
        maximumValues: Float32Array.of(30, 2, 1, 1),
        defaultValues: Float32Array.of(0, 1, 0, 0),
        values: Float32Array.of(0, 1, 0, 0),
      };
      this.parts = { ids: ["PartA", "PartB"], opacities: Float32Array.of(1, 1) };
      this.canvasinfo = { CanvasWidth: 200, CanvasHeight: 200, PixelsPerUnit: 100 };
      this.drawables = {
        constantFlags: Uint8Array.of(0, 0, 0, 0, 4),
        dynamicFlags: new Uint8Array(5).fill(1),
        textureIndices: new Int32Array(5),
        renderOrders: Int32Array.of(0, 2, 3, 1, 4),
        opacities: new Float32Array(5).fill(1),
        masks: [[], [], [], [0], []].map((each) => Int32Array.from(each)),
        vertexPositions: COLORS.map(() => new Float32Array(8)),
        vertexUvs: COLORS.map(() => square(0.5, 0.5, 0.5, 0.5)),
        indices: COLORS.map(() => Uint16Array.of(0, 1, 2, 0, 2, 3)),
        multiplyColors: Float32Array.from(COLORS.flatMap((color) => [...color, 1])),
        screenColors: new Float32Array(20),
        resetDynamicFlags() {},
      };
      this.update();
    }
    update() {
      const [angle, eye, mouth, hair] = this.parameters.values;
      const places = [
        square(angle / 100, 0, 0.4, 0.4),
        square(0.15, 0.2, 0.1, 0.05 * eye),
        square(0, -0.2, 0.1, 0.1 * mouth),
        square(0.4, 0, 0.1, 0.1), square(0.3 * hair, 0.5, 0.1, 0.1),
      ];
      places.forEach((place, i) => this.drawables.vertexPositions[i].set(place));
      this.drawables.opacities[4] = this.parts.opacities[0];
    }
  }
  return {
    Version: { csmGetVersion: () => 0x05000000 },
    Moc: { fromArrayBuffer: (bytes) => (new Uint8Array(bytes)[700] === 9 ? null : {}) },
    Model: { fromMoc: () => new Model() },
  };
})();
"""


def write_web_model(folder: Path, **references: Any) -> Path:
    """The folder of a model for the stand-in; references replace those of its model3.json."""
    folder.mkdir(exist_ok=True)
    (folder / "box.moc3").write_bytes(moc3())
    cv2.imwrite(str(folder / "white.png"), np.full((4, 4, 4), 255, np.uint8))
    (folder / "box.physics3.json").write_text(json.dumps(physics3()))
    (folder / "box.pose3.json").write_text(
        json.dumps({"Type": "Live2D Pose", "Groups": [[{"Id": "PartA"}, {"Id": "PartB"}]]})
    )
    files = {
        "Moc": "box.moc3",
        "Textures": ["white.png"],
        "Physics": "box.physics3.json",
        "Pose": "box.pose3.json",
    }
    path = folder / "box.model3.json"
    path.write_text(json.dumps({"Version": 3, "FileReferences": files | references}))
    return path


def write_core(folder: Path) -> Path:
    """The stand-in as a file of Cubism Core's name."""
    path = folder / "live2dcubismcore.min.js"
    path.write_text(CORE)
    return path
