"""``visavis run --mode listen``: the avatar shows the listener's face, fed with the file's own sound."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from support.people import PROFILE
from support.tiny_listener import Echo
from visavis.pipeline import Pipeline
from visavis.reaction.clip import Reaction
from visavis.track import Track

pytestmark = pytest.mark.usefixtures("painted_puppet")


@pytest.mark.parametrize("sound_hz", [300, None])
def test_what_runs_is_what_react_gives(
    visavis, make_video, tmp_path: Path, echo: Echo, sound_hz: float | None
) -> None:
    echo.even = True
    clip = make_video(count=60, sound_hz=sound_hz)
    files = [tmp_path / name for name in ("o.mp4", "t.npz", "o.motion3.json", "r.npz")]
    flags = ("--out", files[0], "--track", files[1], "--motion", files[2], "--reaction", files[3])
    summary = visavis.json("run", clip, "--mode", "listen", "--seed", 4, *flags, "--json")
    assert summary["written"] == [str(path) for path in files]
    assert {"face", "expression", "listen", "avatar"} <= summary["timings_ms"].keys()
    assert summary["frames_with_face"] == len(Track.load(files[1])) == 60
    assert all(np.isfinite(heard.sound).all() == (sound_hz is not None) for heard in echo.heard)
    audio = () if sound_hz is None else ("--audio", clip)
    assert visavis("react", files[1], *audio, "--seed", 4, "--out", tmp_path / "offline.npz") == 0
    live, offline = Reaction.load(files[3]), Reaction.load(tmp_path / "offline.npz")
    assert live.face.shape == (1, 49, 58)  # The 50th frame is not over when the last picture comes.
    np.testing.assert_array_equal(live.face, offline.face[:, :49])
    np.testing.assert_array_equal(live.expression, offline.expression[:, :49])


@pytest.mark.parametrize("option", ["--style", "--temperament"])
def test_the_listener_is_as_asked_for(
    visavis, option: str, make_video, echo: Echo, scripted_pipeline: Pipeline
) -> None:
    assert visavis("run", make_video(count=6), "--mode", "listen", option, "gaze=1") == 0
    np.testing.assert_allclose(echo.heard[0].controls[0, 0], [0.5, 0.5, 0.5, 0.5, 1])
    assert scripted_pipeline.listener is not None
    assert not scripted_pipeline._animator.mirror


def test_a_profile_that_moves_nothing_is_told(
    visavis, make_video, tmp_path: Path, echo: Echo, capsys: pytest.CaptureFixture[str]
) -> None:
    profile, clip = tmp_path / "p.json", make_video(count=6)
    PROFILE.save(profile)
    assert visavis("run", clip, "--mode", "listen", "--profile", profile, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["frames"] == 6
    assert err == "--profile has no effect on a listener, which has its own face; the run goes on\n"
    assert visavis("run", clip, "--profile", profile) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--reaction", "r.npz"], "need --mode listen"),
        (["--style", "gaze=1"], "need --mode listen"),
        (["--mode", "listen", "--style", "gaze"], "'gaze'; expected"),
        (["--mode", "listen", "--reaction", "r.json"], "expected a name that ends in .npz"),
        (["--mode", "listen", "--track", "r.npz", "--reaction", "r.npz"], "or another output"),
        (["--mode", "listen"], "brings no listener: train one"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    visavis, make_video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], message: str
) -> None:
    monkeypatch.setattr("visavis.base.networks.manifest", dict)
    make_video("clip.mp4", count=3)
    monkeypatch.chdir(tmp_path)
    assert message in visavis.error("run", "clip.mp4", *flags)
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4"}
