import numpy as np
import pytest

from visavis.channels import FACE_INDEX
from visavis.face.smoothing import OneEuroFilter

FPS = 25


def run(channel: str, values: np.ndarray) -> np.ndarray:
    smoothing = OneEuroFilter.for_face_state()
    state = np.zeros(58, np.float32)
    out = []
    for number, value in enumerate(values):
        state = state.copy()
        state[FACE_INDEX[channel]] = value
        out.append(smoothing.update(state, number / FPS)[FACE_INDEX[channel]])
    return np.asarray(out)


def test_a_blink_of_120_ms_survives() -> None:
    blink = np.zeros(50)
    blink[20:23] = 1
    assert run("eyeBlinkLeft", blink).max() > 0.9


def test_a_still_head_hardly_trembles() -> None:
    rng = np.random.default_rng(0)
    noise = np.radians(rng.normal(size=500))
    calm = run("yaw", noise)[50:]
    assert calm.std() < 0.45 * noise.std()


def test_a_moving_head_lags_little() -> None:
    time_s = np.arange(100) / FPS
    turn = np.radians(60 * time_s)
    lag_s = (turn - np.unwrap(run("yaw", turn)))[50:].mean() / np.radians(60)
    assert 0 < lag_s < 0.05


def test_a_head_that_hangs_upside_down_does_not_swing_through_upright() -> None:
    trembling = np.pi + np.radians(np.random.default_rng(0).normal(size=200))
    seen = (trembling + np.pi) % (2 * np.pi) - np.pi
    assert seen.min() < -3 < 3 < seen.max()
    assert np.abs(run("roll", seen)).min() > np.radians(176)


def test_a_constant_passes_unchanged() -> None:
    assert run("jawOpen", np.full(30, 0.4)) == pytest.approx(0.4)


def test_uneven_steps_and_repeated_times_do_no_harm() -> None:
    smoothing = OneEuroFilter.for_face_state()
    rng = np.random.default_rng(1)
    time_s = 0.0
    for _ in range(200):
        time_s += float(rng.choice([0.0, 1e-6, 0.03, 0.5]))
        value = smoothing.update(rng.random(58).astype(np.float32), time_s)
        assert np.isfinite(value).all()
        assert value.min() >= 0
        assert value.max() <= 1


def test_reset_forgets() -> None:
    smoothing = OneEuroFilter.for_face_state()
    smoothing.update(np.ones(58, np.float32), 0)
    smoothing.update(np.zeros(58, np.float32), 0.04)
    smoothing.reset()
    assert smoothing.update(np.full(58, 0.5, np.float32), 0.08) == pytest.approx(0.5)
