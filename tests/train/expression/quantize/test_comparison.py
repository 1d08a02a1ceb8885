"""Quantising: rounding that keeps the products, smaller files, equal answers."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from support import tiny_fer
from support.pictures import picture, write
from support.tiny_networks import labels_of, write_data, write_run
from visavis.base.clock import ManualClock
from visavis.base.networks import metadata, session_of
from visavis.datasets.registry import find_dataset
from visavis.errors import InputError, WeightsError
from visavis.expression.classifier import ExpressionClassifier
from visavis.types import ImageArray
from visavis_train.expression.quantize import int4
from visavis_train.expression.quantize.comparison import compare_candidates, compare_steps
from visavis_train.expression.quantize.inputs import input_products, inputs_of
from visavis_train.expression.quantize.methods import (
    METHODS,
    Candidate,
    calibration_faces,
    quantized,
    static_int8,
)
from visavis_train.expression.quantize.network import Network, Weight, large_weights
from visavis_train.expression.quantize.rounding import (
    best_scales,
    block_of,
    nf4_levels,
    round_matrix,
    round_nf4,
)
from visavis_train.onnx.storage import halve

pytestmark = pytest.mark.usefixtures("as_users_export")

# Dettmers et al. 2023, appendix E, to four places.
NF4 = """-1.0 -0.6962 -0.5251 -0.3949 -0.2844 -0.1848 -0.0910 0.0
    0.0796 0.1609 0.2461 0.3379 0.4407 0.5626 0.7230 1.0"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="module")
def network(run: Path) -> Network:
    return Network.load(run)


@pytest.fixture(scope="module")
def images() -> ImageArray:
    return tiny_fer.patterns(40, 5)[0]


@given(arrays(np.uint8, st.integers(1, 40).map(lambda n: 2 * n), elements=st.integers(0, 15)))
def test_packing_is_a_bijection(codes: np.ndarray) -> None:
    packed = int4.pack_codes(codes)
    assert packed.nbytes * 2 == codes.nbytes
    np.testing.assert_array_equal(np.concatenate([packed & 15, packed >> 4]), codes)


def test_nf4_has_the_published_levels_and_takes_the_nearest() -> None:
    np.testing.assert_allclose(nf4_levels(), [float(word) for word in NF4.split()], atol=5e-5)
    rows = np.random.default_rng(0).normal(size=(3, 24)).astype(np.float32)
    rows[0, :12] = 0
    rounded = round_nf4(rows, 12)
    steps = rounded.scales.astype(np.float32).repeat(12, axis=1)
    nearest = np.abs(rows[..., None] - steps[..., None] * nf4_levels()).min(axis=-1)
    np.testing.assert_allclose(np.abs(rounded.values - rows), nearest, atol=1e-6)
    largest = np.abs(rows.reshape(3, 2, 12)).max(axis=2)
    np.testing.assert_allclose(rounded.scales, largest, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("columns", "block"), [(216, 72), (576, 96), (160, 80), (96, 96), (7, 7), (97, 97)])
def test_blocks_divide_the_row(columns: int, block: int) -> None:
    assert block_of(columns, 96) == block
    assert columns % block == 0


@given(st.integers(0, 2**31))
def test_nearest_rounding_errs_by_half_a_step_where_nothing_is_clipped(seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(3, 24)).astype(np.float32)
    rounded = round_matrix(rows, np.eye(24), 12)
    assert (rounded.block, rounded.scales.shape) == (12, (3, 2))
    inside = (rounded.codes > 0) & (rounded.codes < 15)
    steps_of = np.abs(rounded.scales.astype(np.float32)).repeat(12, axis=1)
    assert (np.abs(rounded.values - rows)[inside] <= 0.5001 * steps_of[inside]).all()


def test_scales_are_better_than_the_widest_ones_and_survive_zeros() -> None:
    block = np.random.default_rng(0).standard_t(3, (50, 32)).astype(np.float32)

    def error(scales: np.ndarray) -> np.ndarray:
        wide = scales.astype(np.float32)[:, None]
        return ((np.clip(np.rint(block / wide), -8, 7) * wide - block) ** 2).sum(axis=1)

    widest = np.abs(block).max(axis=1) / 7
    assert error(best_scales(block, np.ones(32, np.float32))).mean() < 0.9 * error(widest).mean()
    assert (best_scales(np.zeros((2, 4), np.float32), np.ones(4, np.float32)) > 0).all()


def test_error_compensation_keeps_the_products_better_than_the_nearest_numbers() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 8)) @ rng.normal(size=(8, 32)) + 0.1 * rng.normal(size=(500, 32))
    rows = rng.normal(size=(16, 32)).astype(np.float32)
    nearest, compensated = (round_matrix(rows, products, 32).values for products in (np.eye(32), x.T @ x))
    errors = [np.square(x @ (rows - found).T).mean() for found in (nearest, compensated)]
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize(
    ("stride", "pads"), [((1, 1), (1, 1, 1, 1)), ((2, 2), (1, 1, 1, 1)), ((2, 1), (0, 0, 0, 0))]
)
def test_windows_are_what_a_convolution_multiplies(stride: tuple[int, int], pads: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 3, 6, 8)).astype(np.float32)
    kernel = rng.normal(size=(5, 3, 3, 3)).astype(np.float32)
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(image), torch.from_numpy(kernel), None, stride, pads[:2]
    )
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], strides=stride, pads=pads)
    found = inputs_of(Weight("w", node, kernel, True), image) @ kernel.reshape(5, -1).T
    np.testing.assert_allclose(found, expected.permute(0, 2, 3, 1).reshape(-1, 5), atol=1e-4)


def test_products_are_those_of_every_large_weight(network: Network, images: ImageArray) -> None:
    model = network.model()
    weights = large_weights(model)
    assert {weight.node.op_type for weight in weights} == {"Conv", "MatMul"}
    found = input_products(model, weights, network.feeds(images[:, None]))
    for weight in weights:
        products = found[weight.name]
        assert products.shape == (weight.rows.shape[1],) * 2
        np.testing.assert_allclose(products, products.T, rtol=1e-6)
        assert np.linalg.eigvalsh(products).min() > -1e-3 * np.trace(products)
        assert np.trace(products) > 0


@pytest.mark.parametrize("method", METHODS)
def test_files_shrink_and_answers_stay(method: str, network: Network, images: ImageArray) -> None:
    candidate = quantized(method, network, lambda: images[:, None])
    assert len(candidate.data) < 0.9 * len(network.data)
    expected, found = (
        np.log(classifier.predict_labels(images)) for classifier in (network.classifier(), candidate.open(1))
    )
    assert np.abs(found - expected).max() > 1e-6
    # What tells faces apart must stay; what all faces have in common would agree anyhow. Rounding every
    # matrix of random weights to 4 bits leaves about .9; another network would be near 0.
    assert np.corrcoef(*((v - v.mean(axis=0)).ravel() for v in (found, expected)))[0, 1] > 0.8
    notes = metadata(session_of(candidate.data, method))
    assert notes == {**metadata(session_of(network.data, "fp32")), "quantized": method}


@pytest.mark.parametrize("method", ["int4", "nf4"])
def test_4_bits_are_unpacked_once_when_they_are_loaded(
    method: str, network: Network, images: ImageArray, tmp_path: Path
) -> None:
    data = quantized(method, network, lambda: images[:, None]).data
    weights = sum(weight.values.nbytes for weight in large_weights(network.model()))
    assert len(data) - (len(network.data) - weights) < weights / 5.5
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    operators = {node.op_type for node in onnx.load(tmp_path / "loaded.onnx").graph.node}
    assert "BitShift" in {node.op_type for node in onnx.load_model_from_string(data).graph.node}
    assert not {"BitShift", "BitwiseAnd", "Split"} & operators


def test_calibration_sees_training_alone(network: Network, tmp_path: Path) -> None:
    data = find_dataset(write_data(tmp_path, network.data))
    found = calibration_faces(data, 48)
    assert (found.shape, found.dtype) == ((35, 1, 48, 48), np.uint8)
    assert {face.tobytes() for face in found} == {face.tobytes() for face in tiny_fer.patterns(35, 0)[0]}
    write(tmp_path / "faces" / "happy" / "1.png", picture(1, 48))
    with pytest.raises(InputError, match="faces: no split for training among all, and int8 and int4 calib"):
        calibration_faces(find_dataset(tmp_path / "faces"), 48)


def test_comparison_is_with_the_first_and_in_one_run(network: Network, tmp_path: Path) -> None:
    faces = find_dataset(write_data(tmp_path, network.data)).read("PublicTest")
    other = Network.load(write_run(tmp_path / "other", seed=3))
    candidates = [Candidate("fp32", network.data), Candidate("other", other.data)]
    ticks: list[int] = []
    rows = compare_candidates(
        faces, candidates, calls=3, clock=ManualClock(), on_step=lambda: ticks.append(1)
    )
    assert len(ticks) == compare_steps(len(faces), 2, 3)
    first, second = rows
    assert (first.name, first.accuracy, first.paired.difference) == ("fp32", 1.0, 0.0)
    images = tiny_fer.patterns(35, 1)[0]
    agreement = (labels_of(network.data, images).argmax(1) == labels_of(other.data, images).argmax(1)).mean()
    assert second.accuracy == pytest.approx(agreement)
    assert second.paired.difference == pytest.approx(agreement - 1)
    assert (second.size_bytes, second.latency[2].calls) == (len(other.data), 3)


def test_bad_networks_are_named(network: Network, images: ImageArray, tmp_path: Path) -> None:
    broken, small = tmp_path / "broken.onnx", tmp_path / "small.onnx"
    broken.write_bytes(network.data[:2000])
    with pytest.raises(WeightsError, match=r"broken\.onnx"):
        Network.load(broken)
    small.write_bytes(int4.packed(network, images[:, None]))
    with pytest.raises(InputError, match=r"small\.onnx: no weights of 4096 .* quantised already"):
        Network.load(small)
    small.write_bytes(static_int8(network, images[:, None], at_least=512))
    with pytest.raises(InputError, match=r"small\.onnx: .* quantised already"):
        Network.load(small)
    with pytest.raises(InputError, match=r"holds no expression\.onnx; expected an ONNX file, or the folder"):
        Network.load(tmp_path)


def test_weights_stored_in_16_bits_are_quantized_from_32(network: Network, tmp_path: Path) -> None:
    model = network.model()
    halve(model)
    (tmp_path / "half.onnx").write_bytes(model.SerializeToString())
    widened = Network.load(tmp_path / "half.onnx")
    assert len(widened.data) > 1.5 * (tmp_path / "half.onnx").stat().st_size
    assert [each.name for each in large_weights(widened.model())] == [
        each.name for each in large_weights(network.model())
    ]


def test_the_runtime_takes_quantized_files(network: Network, images: ImageArray) -> None:
    session = session_of(int4.packed(network, images[:, None]), "int4")
    assert ExpressionClassifier(session).predict(images[:1]).shape == (1, 8)
