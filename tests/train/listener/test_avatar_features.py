"""FRRea of drawn listeners: a feature network of the user's, and what it must be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from support import tiny_listener, tiny_listening
from support.research import run_visavis
from visavis.base.npz import read_npz
from visavis.channels import FACE_CHANNELS
from visavis.errors import WeightsError
from visavis_train.data.conversation_pack import save_listening
from visavis_train.listener.avatar_features import EVERY_FRAMES, AvatarFeatures
from visavis_train.listener.scores import write_predictions


def network(
    path: Path, shape: tuple[int | str, ...] = ("N", 3, 64, 64), keep: int = 1, axes: Sequence[int] = (2, 3)
) -> Path:
    """Its features are the mean colours of the picture, from 0 to 1."""
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=list(axes), keepdims=keep)]
    ends = [
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "colours", *ends), opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    onnx.save(model, path)
    return path


def faces(frames: int, mouth: float) -> np.ndarray:
    rows = np.zeros((frames, len(FACE_CHANNELS)), np.float32)
    rows[:, FACE_CHANNELS.index("jawOpen")] = mouth
    return rows


def test_every_thirtieth_known_frame_is_drawn(tmp_path: Path) -> None:
    features = AvatarFeatures(network(tmp_path / "f.onnx", ("N", 3, "H", "W"), keep=0))
    still = faces(3 * EVERY_FRAMES + 1, 0)
    still[EVERY_FRAMES] = np.nan
    found = features.of(still, still[0])
    assert found.shape == (3, 3)
    assert (found == found[0]).all()
    assert 0.3 < found.min() < found.max() < 1
    assert features.of(np.full_like(still, np.nan), still[0]).shape == (0, 3)
    assert np.abs(features.of(faces(1, 0.9), still[0]) - found[0]).max() > 0.001


def test_predictions_hold_features_that_the_metric_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("numba")
    save_listening(tmp_path / "test.npz", tiny_listening.pack("test", frames=120))
    out = tmp_path / "R.npz"
    listener = tiny_listener.listener(tmp_path)
    colours = network(tmp_path / "colours.onnx")
    write_predictions(out, tmp_path / "test.npz", listener, samples=2, seed=0, network=colours)
    held = read_npz(out, "file of predictions")
    clips, samples = held["predictions"].shape[:2]
    assert held["real_features"].shape == (4 * clips, 3)
    assert held["fake_features"].shape == (4 * clips * samples, 3)
    assert run_visavis("evaluate", "reaction", str(out), "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["fr_rea"] > 0
    assert "FRRea is of drawn listeners, colours.onnx: compare it only" in told.err


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (("N", 1, 64, 64), r"found x \['N', 1, 64, 64\]; a network of features takes floats \(1, 3, H, W\)"),
        ((8, 3, 64, 64), r"found x \[8, 3, 64, 64\]"),
        (("N", 3, 64, 64, 1), r"found x \['N', 3, 64, 64, 1\]"),
    ],
)
def test_networks_of_other_inputs_are_refused(
    tmp_path: Path, shape: tuple[int | str, ...], message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        AvatarFeatures(network(tmp_path / "f.onnx", shape))


def test_a_network_of_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"output is \(1, 3, 1, 64\); a network of features gives \(1, F\)"
    ):
        AvatarFeatures(network(tmp_path / "f.onnx", axes=[2]))


def test_features_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = onnx.load(network(tmp_path / "f.onnx"))
    # The logarithm of a number below 0 is NaN, and of black infinite.
    model.graph.node[0].output[0] = "means"
    model.graph.node.extend(
        [helper.make_node("Neg", ["means"], ["below"]), helper.make_node("Log", ["below"], ["y"])]
    )
    onnx.save(model, tmp_path / "f.onnx")
    with pytest.raises(WeightsError, match=r"f\.onnx: its features hold NaN or infinities; take another"):
        AvatarFeatures(tmp_path / "f.onnx")
