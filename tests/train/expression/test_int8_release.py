"""What is embedded in 8 bits, and the network that tries whether 8 bits gain."""

import numpy as np
import onnx

from visavis.base import int8, networks
from visavis_train.expression.int8_release import EXPRESSION_WEIGHTS, trial_network


def test_the_halves_of_the_trial_answer_alike_and_apart() -> None:
    session = networks.session_of(trial_network(), "the trial")
    pictures = np.random.default_rng(1).random((2, *session.get_inputs()[0].shape[1:]), np.float32)
    slow, fast = session.run(None, dict.fromkeys(int8.BRANCHES, pictures))
    assert np.corrcoef(slow.ravel(), fast.ravel())[0, 1] < 0.9  # Other random weights.
    for left_out, branch in enumerate(int8.BRANCHES):
        feed = {each: pictures[: 0 if each == branch else 2] for each in int8.BRANCHES}
        answers = session.run(None, feed)
        assert len(answers[left_out]) == 0
        np.testing.assert_allclose(answers[1 - left_out], (slow, fast)[1 - left_out], atol=1e-5)


def test_only_large_convolutions_are_embedded_in_8_bits() -> None:
    graph = onnx.load_model_from_string(networks.read("expression" + int8.SUFFIX)).graph
    weights = [
        int(np.prod(each.dims))
        for each in graph.initializer
        if each.data_type == onnx.TensorProto.INT8 and len(each.dims) == 4
    ]
    assert len(weights) == 7
    assert min(weights) >= EXPRESSION_WEIGHTS
