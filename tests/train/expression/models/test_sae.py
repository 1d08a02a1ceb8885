"""SAE: two streams with cross-attention, their kept tokens, and the published sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from visavis.base import networks
from visavis.errors import InputError
from visavis_train.expression.models.cost import cost
from visavis_train.expression.models.sae import CrossLayer, SaeNet
from visavis_train.expression.models.sae_config import SaeConfig
from visavis_train.expression.models.streams import FaceTrunk, Frozen, Ir50, MobileFaceNet

SMALL: dict[str, Any] = {"image_px": 32, "widths": (16, 8, 8), "layers": 2, "heads": 2}


def config(pruning: dict[str, Any] | None = None, **changes: Any) -> SaeConfig:
    return SaeConfig.model_validate(SMALL | changes | {"pruning": pruning or {}})


def build(pruning: dict[str, Any] | None = None, **changes: Any) -> SaeNet:
    torch.manual_seed(0)
    return SaeNet(config(pruning, **changes)).eval()


def faces(count: int = 2, side_px: int = 32) -> Tensor:
    return torch.randn(count, 1, side_px, side_px, generator=torch.Generator().manual_seed(1))


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Eq. 2 with heads, written out."""
    parts = [torch.chunk(values, heads, dim=2) for values in (q, k, v)]
    mixed = [
        ((one @ two.transpose(1, 2)) / one.shape[2] ** 0.5).softmax(2) @ three
        for one, two, three in zip(*parts, strict=True)
    ]
    return torch.cat(mixed, dim=2)


def test_each_stream_asks_with_the_queries_of_the_other() -> None:
    torch.manual_seed(0)
    layer = CrossLayer(config(drop_path=0.0), 8).eval()
    x = torch.randn(3, 5, 8), torch.randn(3, 5, 8)
    found, scores = layer.attend(x)
    halves = (layer.image, layer.landmarks)
    (qx, kx, vx), (ql, kl, vl) = (
        half.attention.qkv(half.norm1(tokens)).chunk(3, dim=2) for half, tokens in zip(halves, x, strict=True)
    )
    wanted_x = x[0] + layer.image.attention.out(attention(ql, kx, vx, 2))  # Eq. 11-13, 15.
    wanted_l = x[1] + layer.landmarks.attention.out(attention(qx, kl, vl, 2))  # Eq. 14, 16.
    torch.testing.assert_close(found, (wanted_x, wanted_l))
    for (q, k), score in zip(
        ((ql, kx), (qx, kl)), scores, strict=True
    ):  # Eq. 5-7 of each stream's attention.
        rows = [
            (one[:, :1] @ two.transpose(1, 2) / 2).softmax(2)[:, 0, 1:]
            for one, two in zip(q.chunk(2, dim=2), k.chunk(2, dim=2), strict=True)
        ]
        torch.testing.assert_close(score, torch.stack(rows).mean(dim=0))


def test_one_stream_alone_attends_to_itself() -> None:
    torch.manual_seed(0)
    layer = CrossLayer(config(streams="image"), 8).eval()
    x = torch.randn(3, 5, 8)
    ([found], _) = layer.attend((x,))
    q, k, v = layer.image.attention.qkv(layer.image.norm1(x)).chunk(3, dim=2)
    torch.testing.assert_close(found, x + layer.image.attention.out(attention(q, k, v, 2)))  # Eq. 2.


@pytest.mark.parametrize("left", ["image", "landmarks"])
def test_a_stream_that_is_left_out_is_not_there(left: str) -> None:
    network, whole = build({"keep_rate": 0.3}, streams=left), build({"keep_rate": 0.3})
    names = {name for name in whole.state_dict() if left in name or name.startswith(("norms", "labels"))}
    assert {name for name in network.state_dict() if "entries" not in name} > names
    other = {"image": "landmarks", "landmarks": "image"}[left]
    assert not [name for name in network.state_dict() if other in name]
    assert cost(network, 32).macs < cost(whole, 32).macs
    assert 2 * config(streams=left).macs_equation_4() == config().macs_equation_4()


def test_the_activation_is_the_one_that_is_asked_for() -> None:
    smooth, sharp = build(), build(activation="relu")
    sharp.load_state_dict(smooth.state_dict())
    mlps = [part.mlp for part in sharp.modules() if hasattr(part, "mlp")]
    assert len(mlps) == 2 * 2 * 3
    for mlp in mlps:
        x = torch.randn(4, mlp[0].in_features)
        torch.testing.assert_close(mlp(x), mlp[2](mlp[0](x).clamp_min(0)))  # Eq. 3.
    assert not torch.allclose(smooth(faces())[0], sharp(faces())[0], atol=1e-6)


def still(network: SaeNet) -> None:
    """Attention, MLPs and messages add nothing."""
    for layer in network.layers:
        parts = [part for scale in layer.scales for part in (scale.image, scale.landmarks)]
        for last in [each for half in parts for each in (half.attention.out, half.mlp[2])] + [*layer.joins]:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)


def test_each_stream_prunes_by_itself_at_each_scale() -> None:
    network = build({"keep_rate": 0.3, "fused_token": "none"}, kept="own")
    still(network)
    start = network.tokens(faces())
    left, kept = network.layers[0](start)
    assert kept is not None
    assert kept.shape == (2, 3, 2, 5)
    for scale, (pair, whole, layer) in enumerate(zip(left, start, network.layers[0].scales, strict=True)):
        for stream, (tokens, before, scores) in enumerate(
            zip(pair, whole, layer.attend(whole)[1], strict=True)
        ):
            own = scores.topk(5, dim=1).indices  # Eq. 8: by the stream's own scores, best first.
            assert torch.equal(kept[:, scale, stream], own)
            torch.testing.assert_close(
                tokens[:, 1:], before.gather(1, 1 + own[:, :, None].expand(-1, -1, before.shape[2]))
            )
    assert len({tuple(row) for row in kept[0].flatten(0, 1).tolist()}) > 1


def test_own_and_shared_tokens_are_the_same_where_all_streams_agree() -> None:
    shared, own = build({"keep_rate": 1.0}, kept="shared"), build({"keep_rate": 1.0}, kept="own")
    torch.testing.assert_close(shared(faces()), own(faces()))
    shared, own = (build({"keep_rate": 0.3}, kept=kept) for kept in ("shared", "own"))
    assert not torch.allclose(shared(faces())[0], own(faces())[0], atol=1e-6)


def test_both_streams_and_all_scales_keep_the_same_tokens() -> None:
    network = build({"keep_rate": 0.3, "fused_token": "none"})
    start = network.tokens(faces())
    # Every token says where it is; what is left of them says who was kept.
    marks = [tuple(torch.arange(17.0)[None, :, None].expand_as(t) for t in pair) for pair in start]
    layer = network.layers[0]
    still(network)
    left, kept = layer(marks)
    assert kept is not None
    assert kept.shape == (2, 5)
    for pair in left:
        for tokens in pair:
            assert torch.equal(tokens[:, 1:, 0], 1 + kept.float())


def test_keep_rate_1_is_the_network_without_pruning() -> None:
    plain, same = build(), build({"keep_rate": 1.0, "layers": [0, 1]})
    assert torch.equal(plain(faces())[0], same(faces())[0])
    sparse = build({"keep_rate": 0.3})
    sparse.load_state_dict(plain.state_dict())
    assert not torch.allclose(plain(faces())[0], sparse(faces())[0], atol=1e-6)


@pytest.mark.parametrize("kept", ["shared", "own"])
def test_the_order_of_tokens_makes_no_difference(kept: str) -> None:
    network = build({"keep_rate": [0.5, 0.5], "layers": [0, 1]}, kept=kept)
    start = network.tokens(faces())
    order = [0, *(1 + torch.randperm(16)).tolist()]
    shuffled = [tuple(tokens[:, order] for tokens in pair) for pair in start]
    torch.testing.assert_close(network.read(start)[0], network.read(shuffled)[0], atol=1e-5, rtol=1e-4)


def test_the_landmark_stream_is_the_embedded_face_network_and_stays_so() -> None:
    graph = onnx.load_from_string(networks.read("face"))
    halved = next(node for node in graph.graph.node if node.op_type == "AveragePool").output[0]
    sums = {node.output[0] for node in graph.graph.node if node.op_type == "Add"}
    relus = [node for node in graph.graph.node if node.op_type == "Relu"]
    eighth = next(node.output[0] for node in relus if node.input[0] in sums)
    for name in (halved, eighth):
        graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    crops = np.random.default_rng(0).integers(0, 256, (1, 160, 160, 1), np.uint8).repeat(3, axis=3)
    session = networks.session_of(graph.SerializeToString(), "face", int8_weights=False)
    small, wanted = session.run([halved, eighth], {"crops": crops})
    trunk = FaceTrunk()
    trunk.load()
    with torch.no_grad():
        found = trunk(torch.from_numpy(small)[:, :1] / 0.25)
    # The file rounds the inputs and outputs of its convolutions to 8 bits.
    assert np.abs(found.numpy() - wanted).max() < 0.1
    assert np.abs(found.numpy() - wanted).mean() < 0.02
    network = build().train()
    before = {name: value.clone() for name, value in network.landmarks.state_dict().items()}
    step = torch.optim.SGD([w for w in network.parameters() if w.requires_grad], 0.1)
    network(faces())[0].square().sum().backward()
    step.step()
    assert all(torch.equal(before[name], value) for name, value in network.landmarks.state_dict().items())
    assert all(weight.grad is None for weight in network.landmarks.parameters())


def test_a_frozen_network_keeps_its_statistics() -> None:
    frozen = Frozen(nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)))
    frozen.train()
    frozen(torch.randn(4, 1, 3, 3) + 5)
    assert frozen.training
    assert torch.equal(frozen.network[1].running_mean, torch.zeros(2))


def test_the_published_size_costs_what_it_was_measured_to() -> None:
    with torch.device("meta"):
        base = SaeConfig(preset="base")
        whole = cost(SaeNet(base, download=False), 112)
        sparse = SaeConfig(preset="base", pruning={"keep_rate": 0.1})
        saved = whole.macs - cost(SaeNet(sparse, download=False), 112).macs
        maps = [stream.eval()(torch.zeros(1, 1, 112, 112)) for stream in (Ir50(), MobileFaceNet())]
    assert [tuple(found.shape) for found in maps] == [(1, 1024, 7, 7), (1, 512, 7, 7)]
    assert base.counts() == [(50, 50, 50)] * 6
    assert whole.macs == pytest.approx(7.5e9, rel=0.01)
    assert 0.15 < saved / whole.macs < 0.27  # The rest is the streams, which do not prune.


def test_2x2_neighbours_make_a_token() -> None:
    stream = Ir50()
    stream.stem, stream.blocks = nn.Sequential(), nn.Sequential()  # What is left is how maps become tokens.
    tokens = stream(torch.arange(16.0).reshape(1, 1, 4, 4)).flatten(2).transpose(1, 2)[0]
    assert tokens[:, :4].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pruning": {"layers": [2]}}, "pruning.layers holds layer 2; the network has 2: expected 0 to 1"),
        ({"pruning": {"method": "tome"}}, "pruning.method is 'tome'; sae knows 'cls' and 'none'"),
        ({"pruning": {"queries": "kept"}}, "pruning.queries is 'kept'; in sae all tokens ask"),
        ({"image_px": 36}, "image_px is 36; small needs multiples of 8"),
        ({"preset": "base", "image_px": 120}, "image_px is 120; base needs multiples of 16"),
        ({"widths": (16, 8, 9)}, r"widths \[16, 8, 9\] must be multiples of heads, 2"),
        ({"image_weights": "a.safetensors"}, "are for the preset base"),
    ],
)
def test_what_cannot_be_built_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SaeConfig.model_validate(SMALL | values)


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(
        InputError, match="a picture of 36x36 px; expected a square, its side a multiple of 8"
    ):
        build()(torch.zeros(1, 1, 36, 36))


def test_a_frozen_stream_needs_weights() -> None:
    with pytest.raises(InputError, match=r"has no weights: set model\.landmark_weights"):
        SaeNet(SaeConfig(preset="base", layers=1))
