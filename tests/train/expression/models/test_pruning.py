"""The choice of kept tokens: laws of pruning and merging, and refusals."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn

from visavis_train.expression.models.merging import Merged, merge
from visavis_train.expression.models.pruning import (
    PruningConfig,
    best,
    cls_attention,
    count_kept,
    fused_token,
    gather,
    take_tokens,
)


def some(tokens: int = 11, faces: int = 3, width: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Tokens (N, T, D) and scores (N, T - 1) as attention gives them: positive, less than 1 in all."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(faces, tokens, generator=generator).softmax(dim=1)
    return torch.randn(faces, tokens, width, generator=generator), drawn[:, 1:]


@given(tokens=st.integers(1, 400), hundredths=st.integers(1, 100))
def test_the_count_is_the_rate_of_the_others_rounded_up(tokens: int, hundredths: int) -> None:
    assert count_kept(tokens, hundredths / 100) == -(-hundredths * tokens // 100)


@given(tokens=st.integers(3, 30), rate=st.floats(0.01, 1.0), seed=st.integers(0, 5))
def test_the_kept_are_the_best_and_cls_stays_first(tokens: int, rate: float, seed: int) -> None:
    values, scores = some(tokens, seed=seed)
    count = count_kept(tokens - 1, rate)
    best_ones = best(scores, count)
    left = take_tokens(values, scores, best_ones, "none")
    assert left.shape == (3, 1 + count, 4)
    assert torch.equal(left[:, 0], values[:, 0])
    for face in range(3):
        kept = set(best_ones[face].tolist())
        assert len(kept) == count
        removed = [float(score) for place, score in enumerate(scores[face]) if place not in kept]
        assert max(removed, default=-1.0) <= min(float(scores[face, place]) for place in kept)
        for place, token in zip(best_ones[face], left[face, 1:], strict=True):
            assert torch.equal(token, values[face, 1 + place])


def test_the_fused_token_is_the_weighted_sum_of_the_removed() -> None:
    tokens, scores = some()
    kept = best(scores, 3)
    left = take_tokens(tokens, scores, kept, "sum")
    assert left.shape[1] == 1 + 3 + 1
    plain = take_tokens(tokens, scores, kept, "mean")[:, -1]
    for face in range(3):
        removed = [place for place in range(10) if place not in kept[face].tolist()]
        wanted = sum(scores[face, place] * tokens[face, 1 + place] for place in removed)
        weight = sum(scores[face, place] for place in removed)
        torch.testing.assert_close(left[face, -1], wanted)
        torch.testing.assert_close(plain[face], wanted / weight)


def test_the_normalized_fused_token_of_equals_is_one_of_them() -> None:
    scores = some()[1]
    same = torch.ones(3, 11, 4)
    token = fused_token(same, scores, best(scores, 4), mean=True)
    torch.testing.assert_close(token, torch.ones(3, 1, 4))


def test_all_heads_count_alike_in_the_attention_of_cls() -> None:
    generator = torch.Generator().manual_seed(1)
    queries, keys = (torch.randn(2, 3, 6, 8, generator=generator) for _ in range(2))
    scores = cls_attention(queries, keys)
    heads = [(queries[:, h] @ keys[:, h].transpose(1, 2) / math.sqrt(8)).softmax(-1)[:, 0] for h in range(3)]
    torch.testing.assert_close(scores, torch.stack(heads).mean(dim=0)[:, 1:])
    assert (scores.sum(dim=1) < 1).all()  # The rest is what CLS gives to itself.


def test_the_order_of_kept_tokens_makes_no_difference_to_attention() -> None:
    tokens, scores = some()
    kept = best(scores, 5)
    attention = nn.MultiheadAttention(4, 2, batch_first=True).eval()

    def read(chosen: Tensor) -> Tensor:
        left = torch.cat([gather(tokens, chosen), fused_token(tokens, scores, chosen)], dim=1)
        answer: Tensor = attention(left, left, left)[0][:, 0]
        return answer

    torch.testing.assert_close(read(kept), read(kept.flip(1)))


def test_gradients_reach_the_kept_tokens_the_fused_ones_and_the_scores() -> None:
    tokens, scores = (part.requires_grad_() for part in some())
    take_tokens(tokens, scores, best(scores, 3), "sum").square().sum().backward()
    assert tokens.grad is not None
    assert scores.grad is not None
    assert (tokens.grad.abs().sum(dim=2) > 0).all()
    assert (scores.grad != 0).sum(dim=1).tolist() == [7, 7, 7]  # Those of the removed weigh the fused token.


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"keep_rate": 0}, "keep_rate is 0; expected above 0 and at most 1"),
        ({"keep_rate": 1.5}, "keep_rate is 1.5; expected above 0 and at most 1"),
        ({"keep_rate": [0.5, -0.1], "layers": [0, 1]}, "keep_rate is -0.1; expected"),
        ({"keep_rate": float("nan")}, "keep_rate is nan; expected"),
        ({"keep_rate": [0.5, 0.5]}, "keep_rate lists 2 rates for 1 layers"),
        ({"layers": [1, 0]}, r"layers is \[1, 0\]; expected layers from 0, rising"),
        ({"layers": [0, 0]}, r"layers is \[0, 0\]; expected"),
        ({"layers": [-1]}, r"layers is \[-1\]; expected"),
        ({"method": "magic"}, "'cls', 'random', 'tome', 'learned' or 'none'"),
    ],
)
def test_what_cannot_be_pruned_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PruningConfig.model_validate(values)


def test_the_counts_of_the_paper_keep_rates() -> None:
    # 49 tokens, three layers: 5, 1, 1.
    published = PruningConfig(keep_rate=0.1, layers=(0, 1, 2), fused_token="none")
    assert [each.left - 1 for each in published.counts(50, 3)] == [5, 1, 1]
    with_fused = PruningConfig(keep_rate=(0.5, 0.5), layers=(0, 2))
    assert with_fused.counts(11, 4) == [(11, 11, 7), (7, 7, 7), (7, 7, 5), (5, 5, 5)]
    first = with_fused.model_copy(update={"queries": "kept"})
    assert first.counts(11, 3) == [(11, 7, 7), (7, 7, 7), (7, 5, 5)]
    assert PruningConfig(keep_rate=0.3, method="tome").counts(11, 1) == [(11, 11, 4)]
    assert PruningConfig(keep_rate=0.3, method="none").counts(11, 1) == [(11, 11, 11)]


def start(tokens: Tensor) -> Merged:
    return Merged(tokens, torch.ones(tokens.shape[:2]), tokens)


@given(tokens=st.integers(2, 24), count=st.integers(1, 23), seed=st.integers(0, 5))
def test_merging_loses_nothing_but_who_was_who(tokens: int, count: int, seed: int) -> None:
    values = some(1 + tokens, seed=seed)[0]
    left = merge(start(values), min(count, tokens))
    assert left.tokens.shape == (3, 1 + min(count, tokens), 4)
    torch.testing.assert_close(left.sizes.sum(dim=1), torch.full((3,), 1.0 + tokens))
    total = (left.tokens * left.sizes[:, :, None]).sum(dim=1)
    torch.testing.assert_close(total, values.sum(dim=1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(left.tokens[:, 0], values[:, 0])


def test_the_most_alike_are_merged() -> None:
    values = torch.eye(6)[None].clone()
    values[0, 4] = values[0, 1] + 0.01  # Tokens 1 and 4 are on different sides of the matching.
    left = merge(start(values), 4)
    assert sorted(left.sizes[0].tolist()) == [1, 1, 1, 1, 2]
    merged = left.tokens[0, int(left.sizes[0].argmax())]
    torch.testing.assert_close(merged, (values[0, 1] + values[0, 4]) / 2)
