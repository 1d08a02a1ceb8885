"""The metrics of reaction: laws, a slow reference, results of the official functions, and bad input."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.slow_reaction import (
    corpus,
    slow_ccc,
    slow_correlations,
    slow_distance,
    slow_dtw,
    slow_lag,
    slow_pairs,
    walk,
)
from visavis.errors import InputError
from visavis.metrics import reaction_kernels
from visavis.metrics.checked_items import OutOfRange, Work
from visavis.metrics.item_scores import channel_correlations_by_lag, concordance, dtw
from visavis.metrics.reaction import (
    fr_corr,
    fr_corr_repaired,
    fr_dist,
    fr_dist_repaired,
    fr_div,
    fr_dvs,
    fr_rea,
    fr_syn,
    fr_syn_repaired,
    fr_var,
    neighbour_matrix,
)
from visavis.metrics.reaction_suite import score_reactions

# Kernels are compiled when first used, which takes longer than hypothesis allows an example.
PATIENT = settings(deadline=None, max_examples=25)
SEEDS = st.integers(0, 2**32 - 1)
NAMES = {
    "FRC_mp": "fr_corr",
    "FRD_mp": "fr_dist",
    "FRDiv_s_mse": "fr_div",
    "FRVar": "fr_var",
    "FRDvs": "fr_dvs",
    "TLCC_mp_first_pred_only": "fr_syn",
}


@PATIENT
@given(SEEDS, st.integers(1, 200), st.integers(1, 200), st.sampled_from([2, 15]))
@pytest.mark.slow
def test_warping_is_symmetric_and_zero_on_itself(seed: int, frames: int, others: int, channels: int) -> None:
    x, y = walk(seed, frames, channels), walk(seed + 1, others, channels)
    assert dtw(x, x) == 0
    assert dtw(x, y) == pytest.approx(dtw(y, x), rel=1e-5)
    assert dtw(np.repeat(x, 3, axis=0), x) == 0


@PATIENT
@given(SEEDS, st.sampled_from([(1, 1), (1, 70), (63, 64), (64, 65), (65, 63), (128, 30), (131, 129)]))
@pytest.mark.slow
def test_warping_equals_the_slow_one(seed: int, frames: tuple[int, int]) -> None:
    x, y = walk(seed, frames[0], 8), walk(seed + 1, frames[1], 8)
    assert dtw(x, y) == pytest.approx(slow_dtw(x, y), rel=1e-5)


@given(SEEDS, st.floats(-2, 2), st.floats(-3, 3))
def test_concordance_lies_between_its_bounds_and_ignores_order(seed: int, gain: float, shift: float) -> None:
    x, y = walk(seed, 2, 30, 4), (gain * walk(seed, 3, 30, 4) + shift).astype(np.float32)
    order = np.random.default_rng(seed).permutation(30)
    for repaired in (False, True):
        found = concordance(x, y, repaired=repaired)
        assert (np.abs(found) <= 1 + 1e-12).all()
        assert concordance(x[:, order], y[:, order], repaired=repaired) == pytest.approx(found, abs=1e-9)
        other_way = concordance(y, x, repaired=repaired)
        assert other_way == pytest.approx(found.T, abs=1e-12)


@given(SEEDS)
def test_concordance_equals_the_slow_one(seed: int) -> None:
    x, y = walk(seed, 2, 40, 5), walk(seed + 1, 3, 40, 5)
    x[0, :, 1], y[2, :, 2] = 0.1, 0.7
    slow = [[slow_ccc(a, b) for b in y] for a in x]
    assert concordance(x, y) == pytest.approx(np.asarray(slow), abs=1e-9)


def test_equal_constant_channels_agree_only_when_repaired() -> None:
    x = walk(0, 1, 40, 4)
    x[..., 1] = 0.5
    y = x.copy()
    y[..., 1] = 0.6
    assert concordance(x, x)[0, 0] == pytest.approx(0.75, abs=1e-6)
    assert concordance(x, x, repaired=True)[0, 0] == pytest.approx(1)
    assert concordance(x, y, repaired=True)[0, 0] == pytest.approx(0.75, abs=1e-5)


@PATIENT
@given(SEEDS, st.integers(51, 80))
@pytest.mark.slow
def test_correlations_equal_the_slow_ones(seed: int, frames: int) -> None:
    x, y = walk(seed, frames, 3), walk(seed + 1, frames, 3)
    x[:-1, 0] = 0.3  # Moves in its last frame alone, so only some windows are constant.
    assert channel_correlations_by_lag(x, y) == pytest.approx(slow_correlations(x, y), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("delay", [-20, 0, 7])
def test_a_delayed_copy_is_found_at_its_delay(delay: int) -> None:
    x = walk(5, 200, 25)
    predictions = np.roll(x, delay, axis=0)[None, None]
    assert fr_syn(predictions, x[None]) == abs(delay)
    assert fr_syn_repaired(predictions, x[None]) == abs(delay)


def test_one_constant_channel_decides_the_official_lag_alone() -> None:
    x = walk(5, 120, 25)
    still = x.copy()
    still[:, 4] = 0.5
    assert fr_syn(still[None, None], x[None]) == 49
    assert fr_syn_repaired(still[None, None], x[None]) == 0
    assert math.isnan(fr_syn_repaired(np.zeros((1, 1, 120, 25)), x[None]))


@pytest.mark.slow
def test_all_equal_a_slow_reference() -> None:
    data = corpus()
    p, listeners, speakers = (data[name] for name in ("predictions", "listeners", "speakers"))
    near = [np.flatnonzero(row) for row in data["neighbours"]]
    scores = score_reactions(**data)
    ccc = [[max(slow_ccc(listeners[i], one) for i in near[n]) for one in p[n]] for n in range(3)]
    dist = [[min(slow_distance(one, listeners[i]) for i in near[n]) for one in p[n]] for n in range(3)]
    assert scores.fr_corr == pytest.approx(np.sum(ccc) / 3, rel=1e-6)
    assert scores.fr_dist == pytest.approx(np.sum(dist) / 3, rel=1e-5)
    assert scores.fr_dist_repaired == pytest.approx(np.mean(dist) / math.sqrt(60), rel=1e-5)
    assert scores.fr_div == pytest.approx(np.mean([slow_pairs(item) for item in p]), rel=1e-6)
    assert scores.fr_dvs == pytest.approx(np.mean([slow_pairs(p[:, k]) for k in range(2)]), rel=1e-6)
    assert scores.fr_var == pytest.approx(p.astype(float).var(axis=2, ddof=1).mean(), rel=1e-6)
    assert scores.fr_syn == np.mean([slow_lag(p[n, 0], speakers[n]) for n in range(3)])


def test_the_suite_and_the_single_metrics_agree_whatever_the_threads() -> None:
    data = corpus()
    near = (data["predictions"], data["listeners"], data["neighbours"])
    for threads in (1, 3):
        steps: list[int] = []
        work = Work(threads=threads, on_item=lambda seen=steps: seen.append(1))
        scores = score_reactions(**data, work=work)
        assert len(steps) == 3
        assert scores.fr_corr == fr_corr(*near, work)
        assert scores.fr_dist == fr_dist(*near, work)
        assert scores.fr_corr_repaired == fr_corr_repaired(*near, work)
        assert scores.fr_dist_repaired == fr_dist_repaired(*near, work)
        assert scores.fr_syn == fr_syn(data["predictions"], data["speakers"], work)
        assert scores.fr_syn_repaired == fr_syn_repaired(data["predictions"], data["speakers"], work)
        assert (scores.fr_div, scores.fr_var) == (fr_div(near[0], work), fr_var(near[0], work))
        assert scores.fr_dvs == fr_dvs(near[0], work)


def test_real_reactions_are_perfect_where_repaired() -> None:
    data = corpus()
    data["listeners"][:, :, 6] = 0.5
    data["predictions"] = np.repeat(data["listeners"][:, None], 2, axis=1)
    data["neighbours"] = np.eye(3)
    scores = score_reactions(**data)
    assert scores.fr_corr == pytest.approx(2 * 24 / 25, rel=1e-5)
    assert scores.fr_corr_repaired == pytest.approx(1)
    assert scores.fr_dist == scores.fr_dist_repaired == scores.fr_div == 0


def test_frechet_distance_of_known_gaussians() -> None:
    points = np.asarray([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    # Covariance 2/3 and 4 x 2/3: tr = 2 (2/3 + 8/3 - 2 sqrt(2/3 8/3)) = 4/3; means are (3, 4) apart.
    assert fr_rea(points, 2 * points + [3, 4]) == pytest.approx(25 + 4 / 3)
    assert fr_rea(points, points) == pytest.approx(0, abs=1e-12)


def test_neighbours_of_a_split_come_from_both_directions() -> None:
    annotation = np.arange(36).reshape(6, 6) % 2
    found = neighbour_matrix(annotation, [2, 0])
    both = [2, 0, 5, 3]
    assert (found == [[annotation[i, j] for j in both] for i in both]).all()


def test_one_prediction_and_one_item_have_the_official_diversity() -> None:
    one = walk(0, 1, 1, 60, 25)
    assert fr_div(one) == 0
    assert math.isnan(fr_dvs(one))


@pytest.mark.shared
@pytest.mark.parametrize("case", ["tiny", "nanpath"])
def test_official_values(shared: Path, case: str) -> None:
    folder = shared / "data" / "react_golden"
    golden = json.loads((folder / "golden.json").read_text())["cases"][case]
    with np.load(folder / f"{case}.npz") as data:
        speaker, listener, predictions = data["speaker"], data["listener"], data["pred"]
        neighbours = data["neighbour"]
    shapes = {
        "FaceAIS_REACT24": predictions,
        "GT_as_pred_K2": np.repeat(listener[:, None], 2, axis=1),
        "Mime_as_pred_K2": np.repeat(speaker[:, None], 2, axis=1),
    }
    for name, values in shapes.items():
        scores = score_reactions(values, listener, speaker, neighbours)
        found = {official: getattr(scores, ours) for official, ours in NAMES.items()}
        assert found == pytest.approx({key: golden[name][key] for key in NAMES}, rel=1e-4, abs=1e-7)
    unit = golden["unit"]
    parts = [dtw(predictions[0, 0, :, a:b], listener[0, :, a:b]) for a, b in ((0, 15), (15, 17), (17, 25))]
    assert parts == pytest.approx(unit["dtw_groups_pred00_listener0"], rel=1e-4)
    pair = concordance(np.stack([predictions[0, 0], listener[0]]), listener[:1])[:, 0]
    expected = [unit["ccc_listener0_pred00"], unit["ccc_listener0_listener0"]]
    assert pair == pytest.approx(np.asarray(expected), rel=1e-4)
    means = channel_correlations_by_lag(predictions[0, 0], speaker[0]).mean(axis=1)
    peak = unit["tlcc_pred00_speaker0"]
    assert [means.max(), means[49]] == pytest.approx([peak["peak"], peak["center"]], rel=1e-4, nan_ok=True)
    assert 49 - int(means.argmax()) == peak["offset"]


@pytest.mark.shared
def test_official_values_with_neighbours_out_of_range(shared: Path) -> None:
    folder = shared / "data" / "react_golden"
    golden = json.loads((folder / "golden.json").read_text())["cases"]["oob"]["FaceAIS_REACT24"]
    with np.load(folder / "oob.npz") as data:
        near = (data["pred"], data["listener"], data["neighbour"])
    for treatment, ending in ((OutOfRange.ZERO, "_mp"), (OutOfRange.LEAVE_OUT, "")):
        work = Work(out_of_range=treatment)
        assert fr_corr(*near, work) == pytest.approx(golden[f"FRC{ending}"], rel=1e-4)
        assert fr_dist(*near, work) == pytest.approx(golden[f"FRD{ending}"], rel=1e-4)
    with pytest.raises(InputError, match=r"neighbours\[0\] names listener 3, but there are 3"):
        fr_dist(*near)


@pytest.mark.shared
def test_official_frechet_distance(shared: Path) -> None:
    folder = shared / "data" / "react_golden"
    golden = json.loads((folder / "golden.json").read_text())["cases"]["fid"]
    with np.load(folder / "fid.npz") as data:
        found = fr_rea(data["real"], data["fake"])
    assert found == pytest.approx(golden["pytorch_fid.calculate_frechet_distance"], rel=1e-4)


def test_kernels_are_compiled_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def njit(cache: bool = False, **_: object) -> Callable[[object], object]:
        def compile_it(kernel: object) -> object:
            if cache:
                raise RuntimeError("cannot cache function: no locator available")
            return kernel

        return compile_it

    monkeypatch.setattr(reaction_kernels, "njit", njit)
    assert reaction_kernels._compiled(print, set()) is print
