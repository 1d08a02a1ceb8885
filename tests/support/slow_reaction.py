"""The metrics of reaction in the simplest form: loops over items, pairs, channels and lags."""

from __future__ import annotations

import math

import numpy as np


def slow_dtw(x: np.ndarray, y: np.ndarray) -> float:
    total = np.full((len(x) + 1, len(y) + 1), math.inf)
    total[0, 0] = 0
    for i, a in enumerate(x.astype(float)):
        for j, b in enumerate(y.astype(float)):
            cost = float(((a - b) ** 2).sum())
            total[i + 1, j + 1] = cost + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return math.sqrt(total[-1, -1])


def slow_distance(x: np.ndarray, y: np.ndarray) -> float:
    parts = [slow_dtw(x[:, a:b], y[:, a:b]) for a, b in ((0, 15), (15, 17), (17, 25))]
    return parts[0] / 15 + parts[1] + parts[2] / 8


def slow_ccc(x: np.ndarray, y: np.ndarray) -> float:
    found = []
    for a, b in zip(x.T.astype(float), y.T.astype(float), strict=True):
        constant = a.min() == a.max() or b.min() == b.max()
        r = 0.0 if constant else float(np.corrcoef(a, b)[0, 1])
        spread = a.var() + b.var() + (a.mean() - b.mean()) ** 2 + 1e-8
        found.append(2 * r * a.std() * b.std() / spread)
    return float(np.mean(found))


def slow_correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    rows = []
    for lag in range(-49, 50):
        late, early = max(lag, 0), max(-lag, 0)
        a, b = x[late : len(x) - early].T, y[early : len(y) - late].T
        rows.append(
            [
                math.nan if p.min() == p.max() or q.min() == q.max() else np.corrcoef(p, q)[0, 1]
                for p, q in zip(a.astype(float), b.astype(float), strict=True)
            ]
        )
    return np.asarray(rows)


def slow_lag(x: np.ndarray, y: np.ndarray) -> int:
    means = slow_correlations(x, y).astype(np.float32).mean(axis=1)
    nan = np.flatnonzero(np.isnan(means))
    return abs(49 - int(nan[0] if len(nan) else means.argmax()))


def slow_pairs(values: np.ndarray) -> float:
    """Mean squared distance of all ordered pairs of rows."""
    flat = values.reshape(len(values), -1).astype(float)
    pairs = [((a - b) ** 2).sum() for i, a in enumerate(flat) for j, b in enumerate(flat) if i != j]
    return float(np.mean(pairs) / flat.shape[1])


def walk(seed: int, *shape: int) -> np.ndarray:
    """Series that wander, time being the last axis but one."""
    steps = np.random.default_rng(seed).normal(0, 0.2, shape)
    return np.asarray(steps.cumsum(axis=-2), np.float32)


def corpus(frames: int = 60) -> dict[str, np.ndarray]:
    """Three items of two predictions; channel 3 of one speaker never moves."""
    speakers = walk(2, 3, frames, 25)
    speakers[1, :, 3] = 0.25
    return {
        "predictions": walk(0, 3, 2, frames, 25),
        "listeners": walk(1, 3, frames, 25),
        "speakers": speakers,
        "neighbours": np.asarray([[1, 1, 0], [0, 1, 0], [1, 1, 1]], np.uint8),
    }
