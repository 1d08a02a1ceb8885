"""Recognisers by name, and the recognition of networks by their inputs and outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import tiny_sparse
from visavis.base import networks
from visavis.errors import InputError, WeightsError
from visavis.expression.classifier import ExpressionClassifier
from visavis.expression.registry import classifier_of, network_file, network_of, open_classifier
from visavis.expression.sparse import SparseClassifier


def test_a_name_opens_its_network(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_sparse.embed(monkeypatch)
    assert type(open_classifier()) is type(open_classifier("dense")) is ExpressionClassifier
    found = open_classifier("sparse", 0.5)
    assert isinstance(found, SparseClassifier)
    assert found.keep == 0.5


def test_recognisers_of_one_file_share_its_network(tmp_path: Path) -> None:
    file = tmp_path / "own.onnx"
    file.write_bytes(networks.read("expression"))
    one, other = (open_classifier(str(file)) for _ in range(2))
    assert one is not other
    assert one._network is other._network


def test_a_network_is_told_by_its_inputs_and_outputs() -> None:
    sparse = networks.session_of(tiny_sparse.network(), "the tiny network")
    found = classifier_of(sparse, 0.5, mirror=True)
    assert isinstance(found, SparseClassifier)
    assert (found.keep, found.mirror) == (0.5, True)
    plain = classifier_of(networks.open_session("expression"), mirror=True)
    assert (type(plain), plain.mirror) == (ExpressionClassifier, True)


def test_other_names_are_refused() -> None:
    with pytest.raises(
        InputError, match="no recogniser is called 'hybrid'; there are dense, sparse, files NET"
    ):
        network_of("hybrid")


def test_a_network_that_keeps_all_tokens_takes_no_keep_rate() -> None:
    with pytest.raises(InputError, match="this one keeps all: choose sparse"):
        open_classifier("dense", 0.3)


def test_a_missing_network_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "_OPENED", {})  # Others have opened it in this process.
    monkeypatch.setattr(networks, "manifest", dict)
    with pytest.raises(WeightsError, match="no embedded network is called 'expression_sparse'"):
        open_classifier("sparse")


@pytest.mark.parametrize(
    ("config", "advice"),
    [
        (None, "expected an ONNX file, or the folder of an expression run"),
        ('{"task": "expression"}', r"run  visavis export .*run --out .*run/expression\.onnx$"),
        ("{}", r"run  visavis export .*run --out .*run/expression\.onnx$"),
        (
            '{"task": "listener"}',
            r"visavis react TRACK\.npz --out REACTIONS\.npz --listener .*listener\.onnx$",
        ),
        ('{"task": "voice"}', r"visavis evaluate voices RAVDESS --voice .*run/voice\.onnx$"),
        ('{"task": "tokenizer"}', "a run of the task tokenizer makes no recogniser$"),
    ],
)
def test_a_folder_without_a_recogniser_gets_advice_for_its_task(
    config: str | None, advice: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    if config is not None:
        (run / "config.json").write_text(config)
    with pytest.raises(InputError, match=rf"run: is a folder, .* holds no expression\.onnx; .*{advice}"):
        network_file(run)
