"""The smallest weights, on every kind of network that can be trained."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pydantic import TypeAdapter  # noqa: E402

from support import tiny_fer  # noqa: E402
from visavis_train.expression.models.factory import ModelConfig, build_model  # noqa: E402
from visavis_train.expression.quantize.methods import Candidate, quantized  # noqa: E402
from visavis_train.expression.quantize.network import Network  # noqa: E402
from visavis_train.expression.run_folder import export_run  # noqa: E402
from visavis_train.loop.checkpoint import save_checkpoint  # noqa: E402

# Wide enough for large weights. Sparse networks cut their attention's weights where only kept tokens ask.
WIDE: dict[str, dict[str, Any]] = {
    "hybrid": {"widths": [8, 16, 64], "stem_blocks": 1, "blocks": [1, 0], "layers": 1, "heads": 2},
    "vit": {"preset": "tiny", "layers": 1},
    "vgg": {"widths": [8, 32, 64]},
    "sparse": {
        "stem": [8, 16], "width": 64, "layers": 2, "heads": 2,
        "pruning": {"keep_rate": 0.3, "queries": "kept"},
    },
    "sae": {
        "widths": [64, 32, 32], "layers": 1, "heads": 2, "kept": "own", "activation": "relu",
        "pruning": {"keep_rate": 0.3},
    },
    "timm": {"name": "resnet10t", "image_px": 48, "arguments": {"channels": [8, 8, 32, 64]}},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", WIDE)
def test_4_bits_on_every_kind_of_network(kind: str, tmp_path: Path) -> None:
    model = {"kind": kind, **WIDE[kind]}
    torch.manual_seed(0)
    network = build_model(TypeAdapter(ModelConfig).validate_python(model))
    save_checkpoint(tmp_path / "best.safetensors", {"model": network}, None, {"epoch": 0})
    (tmp_path / "config.json").write_text(json.dumps({"model": model}))
    export_run(tmp_path, tmp_path / "expression.onnx")
    original = Network.load(tmp_path)
    faces = tiny_fer.patterns(32, 5)[0]
    wanted = Candidate.of_onnx("fp32", original.data).open(1).predict(faces)
    for method in ("int4", *(["nf4"] if find_spec("bitsandbytes") else [])):
        made = quantized(method, original, tmp_path, lambda: faces[:, None])
        found = made.open(1).predict(faces)
        assert np.isfinite(found).all()
        assert 0 < np.abs(found - wanted).max() < 0.2, method  # Changed, but not another network.
        if method == "int4" or kind not in ("vgg", "timm"):  # NF4 leaves convolutions as they are.
            assert len(made.data) < len(original.data), method
