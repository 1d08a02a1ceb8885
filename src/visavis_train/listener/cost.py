"""A listener's parameters and its multiply-accumulates for each second of a stream.

No weights are computed: the networks have only shapes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from visavis_train.listener.causal_attention import Past
from visavis_train.listener.network import HeardTensors, ListenerConfig, ListenerGraph, ListenerNet


@dataclass(frozen=True, slots=True)
class StreamCost:
    """Cost of a second of stream, in matrix products, without tokenizer and speech features.

    Attributes:
        parameters: numbers that are learned.
        streamed: multiply-accumulates a second with the keys and values of the past kept.
        re_encoded: the same in the third paper's code: each frame is a position, and the whole context is
            encoded again for every patch.
    """

    parameters: int
    streamed: float
    re_encoded: float


def stream_cost(config: ListenerConfig, frame_rate_hz: float) -> StreamCost:
    """Count the cost of a listener."""
    frames = config.model_copy(update={"patch": 1, "context": config.context * config.patch})
    steps_per_s = frame_rate_hz / config.patch
    with torch.device("meta"):
        net, whole = ListenerNet(config).eval(), ListenerNet(frames).eval()
    return StreamCost(
        sum(weights.numel() for weights in net.parameters()),
        _macs_of_step(net) * steps_per_s,
        _macs_of_context(whole, config.patch) * steps_per_s,
    )


@torch.no_grad()
def _macs_of_step(net: ListenerNet) -> int:
    """Multiply-accumulates of one position with its whole past, and of its distributions."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        ages, past = _past(net, net.config.context)
        parts = (part for kind in past for each in kind for part in each)
        hidden = ListenerGraph(net)(*_heard(net.config, 1), ages, *parts)[0]
        net.head(hidden, hidden.new_zeros(hidden.shape[:-1], dtype=torch.int64))
    return int(counter.get_total_flops()) // 2


@torch.no_grad()
def _macs_of_context(net: ListenerNet, patch: int) -> int:
    """The same for all positions of a context without a past, and the distributions of the last ``patch``."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        hidden, _ = net(_heard(net.config, net.config.context), *_past(net, 0))
        last = hidden[:, :, -patch:]
        net.head(last, last.new_zeros(last.shape[:-1], dtype=torch.int64))
    return int(counter.get_total_flops()) // 2


def _past(net: ListenerNet, positions: int) -> tuple[torch.Tensor, tuple[Past, Past]]:
    each, heads = net.config.width // net.config.heads, net.config.heads
    speaker, own = (
        Past(torch.zeros(*shape, each, positions).unbind(), torch.zeros(*shape, positions, each).unbind())
        for shape in ((net.attentions[0], 1, heads), (net.attentions[1], 1, 1, heads))
    )
    return torch.ones(positions, dtype=torch.int64), (speaker, own)


def _heard(config: ListenerConfig, positions: int) -> HeardTensors:
    shape = (1, positions, config.patch)
    return HeardTensors(
        torch.zeros(shape, dtype=torch.int64),
        torch.zeros(1, *shape, dtype=torch.int64),
        torch.zeros(*shape, config.sound_channels),
        torch.zeros(1, 1, positions, config.controls),
    )
