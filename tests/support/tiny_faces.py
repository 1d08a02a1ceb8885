"""A pack of labelled noise pictures, in the layout of visavis_train.face.data.teacher."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

N = 60


def write(folder: Path, changes: Mapping[str, Any] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    labels = {
        "landmarks146": rng.normal(0, 0.15, (N, 146, 3)).astype(np.float32),
        "blendshapes": rng.uniform(0, 1, (N, 52)).astype(np.float32),
        "rotation": np.tile(np.eye(3, dtype=np.float32), (N, 1, 1)),
        "source": np.asarray([f"utk_{k}" for k in range(40)] + [f"render:{k}" for k in range(20)]),
    }
    labels |= changes or {}
    np.savez(folder / "labels.npz", **{key: value for key, value in labels.items() if value is not None})
    np.save(folder / "crops.npy", rng.integers(0, 256, (N, 224, 224, 3), np.uint8))
    return folder
