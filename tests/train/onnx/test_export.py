import json
import logging
import random
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from support.quick_export import quick_export
from visavis.base.int8 import STORED_RUNS
from visavis.base.networks import metadata, session_of
from visavis.errors import InputError, WeightsError
from visavis.expression.classifier import ExpressionClassifier
from visavis_train.expression.models.graph import ExpressionGraph
from visavis_train.expression.models.heads import standardize
from visavis_train.expression.models.hybrid import HybridConfig, HybridNet
from visavis_train.expression.release import export_network
from visavis_train.onnx import export as exporting
from visavis_train.onnx.export import export_onnx, register
from visavis_train.onnx.storage import LARGE, widen

pytestmark = pytest.mark.usefixtures("as_users_export")

SMALL = HybridConfig(widths=(4, 8, 16), blocks=(1, 1), layers=1, heads=2)
ENTRY = {"licence": "l", "training_data": "d", "config": "c", "commit": "k", "score": {"accuracy": 0.5}}


@pytest.fixture(scope="module")
def network() -> HybridNet:
    torch.manual_seed(0)
    net = HybridNet(SMALL)
    net(torch.randn(32, 1, 48, 48))  # Batch statistics other than the initial ones.
    return net.eval()


@pytest.fixture(scope="module")
def file(network: HybridNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "expression.onnx"
    export_network(network, path)
    return path


@pytest.mark.parametrize("faces", [1, 5])
def test_torch_equals_onnx_at_any_batch_size(network: HybridNet, file: Path, faces: int) -> None:
    images = torch.randint(0, 256, (faces, 1, 48, 48), dtype=torch.uint8)
    with torch.no_grad():
        expected = ExpressionGraph(network)(images)
    found = ort.InferenceSession(file).run(None, {"images": images.numpy()})
    for want, got in zip(expected, found, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-5)
        np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-5)


def test_the_runtime_reads_the_file(file: Path) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (2, 48, 48), np.uint8)
    session = ort.InferenceSession(file)
    plain, mirrored = ExpressionClassifier(session), ExpressionClassifier(session, mirror=True)
    assert plain.predict(faces).shape == (2, 8)
    assert plain.predict_labels(faces).shape == (2, 7)
    assert not np.allclose(plain.predict(faces), plain.predict(faces[..., ::-1]), atol=1e-6)
    np.testing.assert_allclose(mirrored.predict(faces), mirrored.predict(faces[..., ::-1]), atol=1e-6)


def test_file_says_what_it_is_and_nothing_of_this_machine(file: Path) -> None:
    notes = metadata(ort.InferenceSession(file))
    assert [len(notes["expressions"]), len(notes["labels"])] == [8, 7]
    assert str(Path(exporting.__file__).parent).encode() not in file.read_bytes()


def test_a_differing_export_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "difference", lambda *_: 0.5)
    with pytest.raises(WeightsError, match=r"differs from torch by 0\.5"):
        export_onnx(
            torch.nn.Linear(2, 2), (torch.randn(2, 2),), tmp_path / "n", input_names="a", output_names="b"
        )
    assert not list(tmp_path.iterdir())


def test_weights_of_16_bits_are_half_as_large_and_widen_to_the_same_answers(
    network: HybridNet, file: Path, tmp_path: Path
) -> None:
    export_network(network, tmp_path / "half.onnx", half_weights=True)
    model, faces = onnx.load(tmp_path / "half.onnx"), torch.randint(0, 256, (5, 1, 48, 48)).byte().numpy()
    kinds = {tensor.data_type for tensor in model.graph.initializer if np.prod(tensor.dims) >= LARGE}
    assert kinds == {onnx.TensorProto.FLOAT16}
    halved = ort.InferenceSession(tmp_path / "half.onnx").run(None, {"images": faces})
    full = ort.InferenceSession(file).run(None, {"images": faces})
    assert widen(model)
    assert not widen(model)
    assert not any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer)
    wide = ort.InferenceSession(model.SerializeToString()).run(None, {"images": faces})
    for head in range(2):
        np.testing.assert_array_equal(wide[head], halved[head])
        np.testing.assert_allclose(halved[head], full[head], atol=5e-3)


@pytest.mark.parametrize("half", [False, True])
def test_dense_layers_of_8_bits_answer_alike_in_both_ways_and_widen(tmp_path: Path, half: bool) -> None:
    torch.manual_seed(0)
    layers = [torch.nn.Linear(256, 320), torch.nn.ReLU(), torch.nn.Linear(320, 250), torch.nn.Linear(250, 40)]
    net, file, inputs = torch.nn.Sequential(*layers), tmp_path / "d.onnx", (torch.randn(4, 256),)
    names = {"input_names": ["x"], "output_names": ["y"]}
    export_onnx(net, inputs, file, **names, tolerance=0.02, int8_dense=True, half_weights=half)
    model = onnx.load(file)
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert list(stored.values()).count(onnx.TensorProto.INT8) == 2  # The last layer has no whole blocks.
    feed = {"x": inputs[0].numpy()}
    slow, fast = (
        session_of(file.read_bytes(), "d", int8_weights=each).run(None, feed)[0] for each in (False, True)
    )
    assert widen(model)
    assert not any(tensor.data_type == onnx.TensorProto.INT8 for tensor in model.graph.initializer)
    wide = ort.InferenceSession(model.SerializeToString()).run(None, feed)[0]
    np.testing.assert_allclose(slow, wide, atol=1e-5)
    np.testing.assert_allclose(fast, wide, atol=0.03)
    with torch.no_grad():
        np.testing.assert_allclose(wide, net(inputs[0]), atol=0.02)
    if STORED_RUNS:
        assert np.abs(fast - slow).max() > 1e-5  # The sums were made in 8 bits.


def test_convolutions_of_8_bits_answer_alike_in_both_ways_and_widen(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 16, 3),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 8, 3),
    )
    file, images = tmp_path / "c.onnx", torch.rand(4, 3, 12, 12)
    names = {"input_names": ["x"], "output_names": ["y"]}
    feeds = [{"x": images.numpy()}]
    chosen = (["2.weight"], feeds)
    export_onnx(net, (images,), file, **names, tolerance=0.02, int8_dense=True, int8_convolutions=chosen)
    model = onnx.load(file)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    levels = onnx.numpy_helper.to_array(stored["2.weight_quantized"])
    assert np.abs(levels.astype(int)).max() == 64  # 7 bits: AVX2's sums of 16 bits cannot overflow.
    assert stored["0.weight"].data_type == stored["4.weight"].data_type == onnx.TensorProto.FLOAT
    [rounded] = [node for node in model.graph.node if node.op_type == "Conv" and node.input[1] == "2.weight"]
    # The range of a convolution's outputs begins after its ReLU.
    assert onnx.numpy_helper.to_array(stored[f"{rounded.output[0]}_zero_point"]) == 0
    slow, fast = (
        session_of(file.read_bytes(), "c", int8_weights=each).run(None, feeds[0])[0] for each in (False, True)
    )
    assert widen(model)
    assert not any(tensor.data_type == onnx.TensorProto.INT8 for tensor in model.graph.initializer)
    wide = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    with torch.no_grad():
        answers = net(images).numpy()
        weights = net[2].weight.numpy()
    np.testing.assert_allclose(wide["2.weight"], weights, atol=np.abs(weights).max() / 126 + 1e-6)
    np.testing.assert_allclose(slow, answers, atol=0.02)
    np.testing.assert_allclose(fast, slow, atol=0.01)
    again = ort.InferenceSession(model.SerializeToString()).run(None, feeds[0])[0]
    np.testing.assert_allclose(again, slow, atol=0.01)


def test_weights_of_other_quantisers_widen_with_their_zeros() -> None:
    levels, scales, zeros = np.array([[5, -7, 9]], np.int8), np.array([0.5, 1, 2], np.float32), [3, 0, -1]
    tensors = {"levels": levels, "scales": scales, "zeros": np.array(zeros, np.int8)}
    node = onnx.helper.make_node("DequantizeLinear", list(tensors), ["y"], axis=-1)
    answer = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 3])
    stored = [onnx.numpy_helper.from_array(value, name) for name, value in tensors.items()]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "weights", [], [answer], stored))
    assert widen(model)
    [wide] = model.graph.initializer
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(wide), [[1, -7, 20]])


@pytest.mark.skipif(not STORED_RUNS, reason="ONNX Runtime before 1.25 widens such layers")
@pytest.mark.parametrize("rows", [2, 3])
def test_8_bits_that_onnx_runtime_computes_wrongly_are_refused(tmp_path: Path, rows: int) -> None:
    # See findings/onnxruntime-8bit-inputs-forget-blocks.sh: the dense layer has two blocks.
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(3, 16, 3)
    net = torch.nn.Sequential(convolution, torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 640))
    images = torch.rand(rows, 3, 4, 4)
    chosen = (["0.weight"], [{"x": images.numpy()}])
    how = {"input_names": ["x"], "output_names": ["y"], "tolerance": 0.02}
    export_onnx(net, (images,), tmp_path / "dense.onnx", **how, int8_dense=True)
    export_onnx(net, (images,), tmp_path / "convolution.onnx", **how, int8_convolutions=chosen)
    with pytest.raises(WeightsError, match=r"differs from torch by|cannot run the exported network"):
        export_onnx(net, (images,), tmp_path / "n.onnx", **how, int8_dense=True, int8_convolutions=chosen)
    assert not (tmp_path / "n.onnx").exists()


def test_plain_networks_with_several_inputs(tmp_path: Path) -> None:
    bilinear = torch.nn.Bilinear(3, 4, 2)
    inputs = (torch.randn(2, 3), torch.randn(2, 4))
    names = {"input_names": ("a", "b"), "output_names": ("c",)}
    export_onnx(bilinear, inputs, tmp_path / "b.onnx", **names, metadata={"mean": [1, 2]})
    session = ort.InferenceSession(tmp_path / "b.onnx")
    assert [spec.name for spec in session.get_inputs()] == ["a", "b"]
    assert metadata(session) == {"parameters": 2 * 3 * 4 + 2, "mean": [1, 2]}


class Scaled(torch.nn.Module):
    """Answers with a learned number, too."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * self.scale, self.scale


def test_the_exporter_says_nothing_of_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = {"input_names": ["x"], "output_names": ["y", "scale"]}
    export_onnx(Scaled(), (torch.randn(2, 3),), tmp_path / "s.onnx", **names)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("side", [32, 40, 48])
def test_network_reads_smaller_pictures(network: HybridNet, side: int) -> None:
    expressions, labels = network(torch.randn(3, 1, side, side))
    assert expressions.shape == (3, 8)
    assert labels.shape == (3, 7)


def test_standardized_faces_have_no_light_of_their_own() -> None:
    faces = torch.rand(4, 1, 48, 48)
    found = standardize(faces)
    assert torch.allclose(found.mean(dim=(1, 2, 3)), torch.zeros(4), atol=1e-5)
    assert torch.allclose(found, standardize(faces * 0.5 + 0.2), atol=0.02)
    assert torch.isfinite(standardize(torch.ones(1, 1, 48, 48))).all()


def test_manifest_entries_describe_their_file(tmp_path: Path) -> None:
    manifest, file = tmp_path / "manifest.json", tmp_path / "net.onnx"
    for content in (b"first", b"second"):
        file.write_bytes(content)
        register(manifest, "net", file, ENTRY)
    register(manifest, "other", file, ENTRY)
    entries = json.loads(manifest.read_text())
    assert set(entries) == {"net", "other"}
    assert entries["net"]["size"] == 6
    assert entries["net"]["sha256"] == "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4"
    assert entries["net"]["score"] == {"accuracy": 0.5}


@pytest.mark.parametrize("entry", [{}, {**ENTRY, "colour": "red"}])
def test_bad_manifest_entries_are_refused(tmp_path: Path, entry: dict[str, object]) -> None:
    (tmp_path / "net.onnx").write_bytes(b"x")
    with pytest.raises(InputError, match="manifest entry 'net'"):
        register(tmp_path / "manifest.json", "net", tmp_path / "net.onnx", entry)
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # The exporter is an old one.
def test_a_module_that_is_loaded_meanwhile_may_draw_without_a_seed() -> None:
    class Draws(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            random.Random()
            return x + 1

    names = {"input_names": ["x"], "output_names": ["y"]}
    made = quick_export(Draws(), (torch.zeros(2),), dynamic_shapes=[None], opset_version=18, **names)
    assert [output.name for output in made.model_proto.graph.output] == ["y"]
