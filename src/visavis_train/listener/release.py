"""Export of a trained listener as an ONNX file, checked against torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from visavis.reaction.predictor import KIND, SPEAKER_INPUT, Predictor
from visavis_train.listener.network import ListenerGraph, ListenerNet
from visavis_train.onnx.export import export_onnx

LISTENER_FILE = "listener.onnx"
# Speakers, their listeners and positions of the example for the comparison of torch and ONNX.
_SPEAKERS, _LISTENERS, _LENGTH = 2, 3, 5


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
        output_names=("hidden", "keys", "values", "own_keys", "own_values", "head"),
        dynamic_batch=False,
        dynamic_axes={name: _dynamic(name) for name in inputs},
        metadata={
            "kind": KIND,
            **{name: getattr(config, name) for name in ("sound_channels", "controls", "patch", "context")},
            "levels": list(config.levels),
            "cache": [*net.attentions, config.heads, config.width // config.heads],
            **notes,
        },
    )
    return Predictor.load(folder / LISTENER_FILE)


def _example(net: ListenerNet) -> dict[str, torch.Tensor]:
    """Inputs of streams with a past, including unknown tokens, sound and controls."""
    config, rng = net.config, torch.Generator().manual_seed(0)
    speakers, listeners = (_SPEAKERS,), (_SPEAKERS, _LISTENERS)
    vocabulary = net.head.digits.vocabulary
    sound = torch.randn(*speakers, _LENGTH, config.patch, config.sound_channels, generator=rng)
    controls = torch.rand(*listeners, _LENGTH, config.controls, generator=rng)
    sound[0, 0], controls[0, 0, 0] = torch.nan, torch.nan
    each = config.width // config.heads
    past = {
        f"{kind}past_{name}_{place}": torch.randn(*streams, config.heads, *shape, generator=rng)
        for kind, streams, count in zip(("", "own_"), (speakers, listeners), net.attentions, strict=True)
        for name, shape in (("keys", (each, config.context)), ("values", (config.context, each)))
        for place in range(count)
    }
    return {
        SPEAKER_INPUT: torch.randint(-1, vocabulary, (*speakers, _LENGTH, config.patch), generator=rng),
        "own": torch.randint(-1, vocabulary, (*listeners, _LENGTH, config.patch), generator=rng),
        "sound": sound,
        "controls": controls,
        "ages": torch.arange(config.context).flip(0),
        **past,
    }


def _dynamic(name: str) -> tuple[int, ...]:
    """The axes of an input that have any size: M speakers, K listeners of each, T positions."""
    if name == "ages":
        return ()
    streams = (0, 1) if name.startswith(("own", "controls")) else (0,)
    return streams if "past" in name else (*streams, len(streams))
