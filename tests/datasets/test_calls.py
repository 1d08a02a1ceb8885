"""The file of calls: reading, and refusals that name the fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from visavis.datasets.calls import Call, read_calls
from visavis.errors import InputError


def test_calls_are_read_with_their_pairs(tmp_path: Path) -> None:
    arrays = {name: np.random.default_rng(0).random((9, 2, 4)) for name in ("s01_240p", "s01_720p", "s02_x")}
    np.savez(tmp_path / "calls.npz", **arrays)
    calls = read_calls(tmp_path / "calls.npz")
    assert [(call.name, call.pair) for call in calls] == [
        ("s01_240p", "s01"),
        ("s01_720p", "s01"),
        ("s02_x", "s02"),
    ]
    np.testing.assert_allclose(calls[2].signals, arrays["s02_x"], rtol=1e-6)


def test_slowed_calls_hold_means_and_the_last_gaze() -> None:
    signals = np.arange(7 * 2 * 4, dtype=np.float32).reshape(7, 2, 4)
    slow = Call("s01", signals).slowed(3)
    assert slow.shape == (2, 2, 4)
    np.testing.assert_allclose(slow[1, 0, :3], signals[3:6, 0, :3].mean(axis=0))
    assert slow[1, 0, 3] == signals[5, 0, 3]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({}, "holds no call"),
        ({"s01": np.zeros((5, 3, 4))}, r"s01 has shape \(5, 3, 4\)"),
        ({"s01": np.zeros((0, 2, 4))}, "s01 holds no frame"),
        ({"s01": np.full((5, 2, 4), np.nan)}, "s01 holds nan"),
        ({"s01": np.full((5, 2, 4), -1.0)}, "s01 has a motion of -1 in frame 0; expected changed pixels"),
        ({"s01": np.asarray(["a"])}, "s01 is not an array of numbers"),
    ],
)
def test_bad_arrays_are_named(arrays: dict[str, np.ndarray], said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "calls.npz", **arrays)
    with pytest.raises(InputError, match=said):
        read_calls(tmp_path / "calls.npz")


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_calls(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(InputError, match="not a readable file of calls"):
        read_calls(tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(InputError, match="not a readable file of calls"):
        read_calls(tmp_path / "one.npy")


@pytest.mark.shared
def test_the_real_calls(shared: Path) -> None:
    calls = read_calls(shared / "data/dyads/vc_dyads.npz")
    assert len(calls) == 45
    assert len({call.pair for call in calls}) == 15
    assert all(call.signals.shape == (5400, 2, 4) for call in calls)
