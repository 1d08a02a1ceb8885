"""The sparse recogniser: the effect of its keep rate on tokens, costs, answers and weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from pydantic import ValidationError

from visavis.errors import InputError
from visavis_train.expression.config import Experiment
from visavis_train.expression.models.cost import cost, transformer_macs
from visavis_train.expression.models.graph import ExpressionGraph
from visavis_train.expression.models.learned import LEARNED, draw
from visavis_train.expression.models.pruning import PruningConfig
from visavis_train.expression.models.sparse import SparseConfig, SparseNet
from visavis_train.expression.release import export_network
from visavis_train.loop.experiment import load_experiment

METHODS = ("cls", "random", "tome", "learned")
BEFORE = {"queries": "kept", "keys": "kept", "fused_token": "none"}
SMALL: dict[str, Any] = {"image_px": 16, "stem": (4, 8), "width": 16, "layers": 3, "heads": 2}
PUBLISHED = Path(__file__).parents[4] / "experiments" / "fer_sparse.toml"


def config(pruning: dict[str, Any] | None = None, **changes: Any) -> SparseConfig:
    return SparseConfig.model_validate(SMALL | changes | {"pruning": pruning or {}})


def build(pruning: dict[str, Any] | None = None, **changes: Any) -> SparseNet:
    torch.manual_seed(0)
    return SparseNet(config(pruning, **changes)).eval()


def faces(count: int = 2, side_px: int = 16) -> torch.Tensor:
    return torch.randn(count, 1, side_px, side_px, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("method", [*METHODS, "none"])
def test_keep_rate_1_is_the_network_without_pruning(method: str) -> None:
    plain, same = build(), build({"method": method, "layers": [0, 1], "keep_rate": 1.0})
    assert torch.equal(plain(faces())[0], same(faces())[0])
    kept = build({"method": "none", "keep_rate": 0.2})
    assert torch.equal(plain(faces())[1], kept(faces())[1])


@pytest.mark.parametrize("method", METHODS)
def test_all_keep_rates_share_one_set_of_weights(method: str) -> None:
    dense, sparse = build(), build({"method": method, "keep_rate": 0.3})
    new = sparse.load_state_dict(dense.state_dict(), strict=False).missing_keys
    assert all(LEARNED in key for key in new)
    assert bool(new) == (method == "learned")
    assert not torch.allclose(dense(faces())[0], sparse(faces())[0], atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "how", [{"keep_rate": 0.3}, {"keep_rate": [0.5, 0.4], "layers": [0, 2], "queries": "kept"}]
)
def test_counts_are_what_the_layers_get(method: str, how: dict[str, Any]) -> None:
    pruning = {"method": method, **how}
    network, wanted = build(pruning), config(pruning).counts()
    tokens = network.tokens(faces())
    for layer, counts in zip(network.layers, wanted, strict=True):
        assert tokens.shape[1] == counts.answering
        tokens = layer(tokens)
        assert tokens.shape[1] == counts.left


def test_counts_where_removed_tokens_are_no_keys() -> None:
    assert config({"keep_rate": 0.3, **BEFORE}).counts() == [(6, 6, 6)] * 3  # CLS and 5 of 16, at once.


@pytest.mark.parametrize("method", ["cls", "random", "learned"])
def test_nothing_of_tokens_removed_before_attention_is_left(method: str) -> None:
    for how, equal in ((BEFORE, True), ({"queries": "kept", "fused_token": "none"}, False)):
        network = build({"method": method, "keep_rate": 0.3, **how})
        tokens = network.tokens(faces(1))
        answer, [kept] = network.read(tokens)
        alone = tokens[:, [0, *(1 + kept[0]).tolist()]]
        first, *others = network.layers
        alone = first.ask_all(alone, *first.attention.look(first.norm1(alone)))
        for layer in others:
            alone = layer(alone)
        assert torch.allclose(answer, network.norm(alone[:, 0]), atol=1e-5) == equal


@pytest.mark.parametrize(
    "how", [{"queries": "all"}, {"queries": "kept"}, {"queries": "kept", "keys": "kept"}]
)
def test_a_token_that_a_draw_leaves_out_has_no_effect_like_a_removed_one(how: dict[str, Any]) -> None:
    network = build({"method": "learned", "keep_rate": [0.5, 0.5], "layers": [0, 2], **how}, drop_path=0.0)
    tokens = network.tokens(faces())
    wanted, chosen = network.read(tokens)
    # With certain scores, training draws the very tokens that are kept afterwards.
    network.train()
    for layer, cells in zip((network.layers[0], network.layers[2]), chosen, strict=True):
        sure = torch.full((2, 16), -1e4).scatter(1, cells, 1e4)
        layer.scores.forward = lambda x, sizes, sure=sure: sure
    torch.testing.assert_close(network.read(tokens)[0], wanted, atol=1e-4, rtol=1e-3)
    assert network.penalty() == 0  # 8 of 16, then 4 of 8.
    assert network.penalty() is None


def test_scores_learn_from_the_answer_through_the_draw() -> None:
    network = build({"method": "learned", "keep_rate": 0.25, "ratio_weight": 3.0}).train()
    network(faces(8))[0].square().mean().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in network.layers[0].scores.parameters())
    error = network.layers[0].error
    assert error is not None
    assert network.penalty() == 3 * error


@pytest.mark.parametrize("rate", [0.25, 0.6])
def test_the_penalty_brings_the_share_of_kept_tokens_to_the_keep_rate(rate: float) -> None:
    torch.manual_seed(0)
    score = torch.ones((), requires_grad=True)  # Keeps 73%.
    optimizer = torch.optim.Adam([score], 0.05)
    for _ in range(150):
        optimizer.zero_grad()
        draw(score.expand(8, 400), None, rate).error.backward()
        optimizer.step()
    assert score.sigmoid().item() == pytest.approx(rate, abs=0.02)
    assert (draw(score.expand(8, 400), None, rate).sizes > 0.5).float().mean() == pytest.approx(
        rate, abs=0.05
    )


def test_what_a_draw_left_out_stays_out() -> None:
    sizes = torch.tensor([[1.0, 1.0, 1e-6, 1.0, 1e-6]])
    drawn = draw(torch.tensor([[1e4, 1e4, -1e4, -1e4]]), sizes, 0.5)
    assert (drawn.sizes > 0.5).tolist() == [[True, True, False, False, False]]
    assert drawn.error == 0  # One of the two that were left.


def test_the_order_of_tokens_makes_no_difference() -> None:
    network = build({"keep_rate": [0.5, 0.5], "layers": [0, 1]})
    tokens = network.tokens(faces())
    shuffled = tokens[:, [0, *(1 + torch.randperm(16)).tolist()]]
    torch.testing.assert_close(network.read(tokens)[0], network.read(shuffled)[0], atol=1e-5, rtol=1e-4)


def test_it_says_which_cells_it_keeps() -> None:
    network = build({"keep_rate": [0.5, 0.5], "layers": [0, 2]})
    tokens = network.tokens(faces())
    first, second = network.read(tokens)[1]
    assert (first.shape, second.shape) == ((2, 8), (2, 5))  # Of 8 cells and the fused token, 5.
    for face in range(2):
        assert set(second[face].tolist()) <= {-1, *first[face].tolist()}
        assert first[face].min() >= 0
    assert build({"keep_rate": 0.5, "method": "tome"}).read(tokens)[1] == []


@pytest.mark.parametrize("method", ["cls", "random"])
def test_those_that_are_kept_get_the_same_answer_whoever_else_asks(method: str) -> None:
    how = {"method": method, "keep_rate": 0.4, "fused_token": "none"}
    after, first = build(how), build({**how, "queries": "kept"})
    tokens = after.tokens(faces())
    torch.testing.assert_close(after.layers[0](tokens), first.layers[0](tokens), atol=1e-5, rtol=1e-4)
    assert torch.equal(after.read(tokens)[1][0], first.read(tokens)[1][0])
    whole = build({**how, "keep_rate": 0.999, "queries": "kept", "fused_token": "sum"})  # All 16 of 16.
    assert torch.equal(whole.read(tokens)[0], build().read(tokens)[0])
    assert whole.read(tokens)[1] == []


def test_random_tokens_are_drawn_anew_in_training_and_never_afterwards() -> None:
    network = build({"method": "random", "keep_rate": 0.3})
    tokens = network.tokens(faces(8))
    still = [network.read(tokens)[1][0] for _ in range(2)]
    assert torch.equal(*still)
    assert (still[0] == still[0][0]).all()
    network.train()
    drawn = network.read(tokens)[1][0]
    assert len({tuple(sorted(row)) for row in drawn.tolist()}) > 4


@pytest.mark.parametrize(
    "how",
    [
        {"method": "cls"},
        {"method": "cls", **BEFORE, "fused_token": "sum"},
        {"method": "random"},
        {"method": "tome"},
        {"method": "learned", "queries": "kept"},
    ],
    ids=lambda how: "-".join(how.values()),
)
def test_tokens_are_really_removed_in_onnx_at_any_batch_size(
    how: dict[str, Any],
    tmp_path: Path,
    exports: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if how["method"] == "tome":
        monkeypatch.setattr(torch.onnx, "export", exports)  # As users export.
    network = build({**how, "keep_rate": 0.3}, image_px=48, blocks=(0, 0), layers=2)
    export_network(network, tmp_path / "net.onnx")
    pictures = torch.randint(0, 256, (5, 1, 48, 48), dtype=torch.uint8)
    with torch.no_grad():
        wanted = ExpressionGraph(network)(pictures)
    session = ort.InferenceSession(tmp_path / "net.onnx")
    for count in (1, 5):
        found = session.run(None, {"images": pictures[:count].numpy()})
        for one, other in zip(wanted, found, strict=True):
            np.testing.assert_allclose(one[:count], other, atol=1e-5)


def test_equation_4_to_the_letter() -> None:
    for tokens, width in ((50, 512), (145, 96)):
        assert transformer_macs([(tokens,) * 3], width) == 12 * tokens * width**2 + 2 * tokens**2 * width


def test_equation_4_is_what_torch_counts() -> None:
    two, three = config(layers=2), config(layers=3)
    counted = cost(SparseNet(three), 16).macs - cost(SparseNet(two), 16).macs
    assert counted == three.macs_equation_4() - two.macs_equation_4()
    sparse = config({"keep_rate": 0.3})
    saved = cost(SparseNet(three), 16).macs - cost(SparseNet(sparse), 16).macs
    scoring = (17 + 16) * 16  # The CLS row and the fused token, which Eq. 4 leaves out.
    assert saved == three.macs_equation_4() - sparse.macs_equation_4() - scoring
    first = config({"keep_rate": 0.3, "queries": "kept"})
    more = cost(SparseNet(sparse), 16).macs - cost(SparseNet(first), 16).macs
    assert more == sparse.macs_equation_4() - first.macs_equation_4() - 16**2  # CLS asks once more.


def test_the_published_network_saves_60_percent_at_keep_rate_03() -> None:
    dense = load_experiment(PUBLISHED, Experiment).model
    assert isinstance(dense, SparseConfig)
    sparse = dense.model_copy(update={"pruning": PruningConfig(keep_rate=0.3)})
    before, after = (cost(SparseNet(each), 48) for each in (dense, sparse))
    assert before.macs == pytest.approx(97e6, rel=0.01)
    assert after.macs < 0.4 * before.macs
    assert after.parameters == before.parameters == pytest.approx(0.51e6, rel=0.01)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pruning": {"layers": [3]}}, "pruning.layers holds layer 3; the network has 3: expected 0 to 2"),
        ({"pruning": {"keep_rate": 2}}, "keep_rate is 2; expected above 0 and at most 1"),
        ({"heads": 3}, "width 16 is no multiple of heads, 3"),
        ({"stem": (0, 4)}, r"stem \[0, 4\] must be 1 or more"),
        ({"blocks": (0, -1)}, r"blocks \[0, -1\] 0 or more"),
        ({"image_px": 18}, "multiple of 4"),
    ],
)
def test_what_cannot_be_built_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SparseConfig.model_validate(SMALL | values)


@pytest.mark.parametrize(("height", "width"), [(18, 18), (16, 20)])
def test_pictures_of_another_size_are_refused(height: int, width: int) -> None:
    with pytest.raises(InputError, match=f"a picture of {height}x{width} px; expected a square"):
        build()(torch.zeros(1, 1, height, width))
