"""ONNX, and weights in 4 bits, on every kind of network that can be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from support import tiny_fer
from visavis_train.expression.models.factory import ModelConfig, build_model
from visavis_train.expression.models.graph import ExpressionGraph
from visavis_train.expression.quantize.methods import Candidate, quantized
from visavis_train.expression.quantize.network import LARGE, Network
from visavis_train.expression.quantize.rounding import block_of, round_nf4
from visavis_train.expression.release import export_network

pytestmark = pytest.mark.usefixtures("as_users_export")

# Wide enough for large weights. Sparse networks cut their attention's weights where only kept tokens ask.
# The hybrid: test_comparison.
WIDE: dict[str, dict[str, Any]] = {
    "vit": {"kind": "vit", "preset": "tiny", "layers": 1},
    "vgg": {"kind": "vgg", "widths": [8, 32, 64]},
    "timm": {
        "kind": "timm", "name": "mobilenetv2_035", "image_px": 64, "arguments": {"depth_multiplier": 0.1},
    },
    "sparse": {
        "kind": "sparse", "stem": [8, 16], "blocks": [0, 0], "width": 64, "layers": 1, "heads": 2,
        "pruning": {"keep_rate": 0.3, "queries": "kept"},
    },
    "sae": {
        "kind": "sae", "streams": "landmarks", "widths": [64, 32, 32], "layers": 1, "heads": 2, "kept": "own",
        "activation": "relu", "pruning": {"keep_rate": 0.3},
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", WIDE)
@torch.no_grad()
def test_onnx_and_4_bits_on_every_kind_of_network(kind: str, tmp_path: Path) -> None:
    config = TypeAdapter(ModelConfig).validate_python(WIDE[kind])
    torch.manual_seed(0)
    network = build_model(config).eval()
    export_network(network, tmp_path / "net.onnx", config.image_px)
    original = Network.load(tmp_path / "net.onnx")
    faces = tiny_fer.patterns(5, 5)[0]
    wanted = ExpressionGraph(network, config.image_px)(torch.from_numpy(faces)[:, None])[0].numpy()
    np.testing.assert_allclose(Candidate("fp32", original.data).open(1).predict(faces), wanted, atol=1e-5)
    for method in ("int4", "nf4"):
        made = quantized(method, original, lambda: faces[:, None])
        found = made.open(1).predict(faces)
        assert 0 < np.abs(found - wanted).max() < 0.2, method  # Changed, but not another network.
        assert len(made.data) < len(original.data), method
    if kind == "vit":  # It has no batch norms, which would change the weights in the file.
        for weights in network.parameters():
            if weights.ndim > 1 and weights.numel() >= LARGE:
                rows = weights.flatten(1).numpy()
                weights.copy_(
                    torch.from_numpy(round_nf4(rows, block_of(rows.shape[1], 64)).values).view_as(weights)
                )
        simulated = ExpressionGraph(network, config.image_px)(torch.from_numpy(faces)[:, None])[0].numpy()
        np.testing.assert_allclose(found, simulated, atol=1e-5)
