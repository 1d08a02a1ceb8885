"""The mixture of the two heads for each weight, and a pack's figures."""

from __future__ import annotations

import numpy as np
import pytest

from visavis.types import FloatArray
from visavis_train.face.measure import OFFSETS, Answers, blended, channel_correlations, choose_blend

N, CHANNELS = 400, 52


def answers(weights: FloatArray, truth: FloatArray) -> Answers:
    return Answers(np.zeros((N, 146, 3), np.float32), weights, truth, np.zeros((N, 3, 3)), np.ones(N))


def noisy(weights: FloatArray, sigma: float, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.asarray(weights + rng.normal(0, sigma, weights.shape), np.float32)


def test_where_the_teacher_sees_two_heads_that_err_differently_share_the_weight() -> None:
    known = np.random.default_rng(0).uniform(0, 1, (N, CHANNELS)).astype(np.float32)
    real = answers(noisy(known, 0.2, 1)[:, :51], noisy(known, 0.2, 2))
    blend = choose_blend([(real, known)], (real, known))
    assert (blend.share[:51] > 0.2).all()
    assert (blend.share[:51] < 0.8).all()
    assert (blend.reliability[:51] > channel_correlations(real.weights, known)).all()
    assert blend.reliability.max() <= 1


def test_where_it_is_blind_the_truth_head_speaks_if_it_follows_the_truth_and_else_nobody() -> None:
    known = np.random.default_rng(0).uniform(0, 1, (N, CHANNELS)).astype(np.float32)
    blind = known.copy()
    blind[:, [5, 22]] = 0  # The teacher never moves these.
    truth = noisy(known, 0.1, 3).clip(0, 1)
    truth[:, 22] = np.random.default_rng(9).uniform(0, 1, N)
    found = answers(known[:, :51], truth)
    blend = choose_blend([(found, blind)], (found, known))
    assert (blend.share[5], blend.share[22]) == (1, -1)
    assert blend.reliability[22] == 0
    assert blend.offset[5] == min(OFFSETS)  # It moves on all these faces, where nobody should move it.
    assert blend.reliability[5] == pytest.approx(channel_correlations(truth, known)[5], abs=1e-5)


def test_a_clip_counts_only_for_what_moves_in_it() -> None:
    known = np.random.default_rng(0).uniform(0, 1, (N, CHANNELS)).astype(np.float32)
    other = noisy(known, 0.2, 1)
    real, still = answers(known[:, :51], other), known.copy()
    still[:, 7] = 0.4
    still_found = answers(noisy(known, 0.5, 2)[:, :51], other)
    blend = choose_blend([(real, known), (still_found, still)], (real, known))
    assert blend.reliability[7] == pytest.approx(1, abs=0.03)
    assert blend.reliability[8] < 0.94


def test_where_both_heads_agree_with_the_teacher_the_truth_decides() -> None:
    known = np.random.default_rng(0).uniform(0, 1, (N, CHANNELS)).astype(np.float32)
    true = answers(noisy(known, 2.0, 1)[:, :51], known)
    blend = choose_blend([(answers(known[:, :51], known), known)], (true, known))
    assert (blend.share[:51] > 0.9).all()


def test_a_rare_movement_that_both_heads_read_too_small_gets_an_offset_and_a_usual_one_does_not() -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(0, 1, (N, CHANNELS)).astype(np.float32)
    small = answers(0.12 * true[:, :51], 0.12 * true)
    usual = rng.uniform(0, 1, (N, CHANNELS)).astype(np.float32)
    rare = np.where(rng.random((N, CHANNELS)) < 0.05, usual, 0).astype(np.float32)
    known = np.where(np.arange(CHANNELS) < 26, rare, usual)
    blend = choose_blend([(answers(0.12 * known[:, :51], 0.12 * known), known)], (small, true))
    assert (blend.offset[:26] > 0.4).all()
    exact = choose_blend([(answers(usual[:, :51], usual), usual)], (answers(true[:, :51], true), true))
    assert (exact.offset == 0).all()


def test_what_the_teacher_cannot_read_is_read_larger_if_it_is_rare() -> None:
    known = np.random.default_rng(0).uniform(0, 1, (N, CHANNELS)).astype(np.float32)
    puffs = np.where(np.arange(N) % 200 == 0, 0.5, 0.005).astype(np.float32)
    real, labels = known.copy(), known.copy()
    real[:, 5], labels[:, 5] = puffs, 0
    blend = choose_blend([(answers(labels[:, :51], real), labels)], (answers(known[:, :51], known), known))
    assert blend.offset[5] == 1
    assert blended(answers(labels[:, :51], real), 1.0, 1.0, 1.0)[:, 5].max() > 0.7


def test_a_share_of_0_is_the_teachers_head_and_of_1_the_truth_head() -> None:
    rng = np.random.default_rng(0)
    found = answers(rng.random((N, 51)).astype(np.float32), rng.random((N, 52)).astype(np.float32))
    np.testing.assert_allclose(blended(found, 0, 1e6)[:, :51], found.weights, atol=1e-5)
    np.testing.assert_allclose(blended(found, 1, 1e6), found.truth, atol=1e-5)
    assert (blended(found, 0.5, 2.0, 1.0) > blended(found, 0.5, 2.0)).all()


def test_the_truth_head_is_believed_where_it_strongly_disagrees() -> None:
    teacher, truth = np.full((N, 51), 0.1, np.float32), np.full((N, 52), 0.1, np.float32)
    truth[:100], truth[100:200], truth[200:300] = 0.13, 0.9, 0.00001
    read = blended(answers(teacher, truth), 0.0, 2.0)[::100, 0]
    np.testing.assert_allclose(read[[0, 3]], 0.1, atol=1e-3)  # Nearly the teacher's answer, and exactly.
    assert read[1] > 0.8
    assert read[2] < 0.001
    halfway = blended(answers(teacher, np.full((N, 52), 1 / (1 + 9 / np.e**2), np.float32)), 0.0, 2.0)[0, 0]
    assert np.log(halfway / (1 - halfway)) == pytest.approx(np.log(1 / 9) + 1, abs=1e-3)


def test_a_channel_that_does_not_move_has_no_correlation() -> None:
    still = np.zeros((N, 52), np.float32)
    assert (
        channel_correlations(still, np.random.default_rng(0).random((N, 52)).astype(np.float32)) == 0
    ).all()
