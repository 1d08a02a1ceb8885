"""Every kind of network: its inputs and outputs, its cost, and refused configurations."""

from __future__ import annotations

import builtins
import math
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from visavis.base.networks import session_of
from visavis.channels import EXPRESSIONS
from visavis.errors import InputError, MissingExtraError, VisavisError
from visavis.expression.classifier import ExpressionClassifier
from visavis.expression.labels import FER2013_LABELS, expression_of
from visavis_train.expression.models import timm_net
from visavis_train.expression.models.cost import cost
from visavis_train.expression.models.factory import ModelConfig, build_model
from visavis_train.expression.models.graph import ExpressionGraph
from visavis_train.expression.models.heads import ExpressionNet, Reading
from visavis_train.expression.models.hybrid import HybridConfig, HybridNet
from visavis_train.expression.models.timm_net import TimmConfig
from visavis_train.expression.models.vit import VisionTransformer, VitConfig, sinusoidal
from visavis_train.expression.release import export_network
from visavis_train.layers.transformer import TransformerLayer

SMALL: dict[str, dict[str, Any]] = {
    "hybrid": {"widths": [4, 8, 16], "stem_blocks": 1, "blocks": [1, 0], "layers": 1, "heads": 2},
    "vit": {"preset": "tiny", "layers": 1},
    "vgg": {"widths": [4, 8, 16]},
    "sparse": {"stem": [4, 8], "width": 16, "layers": 2, "heads": 2, "pruning": {"keep_rate": 0.3}},
    "sae": {"widths": [16, 8, 8], "layers": 1, "heads": 2, "pruning": {"keep_rate": 0.3}},
    "timm": {"name": "resnet10t", "image_px": 64, "arguments": {"channels": [8, 8, 16, 16]}},
}


def config(**values: Any) -> ModelConfig:
    return TypeAdapter(ModelConfig).validate_python(values)


def build(kind: str, **changes: Any) -> ExpressionNet:
    torch.manual_seed(0)
    return build_model(config(kind=kind, **(SMALL[kind] | changes)))


@pytest.mark.parametrize("kind", SMALL)
def test_every_network_answers_both_questions_and_learns_everywhere(kind: str) -> None:
    network = build(kind)
    side_px = config(kind=kind, **SMALL[kind]).image_px
    expressions, labels = network(torch.randn(3, 1, side_px, side_px))
    assert (expressions.shape, labels.shape) == ((3, 8), (3, 7))
    torch.cat([expressions, labels], dim=1).square().sum().backward()
    learned = [(name, weights) for name, weights in network.named_parameters() if weights.requires_grad]
    still = [name for name, weights in learned if weights.grad is None]
    assert not still


def test_a_table_without_a_kind_is_the_hybrid() -> None:
    assert config() == HybridConfig()
    assert config(layers=1) == HybridConfig(layers=1)
    assert isinstance(build_model(config(**SMALL["hybrid"])), HybridNet)


@pytest.mark.parametrize(
    ("kind", "sides"),
    [("hybrid", (16, 32, 48)), ("vit", (16, 40)), ("vgg", (4, 24)), ("sparse", (12, 40)), ("sae", (16, 40))],
)
def test_other_sides_are_read(kind: str, sides: tuple[int, ...]) -> None:
    network = build(kind).eval()
    for side_px in sides:
        assert network(torch.randn(2, 1, side_px, side_px))[0].shape == (2, 8)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "forest"}, "does not match any of the expected tags"),
        ({"kind": "vit", "patch_px": 7}, "patch_px 7 does not divide image_px 48; take 42 or 49"),
        ({"kind": "vit", "width": 130}, "width 130 is no multiple of heads, 4"),
        ({"kind": "vit", "heads": 1, "width": 3, "positions": "sinusoidal"}, "even width; found 3"),
        ({"kind": "vit", "preset": "huge"}, "'b16', 'small' or 'tiny'"),
        ({"kind": "vit", "blocks": [1, 1]}, "Extra inputs are not permitted"),
        ({"widths": [4, 8, 18], "heads": 4}, "end with a multiple of heads, 4"),
        ({"blocks": [1, -1]}, "expected 0 or more"),
        ({"image_px": 50}, "multiple of 8"),
        ({"kind": "vgg", "image_px": 52}, "image_px is 52; 4 stages need a multiple of 8"),
        ({"kind": "sparse", "stem": [8, 8, 8], "blocks": [0, 1]}, "blocks are of a stem of two numbers"),
        ({"kind": "sparse", "stem": [8, 8, 8, 8]}, "at most 3 items"),
        ({"kind": "vgg", "widths": [0]}, "expected 1 or more"),
        ({"kind": "timm"}, "Field required"),
    ],
)
def test_what_cannot_be_built_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**values)


def test_presets_are_sizes_and_keys_beside_them_win() -> None:
    b16, changed = VitConfig(preset="b16"), VitConfig(preset="b16", layers=2, image_px=160)
    assert (b16.image_px, b16.patch_px, b16.width, b16.layers, b16.heads) == (224, 16, 768, 12, 12)
    assert (changed.layers, changed.image_px, changed.width) == (2, 160, 768)
    assert VitConfig.model_validate(changed.model_dump()) == changed


def test_vit_b16_has_the_size_that_the_literature_gives() -> None:
    with torch.device("meta"):
        network = VisionTransformer(VitConfig(preset="b16"))
    blocks = sum(weights.numel() for weights in network.layers.parameters())
    assert blocks == 12 * 7_087_872  # As in timm's vit_base_patch16_224.
    assert sum(weights.numel() for weights in network.parameters()) == pytest.approx(86e6, rel=0.01)


def test_sines_and_cosines_are_equations_2_and_3() -> None:
    table = sinusoidal(50, 12)
    for i, j in ((0, 0), (3, 0), (7, 2), (49, 5)):
        angle = i / 10000 ** (2 * j / 12)
        assert table[i, 2 * j].item() == pytest.approx(math.sin(angle), abs=1e-6)
        assert table[i, 2 * j + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_sinusoidal_positions_are_not_learned_and_follow_the_tokens() -> None:
    network = VisionTransformer(VitConfig(preset="tiny", positions="sinusoidal"))
    assert "positions" not in dict(network.named_parameters())
    table = sinusoidal(1 + 36, 64)
    assert torch.equal(network.positions.flatten(2)[0].T, table[1:])  # Position 0 is the CLS token's.


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_without_positions_a_vit_could_not_tell_where_a_patch_is(positions: str) -> None:
    network = VisionTransformer(VitConfig(preset="tiny", positions=positions)).eval()
    face = torch.randn(1, 1, 48, 48)
    swapped = face.roll(24, dims=2)  # Three patches down: the same patches elsewhere.
    assert not torch.allclose(network(face)[0], network(swapped)[0], atol=1e-5)
    nn.init.zeros_(network.positions)
    assert torch.allclose(network(face)[0], network(swapped)[0], atol=1e-5)


def test_dropout_acts_in_training_alone() -> None:
    layer = TransformerLayer(8, 2, 2.0, drop_path=0.0, dropout=0.5)
    tokens = torch.randn(2, 3, 8)
    assert not torch.equal(layer(tokens), layer(tokens))
    layer.eval()
    assert torch.equal(layer(tokens), layer(tokens))


def test_costs_are_counted_for_one_face() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3, padding=1, bias=False)
            self.linear = nn.Linear(4, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(self.conv(x).mean(dim=(2, 3)))

    found = cost(Two(), 10)
    assert (found.parameters, found.macs) == (36 + 25, 36 * 100 + 20)


def test_the_embedded_hybrid_costs_what_the_model_card_says() -> None:
    found = cost(HybridNet(HybridConfig()), 48)
    assert found.parameters == pytest.approx(1.1e6, rel=0.05)
    assert found.macs == pytest.approx(58e6, rel=0.05)


def test_timm_does_not_know_every_name() -> None:
    with pytest.raises(InputError, match=r"timm has no network 'resnet5000'; it has .*resnet"):
        build("timm", name="resnet5000")
    with pytest.raises(InputError, match=r"timm cannot make resnet10t with these settings: .*colour"):
        build("timm", arguments={"colour": 3})
    with pytest.raises(InputError, match=r"timm cannot make resnet18\.moon with these settings: .*moon"):
        build("timm", name="resnet18.moon")


def test_timm_networks_of_one_side_are_made_for_it() -> None:
    network = build("timm", name="vit_tiny_patch16_224", image_px=32, arguments={"depth": 1})
    assert network(torch.randn(1, 1, 32, 32))[1].shape == (1, 7)


def refuse(error: Exception) -> Callable[..., None]:
    def call(*_: object, **__: object) -> None:
        raise error

    return call


def test_pretrained_weights_offline_are_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = TimmConfig(name="resnet18", pretrained=True)
    monkeypatch.setattr(timm_net, "_require_hub", lambda _: None)
    monkeypatch.setattr(timm, "create_model", refuse(OSError("cannot find the files\non the Hub")))
    with pytest.raises(VisavisError, match="weights of resnet18 are not on this computer") as refused:
        build_model(wanted)
    assert "\n" not in str(refused.value)
    assert "model.pretrained=false" in str(refused.value)


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = TimmConfig(name="resnet10t", image_px=64, pretrained=True)
    asked: list[str] = []

    def connect(address: tuple[str, int], **_: object) -> None:
        asked.append(address[0])
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(timm, "create_model", refuse(AssertionError("asked the hub")))
    monkeypatch.setattr(timm_net, "getproxies", dict)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(VisavisError, match=r"cannot be fetched: .*model\.weights=FILE\.safetensors"):
        build_model(wanted)
    assert len(asked) == 1
    # Weights in the cache need no hub.
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: "cached")
    with pytest.raises(InputError, match="asked the hub"):
        build_model(wanted)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("variable", "proxy", "port"),
    [
        ("HTTPS_PROXY", "http://me:secret@gone.example:3128", 3128),
        ("https_proxy", "gone.example:3128", 3128),
        ("ALL_PROXY", "socks5://gone.example", 1080),
        ("HTTPS_PROXY", "https://gone.example/", 443),
    ],
)
def test_a_proxy_that_does_not_answer_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str, port: int
) -> None:
    asked: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], **_: object) -> None:
        asked.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(timm, "create_model", refuse(AssertionError("asked the hub")))
    set_proxy(monkeypatch, variable, proxy)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(VisavisError, match=r"the proxy gone\.example, which does not answer") as refused:
        build_model(TimmConfig(name="resnet10t", image_px=64, pretrained=True))
    assert asked == [("gone.example", port)]
    assert f": mend or unset {variable}, or" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "proxy", ["gone.example:secret", "https=//127.0.0.1:1", "https://", "http://me:secret/@host:1", "a..b"]
)
def test_a_proxy_without_a_right_address_is_told_as_such(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setattr(timm, "create_model", refuse(AssertionError("asked the hub")))
    set_proxy(monkeypatch, "ALL_PROXY", proxy)
    with pytest.raises(VisavisError, match="ALL_PROXY is no address of a proxy") as refused:
        build_model(TimmConfig(name="resnet10t", image_px=64, pretrained=True))
    assert "secret" not in str(refused.value)


def set_proxy(monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(variable, proxy)


def test_nothing_is_fetched_where_weights_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    make = timm.create_model

    def create(name: str, *, pretrained: bool, **wanted: Any) -> nn.Module:
        asked.append(pretrained)
        return make(name, pretrained=False, **wanted)

    monkeypatch.setattr(timm, "create_model", create)
    monkeypatch.setattr(timm_net, "_require_hub", lambda _: None)
    wanted = TimmConfig.model_validate(SMALL["timm"] | {"pretrained": True})
    build_model(wanted)
    build_model(wanted, download=False)
    assert asked == [True, False]


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ImportError("no timm"), MissingExtraError, r"pip install -e '\.\[train\]'"),
        (RuntimeError("operator torchvision::nms does not exist"), VisavisError, "one and the same place"),
    ],
)
def test_a_timm_that_cannot_be_imported(
    error: Exception, kind: type[VisavisError], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def load(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "timm":
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", load)
    with pytest.raises(kind, match=message):
        build("timm")


def test_unit_pixels_one_head_and_larger_faces_reach_the_file(tmp_path: Path) -> None:
    reading = Reading(face_px=64, pixels="unit", heads="labels")
    network = build_model(config(kind="vgg", **SMALL["vgg"]), reading).eval()
    faces = torch.randint(0, 256, (3, 1, 64, 64), dtype=torch.uint8)
    graph = ExpressionGraph(network, 48)
    prepared = graph.prepare(faces)
    assert prepared.shape == (3, 1, 48, 48)
    assert prepared.min() >= 0
    assert prepared.max() <= 1
    assert prepared.mean() > 0.3
    eight, seven = graph(faces)
    order = [EXPRESSIONS.index(str(expression_of(name))) for name in FER2013_LABELS]
    assert torch.equal(eight[:, order], seven)
    assert torch.all(eight[:, EXPRESSIONS.index("contempt")] == 0)
    export_network(network, tmp_path / "net.onnx")
    found = ExpressionClassifier(session_of((tmp_path / "net.onnx").read_bytes(), "net"))
    assert found.side_px == 64
    np.testing.assert_allclose(found.predict(faces[:, 0].numpy()), eight.detach().numpy(), atol=1e-5)
