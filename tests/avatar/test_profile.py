"""A person's profile: writing, reading, and one-line refusals of bad files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.people import PROFILE, seen_face
from visavis.avatar.parameters import Animator
from visavis.avatar.profile import Profile, config_folder, my_profile, named_profile
from visavis.errors import InputError


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "new" / "profile.json"
    for profile in (PROFILE, replace(PROFILE, measures={})):
        profile.save(path)
        assert Profile.load(path) == profile
    assert json.loads(path.read_text())["version"] == 1
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["profile.json"]


def put(*keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        for key in keys[:-1]:
            found = found[key]
        found[keys[-1]] = value

    return change


def test_a_file_of_something_else_needs_no_new_calibration(tmp_path: Path) -> None:
    path = tmp_path / "why.json"
    path.write_text('{"gestures": []}')
    with pytest.raises(InputError, match=r"why\.json: is no profile: it has no version; name a profile$"):
        Profile.load(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put("version", value=2), "version 2; expected 1"),
        (put("version", value=None), "version None"),
        (put("version", value=True), "version True; expected 1"),
        (put("version", value=1.0), "version 1.0; expected 1"),
        (put("version", value="9" * 5000), "9...9"),
        (lambda found: found.pop("reach"), "expected version, weights"),
        (put("more", value=1), "expected version, weights"),
        (lambda found: found["reach"].pop("smile"), "reach of a profile"),
        (put("head", "more", value=1), "head of a profile"),
        (put("weights", value=[1, 2]), "weights of a profile"),
        (put("reach", "smile", value=float("nan")), "reach.smile of a profile is nan"),
        (put("reach", "mouth", value=float("inf")), "reach.mouth of a profile is inf"),
        (put("reach", "mouth", value=10**29), "reach.mouth of a profile"),
        (put("reach", "smile", value=0), "expected 0.1 to 4"),
        (put("head", "yaw", value=90), "head.yaw of a profile is 90; expected -60 to 60"),
        (put("weights", "browInnerUp", value="0.1"), "weights.browInnerUp"),
        (put("weights", "browInnerUp", value=True), "weights.browInnerUp"),
        (put("measures", "lidLeft", value=9), "measures.lidLeft"),
        (put("shut", "lidLeft", value=0.9), "shut.lidLeft"),
    ],
)
def test_what_no_profile_may_hold_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], says: str
) -> None:
    path = tmp_path / "p.json"
    PROFILE.save(path)
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))
    with pytest.raises(InputError) as caught:
        Profile.load(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "calibrate again" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 250


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[]", "expected an object; found a list"),
        (b"null", "expected an object; found null"),
        (b'"me"', "expected an object; found a text"),
        (b"1", "expected an object; found a number"),
        (b"[" * 50_000, "too deep"),
        (b" " * 70_000, "no profile has more than 65536 bytes"),
    ],
)
def test_what_is_no_profile_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        Profile.load(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not {"calibrate", "sys.set_int_max_str_digits"} & set(str(caught.value).split())


def test_a_wrong_path_is_told_and_nobody_is_asked_to_calibrate(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "none.json", "no such file"), (tmp_path, "is a folder, not a file")):
        with pytest.raises(InputError, match=says) as caught:
            Profile.load(path)
        assert "calibrate" not in str(caught.value).replace(str(path), "")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made a folder"):
        PROFILE.save(tmp_path / "file" / "p.json")


def test_where_settings_are_kept() -> None:
    home = Path.home()
    assert config_folder({"VISAVIS_CONFIG": "/x", "XDG_CONFIG_HOME": "/y"}, "linux") == Path("/x")
    assert config_folder({"XDG_CONFIG_HOME": "/y"}, "linux") == Path("/y/visavis")
    assert config_folder({}, "linux") == home / ".config" / "visavis"
    assert config_folder({}, "darwin") == home / "Library" / "Application Support" / "visavis"
    assert config_folder({"APPDATA": "/a"}, "win32") == Path("/a/visavis")


def test_me_is_the_kept_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_CONFIG", str(tmp_path))
    assert named_profile(None) is None
    with pytest.raises(InputError, match=r"^the profile me: nothing has been rem.* press Remember me"):
        named_profile("me")
    for empty in ("", " "):
        with pytest.raises(InputError, match=f"a profile of '{empty}'; name a profile's JSON file, or me"):
            named_profile(empty)
    PROFILE.save(my_profile())
    assert named_profile("me") == named_profile(str(tmp_path / "profile.json")) == PROFILE


def brow_at_first(animator: Animator) -> float:
    high = seen_face(browLeft=0.8, browRight=0.8, browInnerUp=0.15, browOuterUpLeft=0.1, browOuterUpRight=0.1)
    return animator.update(high.state, None, 100.0, high).as_dict()["ParamBrowLY"]


def test_a_profile_is_the_persons_own_and_outlives_a_reset() -> None:
    known = Animator(mirror=False, profile=PROFILE)
    assert brow_at_first(known) > 0.5  # Raised, not at rest: the rest is known.
    known.reset()
    assert brow_at_first(known) > 0.5
    known.start_new_person()  # Somebody else, whose first face is taken for a calm one.
    for i in range(30):
        high = seen_face(browLeft=0.8, browRight=0.8)
        pose = known.update(high.state, None, 101 + i / 25, high).as_dict()
    assert abs(pose["ParamBrowLY"]) < 0.1
    known.start_new_person(known=True)
    for i in range(30):
        pose = known.update(high.state, None, 103 + i / 25, high).as_dict()
    assert pose["ParamBrowLY"] > 0.5


@pytest.mark.slow
def test_a_profile_that_has_aged_is_left_within_seconds_and_within_bounds() -> None:
    """Another light or camera: what is at rest now is so on the avatar too, but a raised brow is not."""
    animator = Animator(mirror=False, profile=PROFILE)
    for i in range(25 * 30):
        high = seen_face(browLeft=0.4, browRight=0.4)
        pose = animator.update(high.state, None, i / 25, high).as_dict()
    assert abs(pose["ParamBrowLY"]) < 0.05
    for i in range(25 * 60):
        high = seen_face(browLeft=1.0, browRight=1.0)
        pose = animator.update(high.state, None, 30 + i / 25, high).as_dict()
    assert pose["ParamBrowLY"] > 0.3


def test_another_animator_goes_on_with_what_one_has_learned() -> None:
    first, second, fresh = (Animator(mirror=False) for _ in range(3))
    assert first.learned is None
    for number in range(100):
        first.update(seen_face().state, None, number / 25, seen_face())
    learned = first.learned
    assert learned is not None
    second.recall(learned)
    high = seen_face(browLeft=0.8, browRight=0.8)
    raised = [
        one.update(high.state, None, 5.0, high).as_dict()["ParamBrowLY"] for one in (first, second, fresh)
    ]
    assert raised[1] == pytest.approx(raised[0], abs=0.1)
    assert raised[1] > 0.5
    assert abs(raised[2]) < 0.1  # It takes the first face for a calm one.
    second.reset()
    assert second.learned is None  # It was recalled, not chosen.
