"""NF4 quantisation of Linear layers, the first paper's method. The network stays in torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from visavis.channels import EXPRESSIONS
from visavis.errors import MissingExtraError
from visavis.expression.labels import FER2013_LABELS
from visavis.types import FloatArray, ImageArray
from visavis_train.expression.models.graph import ExpressionGraph
from visavis_train.expression.run_folder import load_run


@dataclass(frozen=True, slots=True, eq=False)
class TorchSession:
    """A torch network with the methods of ONNX Runtime's session that visavis calls.

    Attributes:
        graph: the module from pictures to probabilities.
        threads: most threads of one call.
    """

    graph: ExpressionGraph
    threads: int

    def get_inputs(self) -> list[SimpleNamespace]:
        """The pictures (N, 1, F, F)."""
        face_px = self.graph.reading.face_px
        return [SimpleNamespace(name="images", type="tensor(uint8)", shape=["N", 1, face_px, face_px])]

    def get_outputs(self) -> list[SimpleNamespace]:
        """The two probabilities."""
        return [SimpleNamespace(name="expressions"), SimpleNamespace(name="labels")]

    def get_modelmeta(self) -> SimpleNamespace:
        """The order of the classes."""
        notes = {"expressions": list(EXPRESSIONS), "labels": list(FER2013_LABELS)}
        return SimpleNamespace(custom_metadata_map={key: json.dumps(value) for key, value in notes.items()})

    @torch.no_grad()
    def run(self, names: list[str] | None, feed: dict[str, ImageArray]) -> list[FloatArray]:
        """Probabilities by name; all if ``names`` is None."""
        torch.set_num_threads(self.threads)
        expressions, labels = self.graph(torch.from_numpy(feed["images"].copy()))
        found = {"expressions": expressions.numpy(), "labels": labels.numpy()}
        return [found[name] for name in names or found]


def nf4(folder: Path) -> tuple[bytes, ExpressionGraph]:
    """The safetensors file and the graph of a run's network, with Linear layers in NF4.

    NormalFloat with 4 bits and doubly quantised scales (Dettmers et al. 2023, arXiv:2305.14314, section 3),
    by bitsandbytes. Computing is in 32 bits, and convolutions do not change.

    Raises:
        MissingExtraError: bitsandbytes is not installed.
        InputError: the folder holds no expression run.
    """
    if find_spec("bitsandbytes") is None:
        raise MissingExtraError("bitsandbytes", "train", "visavis quantize --method nf4")
    network, side_px = load_run(folder)
    _replace(network)
    state: dict[str, Tensor] = {key: value.contiguous() for key, value in network.state_dict().items()}
    return save(state, {"quantized": json.dumps("nf4")}), ExpressionGraph(network, side_px).eval()


def _replace(module: nn.Module) -> None:
    """Replace every Linear layer of a module by bitsandbytes' layer."""
    # Imported only here: it takes seconds, and the other methods do not need it.
    layers: Any = import_module("bitsandbytes.nn")
    for name, child in module.named_children():
        if not isinstance(child, nn.Linear):
            _replace(child)
            continue
        layer = layers.Linear4bit(
            child.in_features,
            child.out_features,
            bias=child.bias is not None,
            compute_dtype=torch.float32,
            quant_type="nf4",
        )
        layer.load_state_dict(child.state_dict())
        # Its own kernel for AVX512-BF16 takes only some shapes, and computes in 16 bits.
        layer.support_avx512bf16_for_cpu = False
        setattr(module, name, layer.to("cpu"))  # The move quantises the layer.
