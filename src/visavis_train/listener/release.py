"""Export of a trained listener as an ONNX file, checked against torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from visavis.reaction.predictor import KIND, SPEAKER_INPUT, Predictor
from visavis_train.listener.network import HeardTensors, ListenerGraph, ListenerNet
from visavis_train.onnx.export import export_onnx

LISTENER_FILE = "listener.onnx"
# Streams, positions and remembered positions of the example for the comparison of torch and ONNX.
_STREAMS, _LENGTH = 2, 3


def export_listener(net: ListenerNet, folder: Path, notes: Mapping[str, Any]) -> Predictor:
    """Write a listener as ONNX into a folder, check it against torch, and open it.

    Args:
        net: the network.
        folder: receives ``listener.onnx``.
        notes: ``frame_rate_hz``, ``speaks``, and further metadata for the runtime.

    Raises:
        WeightsError: ONNX Runtime answers differently.
    """
    net.eval()
    config = net.config
    inputs = _example(net)
    export_onnx(
        ListenerGraph(net),
        tuple(inputs.values()),
        folder / LISTENER_FILE,
        input_names=tuple(inputs),
        output_names=("hidden", "keys", "values", "head"),
        dynamic_axes=dict.fromkeys((SPEAKER_INPUT, "own", "sound", "controls"), (1,)),
        metadata={
            "kind": KIND,
            **{name: getattr(config, name) for name in ("sound_channels", "controls", "patch", "context")},
            "levels": list(config.levels),
            "cache": [net.attentions, config.heads, config.width // config.heads],
            **notes,
        },
    )
    return Predictor.load(folder / LISTENER_FILE)


def _example(net: ListenerNet) -> dict[str, torch.Tensor]:
    """Inputs of a stream with a past, including unknown tokens, sound and controls."""
    config, rng = net.config, torch.Generator().manual_seed(0)
    shape = (_STREAMS, _LENGTH, config.patch)
    vocabulary = net.head.digits.vocabulary
    sound = torch.randn(*shape, config.sound_channels, generator=rng)
    controls = torch.rand(_STREAMS, _LENGTH, config.controls, generator=rng)
    sound[0, 0], controls[0, 0] = torch.nan, torch.nan
    ages = torch.arange(config.context).flip(0).expand(_STREAMS, -1).contiguous()
    each = config.width // config.heads
    shapes = {"past_keys": (each, config.context), "past_values": (config.context, each)}
    past = {
        f"{name}_{place}": torch.randn(_STREAMS, config.heads, *shape, generator=rng)
        for name, shape in shapes.items()
        for place in range(net.attentions)
    }
    tokens = HeardTensors(
        torch.randint(-1, vocabulary, shape, generator=rng),
        torch.randint(-1, vocabulary, shape, generator=rng),
        sound,
        controls,
    )
    named = {SPEAKER_INPUT if name == "speaker" else name: part for name, part in tokens._asdict().items()}
    return {**named, "ages": ages, **past}
