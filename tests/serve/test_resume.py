"""Tokens: what one replica seals, another opens; nobody else can make or change one."""

from __future__ import annotations

import pytest

from visavis.errors import InputError
from visavis.serve.protocol import RefusedError
from visavis.serve.resume import AHEAD_S, LONGEST_S, ResumeKey

STATE = {"name": "one", "settings": [True, False], "profile": None}


def key(secret: bytes = b"sixteen letters!", now_s: float = 1000.0) -> ResumeKey:
    return ResumeKey(secret, lambda: now_s)


def test_another_replica_opens_it() -> None:
    assert key().open(key().seal(STATE)) == STATE


@pytest.mark.parametrize("place", [0, 20, 60, -1])
def test_a_changed_token_is_refused(place: int) -> None:
    token = key().seal(STATE)
    changed = "B" if token[place] == "A" else "A"
    broken = token[:place] + changed + (token[place + 1 :] if place >= 0 else "")
    with pytest.raises(RefusedError, match="damaged or of another server") as caught:
        key().open(broken)
    assert caught.value.code == "bad_token"


@pytest.mark.parametrize("token", ["", "A", "é" * 80, "A" * 100, "=" * 40, "A" * 5000])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(RefusedError, match="damaged or of another server"):
        key().open(token)


def test_a_token_of_another_secret_is_refused() -> None:
    with pytest.raises(RefusedError, match="of another server"):
        key(b"another secret!!").open(key().seal(STATE))


@pytest.mark.parametrize("age_s", [LONGEST_S + 2, -AHEAD_S - 2])
def test_old_and_future_tokens_are_refused_by_name(age_s: float) -> None:
    token = key().seal(STATE)
    with pytest.raises(RefusedError) as caught:
        key(now_s=1000 + age_s).open(token)
    assert caught.value.code == "old_token"
    assert key(now_s=1000 + LONGEST_S / 2).open(token) == STATE


def test_the_secret_comes_from_the_environment() -> None:
    known = {"VISAVIS_SECRET": "known to all replicas"}
    token = ResumeKey.of_environment(known).seal(STATE)
    assert ResumeKey.of_environment(known).open(token) == STATE
    with pytest.raises(RefusedError):
        ResumeKey.of_environment({}).open(token)
    with pytest.raises(InputError, match="VISAVIS_SECRET has 5 characters; a secret needs 16 or more"):
        ResumeKey.of_environment({"VISAVIS_SECRET": "short"})


def test_a_state_that_is_too_large_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="at most"):
        key().seal({"name": "".join(map(chr, range(40, 9000)))})
