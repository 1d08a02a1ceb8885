"""One session's guided calibration: led by its frames, used by its avatar, kept and deleted on request."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from support import scripted_server as scripted
from support.people import STEPS_ACTED, acting, seen_face
from support.pictures import jpeg
from support.talking import receive, serving, talk
from visavis.avatar.parameters import Animator
from visavis.avatar.profile import Profile
from visavis.pipeline import Pipeline
from visavis.serve import server as running
from visavis.serve.calibrating import LISTENS, NOT_HERE, Calibrating
from visavis.serve.protocol import RefusedError, encode_frame
from visavis.testing import ScriptedTracker


def pipeline() -> Pipeline:
    return Pipeline(ScriptedTracker(), None, Animator())


def led(calibrating: Calibrating, followed: Pipeline) -> str:
    """The last state of a guide whose person does what it asks for."""
    step, state = "rest", "running"
    calibrating.guide(True)
    for i in range(1500):
        guiding = calibrating.see(followed, (acting(STEPS_ACTED[step], 1.0),), i / 25)
        if guiding is None:
            break
        step, state = guiding.step, guiding.state
    return state


def test_what_was_found_is_worn_at_once_and_kept_on_request_alone(tmp_path: Path) -> None:
    path, followed = tmp_path / "profile.json", pipeline()
    calibrating = Calibrating(followed, path)
    assert calibrating.see(followed, (seen_face(),), 0.0) is None
    with pytest.raises(RefusedError, match="calibrate first"):
        calibrating.keep(True)
    assert led(calibrating, followed) == "done"
    assert followed.profile is not None
    assert (path.exists(), calibrating.kept) == (False, False)
    assert calibrating.keep(True) is True
    assert Profile.load(path) == followed.profile

    later = pipeline()
    again = Calibrating(later, path)
    assert (again.kept, again.problem) == (True, "")
    assert later.profile == followed.profile
    assert again.keep(False) is False
    again.see(later, (), 0.0)
    assert (path.exists(), later.profile) == (False, None)
    assert again.keep(False) is False  # Twice is once.


def test_a_kept_file_that_is_damaged_is_ignored_in_words(tmp_path: Path) -> None:
    path, followed = tmp_path / "profile.json", pipeline()
    path.write_text('{"version": 7}')
    calibrating = Calibrating(followed, path)
    assert followed.profile is None
    assert "version 7" in calibrating.problem
    calibrating.keep(False)
    assert (path.exists(), calibrating.problem) == (False, "")


def test_where_nothing_may_be_kept_it_says_so(tmp_path: Path) -> None:
    followed = pipeline()
    calibrating = Calibrating(followed, None)
    assert calibrating.problem == NOT_HERE
    assert led(calibrating, followed) == "done"
    for wish in (True, False):
        with pytest.raises(RefusedError, match="keeps nothing"):
            calibrating.keep(wish)
    (tmp_path / "file").write_text("")
    blocked = Calibrating(followed, tmp_path / "file" / "profile.json")
    with pytest.raises(RefusedError, match="cannot be made a folder"):
        blocked.keep(True)


def test_a_guide_can_be_broken_off_and_needs_the_mirror() -> None:
    followed = pipeline()
    calibrating = Calibrating(followed, None)
    calibrating.guide(True)
    calibrating.guide(False)
    assert calibrating.see(followed, (seen_face(),), 0.0) is None
    calibrating.guide(True)
    followed.listen(SimpleNamespace(see=None))  # type: ignore[arg-type]
    guiding = calibrating.see(followed, (seen_face(),), 0.1)
    assert (guiding.state, guiding.says) == ("refused", LISTENS)
    assert calibrating.see(followed, (seen_face(),), 0.2) is None


def test_the_server_guides_and_tells_what_it_keeps(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    with serving(scripted.ScriptedPipeline, profile_path=path) as server, talk(server) as client:
        assert receive(client)["profile"] == {"kept": False, "problem": None}
        client.send('{"type": "profile", "keep": true}')
        assert receive(client)["code"] == "not_kept"
        client.send('{"type": "guide", "on": true}')
        assert receive(client) == {"type": "guide", "on": True}
        client.send(encode_frame(1, 1.0, jpeg(level=0)))
        guide = receive(client)["guide"]
        assert (guide["state"], guide["step"], guide["number"]) == ("running", "rest", 1)
        assert guide["problem"] == "Your face is not in view."
        client.send('{"type": "guide", "on": false}')
        assert receive(client) == {"type": "guide", "on": False}
        client.send(encode_frame(2, 2.0, jpeg()))
        assert receive(client)["guide"] is None
        client.send('{"type": "profile", "keep": false}')
        assert receive(client) == {"type": "profile", "kept": False}
    with serving(scripted.ScriptedPipeline) as server, talk(server) as client:
        assert receive(client)["profile"] == {"kept": False, "problem": NOT_HERE}


@pytest.mark.parametrize(
    ("options", "keeps"),
    [
        ({}, True),
        ({"host": "localhost"}, True),
        ({"host": "0.0.0.0"}, False),  # noqa: S104
        ({"allowed_hosts": ["me.example"]}, False),
    ],
)
def test_only_a_server_of_its_own_computer_keeps_profiles(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, Any], keeps: bool
) -> None:
    monkeypatch.setenv("VISAVIS_CONFIG", str(tmp_path))
    found: list[Any] = []

    class Unstarted:
        def __init__(self, application: Any, *_: Any) -> None:
            found.append(application)

        def run(self) -> None:
            """Nobody is served."""

    monkeypatch.setattr(running, "Server", Unstarted)
    running.serve(scripted.ScriptedPipeline, **options)
    assert (found[0].state.pool.profile_path == tmp_path / "profile.json") is keeps
