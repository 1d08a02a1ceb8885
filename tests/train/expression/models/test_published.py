"""Published weights: read without running anything, renamed, and put into networks; the rest is told."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from support.research import run_visavis
from visavis.errors import InputError
from visavis_train.expression.models.factory import build_model
from visavis_train.expression.models.published import load_published, read_pickled, read_weights
from visavis_train.expression.models.streams import Ir50, MobileFaceNet
from visavis_train.expression.models.timm_net import TimmConfig
from visavis_train.loop.checkpoint import load_state


def published_ir50(stages: bool) -> tuple[Ir50, dict[str, Tensor]]:
    """A network, and its tensors in the public names, of one body or of POSTER's three."""
    network, found = Ir50(), {}
    for key, value in network.state_dict().items():
        name = key.replace("stem.", "input_layer.").replace("branch", "res_layer")
        name = name.replace("shortcut", "shortcut_layer")
        if name.startswith("blocks."):
            _, number, rest = name.split(".", 2)
            stage, first = next((s, f) for s, f in ((3, 7), (2, 3), (1, 0)) if int(number) >= f)
            name = f"body{stage}.{int(number) - first}.{rest}" if stages else f"body.{number}.{rest}"
        found[f"module.{name}"] = value + 1 if value.is_floating_point() else value
    return network, found | {
        "output_layer.3.weight": torch.ones(2, 2),
        "body.21.res_layer.0.bias": torch.ones(2),
    }


@pytest.mark.parametrize("stages", [False, True])
def test_ir50_is_read_in_its_public_names(
    stages: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, found = published_ir50(stages)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": found}, tmp_path / "ir50.pth")
    safe = tmp_path / "ir50.safetensors"
    assert run_visavis("lab", "convert-weights", tmp_path / "ir50.pth", "--out", safe) == 0
    assert f"{len(found)} tensors taken, 1 left (epoch)" in capsys.readouterr().err
    load_published(network, safe)
    assert f"{len(before)} tensors taken, 2 left (body, output_layer)" in capsys.readouterr().err
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key] + 1 if value.is_floating_point() else before[key]), key


def test_mobilefacenet_is_read_in_its_public_names(tmp_path: Path) -> None:
    network, found = MobileFaceNet(), {}
    firsts = {2: "conv_23", 7: "conv_34", 14: "conv_45"}
    units = ("conv", "bn", "prelu")
    for key, value in network.state_dict().items():
        _, number, *rest = key.split(".")
        if (whole := {0: "conv1", 1: "conv2_dw", 17: "conv_6_sep"}.get(int(number))) is not None:
            name = f"{whole}.{units[int(rest[0])]}.{rest[1]}"
        else:
            start, stage = max(
                (s, n) for s, n in ((2, ""), (3, "conv_3"), (8, "conv_4"), (15, "conv_5")) if int(number) >= s
            )
            block = firsts.get(int(number)) or f"{stage}.model.{int(number) - start}"
            part = int(rest[1])
            inner = (
                f"{('conv', 'conv_dw')[part]}.{units[int(rest[2])]}.{rest[3]}"
                if part < 2
                else (f"project.{units[part - 2]}.{rest[2]}")
            )
            name = f"{block}.{inner}"
        found[name] = torch.full_like(value, 7)
    save_file(found, tmp_path / "mobile.safetensors")
    load_published(network, tmp_path / "mobile.safetensors")
    assert all((value == 7).all() for value in network.state_dict().values())


@pytest.mark.parametrize(
    ("name", "head", "options"),
    [
        ("resnet10t", "fc", {}),
        ("vit_tiny_patch16_224", "head", {"img_size": 224, "depth": 1}),
    ],
)
def test_a_local_file_of_timm_starts_a_network(
    name: str, head: str, options: dict[str, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = timm.create_model(name, **options)
    save_file(theirs.state_dict(), tmp_path / "timm.safetensors")
    depth = {key: value for key, value in options.items() if key == "depth"}
    config = TimmConfig(name=name, image_px=96, weights=tmp_path / "timm.safetensors", arguments=depth)
    own = build_model(config).state_dict()
    assert f"2 left ({head})" in capsys.readouterr().err
    same = [
        key
        for key, value in theirs.state_dict().items()
        if (k := f"network.{key}") in own and own[k].shape == value.shape
    ]
    assert len(same) >= len(theirs.state_dict()) - 4  # Head, and what is fitted: input layer, positions.
    for key in same:
        assert torch.equal(own[f"network.{key}"], theirs.state_dict()[key]), key
    grey = next(value for value in own.values() if value.ndim == 4)
    colour = next(value for value in theirs.state_dict().values() if value.ndim == 4)
    assert torch.allclose(grey, colour.sum(dim=1, keepdim=True), atol=1e-6)
    other = TimmConfig(name="resnet18", image_px=96, weights=tmp_path / "timm.safetensors")
    with pytest.raises(
        InputError, match=r"of another network: [0-9]+ of [0-9]+ tensors are missing"
    ) as refused:
        build_model(other)
    assert len(str(refused.value).removeprefix(str(tmp_path))) < 200


def test_what_a_pickle_could_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(SimpleNamespace(a=torch.ones(2)), path)
    with pytest.raises(InputError, match=r"holds types\.SimpleNamespace beside tensors") as refused:
        read_pickled(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300
    damaged = (b"hello", b"", b"junk", b"X.", b"R(la0.", b"\x00\x01", b"jcbGtbt}}")
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"not a file of torch\.save, or damaged; save"):
            read_pickled(path)
    torch.save({"lr": 0.1}, path)
    with pytest.raises(InputError, match="holds no state_dict"):
        read_pickled(path)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"a": torch.eye(2).to_sparse()}, "a is sparse, quantised or empty"),
        ({"a": torch.empty(2, device="meta")}, "a is sparse, quantised or empty"),
        ({"a": torch.ones(2), "module.a": torch.zeros(2)}, "holds a twice, with and without 'module.'"),
    ],
)
def test_tensors_that_safetensors_cannot_hold_are_refused(
    held: dict[str, Tensor], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(held, tmp_path / "net.pth")
    assert (
        run_visavis("lab", "convert-weights", tmp_path / "net.pth", "--out", tmp_path / "o.safetensors") == 2
    )
    assert said in (told := capsys.readouterr().err)
    assert told.count("\n") == 1
    assert not (tmp_path / "o.safetensors").exists()


def test_a_pickle_of_another_kind_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.pkl").write_bytes(pickle.dumps({"a": SimpleNamespace()}, protocol=4))
    assert (
        run_visavis("lab", "convert-weights", tmp_path / "net.pkl", "--out", tmp_path / "o.safetensors") == 2
    )
    assert capsys.readouterr().err.count("\n") == 1


def test_weights_that_are_missing_or_not_finite_are_named(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    with pytest.raises(InputError, match=r"net\.safetensors: no such file; expected weights"):
        read_weights(path)
    for wrong in (torch.tensor([1.0, torch.nan]), torch.ones(2, dtype=torch.complex64)):
        save_file({"a": wrong}, path)
        with pytest.raises(InputError, match=r"net\.safetensors: a holds complex numbers, NaN or infinities"):
            read_weights(path)


def test_a_refusal_is_one_short_line() -> None:
    wide = nn.Sequential(*[nn.Linear(4, 4) for _ in range(200)])
    with pytest.raises(
        InputError, match=r"of 400 tensors, 398 missing \(0\.bias\), 1 of another shape"
    ) as refused:
        load_state(wide, {"0.weight": torch.ones(2, 2), "1.bias": torch.ones(4)}, Path("net.safetensors"))
    assert len(str(refused.value)) < 150
