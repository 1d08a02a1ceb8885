"""Expressions and hotkeys of the output to VTube Studio."""

from __future__ import annotations

import time

import pytest

from support.studio import opened, play, until
from visavis.errors import DeviceError
from visavis.outputs.vtube_studio.errors import VTubeStudioError
from visavis.outputs.vtube_studio.expressions import Expressions
from visavis.testing import FakeVTubeStudio, Hotkey


def test_an_expression_switches_its_hotkey_on_and_off(studio: FakeVTubeStudio) -> None:
    connection = opened(studio)
    play(connection, "happy", 1.0)
    until(lambda: studio.model.active == {"smile.exp3.json"})
    play(connection, "neutral", 1.5, 1.0)
    until(lambda: not studio.model.active)
    assert studio.model.executed == ["Happy", "Happy"]
    play(connection, "sad", 1.5, 2.5)  # It has a file, but no hotkey.
    until(lambda: studio.model.active == {"sad.exp3.json"})
    connection.close()
    until(lambda: not studio.model.active)


def test_an_expression_that_the_person_switched_by_hand_is_not_toggled(studio: FakeVTubeStudio) -> None:
    studio.model.active = {"smile.exp3.json"}
    connection = opened(studio)
    play(connection, "happy", 1.0)
    assert studio.model.executed == []
    studio.model.active = set()
    play(connection, "neutral", 2.0, 1.0)
    assert studio.model.executed == []
    connection.close()


def test_an_expression_that_was_on_when_the_connection_broke_is_switched_off(studio: FakeVTubeStudio) -> None:
    connection = opened(studio)
    play(connection, "happy", 1.0)
    until(lambda: studio.model.active == {"smile.exp3.json"})
    studio.stop()
    with pytest.raises(DeviceError):
        play(connection, "happy", 1.0, 1.0)
    connection.close()
    assert studio.model.active == {"smile.exp3.json"}
    studio.start()
    connection.open()
    play(connection, "neutral", 1.5, 2.0)
    until(lambda: not studio.model.active)
    connection.close()


class SlowSession:
    """A session whose answers never come."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, object]] = []

    def post(self, kind: str, data: dict[str, object] | None = None, handler: object = None) -> None:
        self.posted.append((kind, (data or {}).get("active")))

    def pump(self, wait_s: float = 0.0) -> None:
        time.sleep(wait_s)

    def unanswered(self, kind: str) -> int:
        return len(self.posted)


def test_an_expression_that_was_not_confirmed_is_switched_off_at_the_end() -> None:
    expressions, session = Expressions({}), SlowSession()
    expressions._got_expressions({"expressions": [{"file": "sad.exp3.json", "active": False}]}, None)
    for time_s in (0.0, 0.5):
        expressions.step(session, "sad", time_s)
    assert session.posted == [("ExpressionActivationRequest", True)]
    expressions.release(session)
    assert session.posted[1:] == [("ExpressionActivationRequest", False)]


def test_an_expression_that_was_not_confirmed_before_the_connection_broke_is_ours() -> None:
    expressions, session = Expressions({}), SlowSession()
    for active in (False, True):
        expressions._got_expressions({"expressions": [{"file": "sad.exp3.json", "active": active}]}, None)
        for time_s in (0.0, 0.5):
            expressions.step(session, "sad", time_s)
    expressions.step(session, "neutral", 2.0)
    expressions.step(session, "neutral", 2.5)
    assert session.posted == [("ExpressionActivationRequest", on) for on in (True, False)]


def test_options_name_hotkeys_and_a_missing_one_is_told(studio: FakeVTubeStudio) -> None:
    studio.load_model("Akari", (Hotkey("Big grin", "TriggerAnimation", "grin.motion3.json"),), ())
    connection = opened(studio, "?happy=big%20GRIN&sad=Cry")
    message = play(connection, "happy", 1.0)
    assert (
        message == "the model 'Akari' has no hotkey and no expression 'Cry', which the address names for sad"
    )
    play(connection, "neutral", 1.5, 1.0)
    play(connection, "happy", 1.5, 2.5)
    until(lambda: studio.model.executed == ["Big grin", "Big grin"])
    connection.close()


@pytest.mark.parametrize("number", range(200, 209))
def test_a_hotkey_that_fails_is_told_and_tried_again(studio: FakeVTubeStudio, number: int) -> None:
    studio.fail("HotkeyTriggerRequest", number)
    connection = opened(studio)
    assert play(connection, "happy", 1.2) == str(VTubeStudioError(number))
    assert play(connection, "happy", 1.0, 1.2) == ""
    assert studio.model.executed == ["Happy"]
    connection.close()


@pytest.mark.parametrize("number", [650, 651, 652])
def test_an_expression_that_fails_is_told(studio: FakeVTubeStudio, number: int) -> None:
    studio.fail("ExpressionActivationRequest", number)
    connection = opened(studio)
    assert play(connection, "sad", 1.2) == str(VTubeStudioError(number))
    connection.close()


def test_an_expression_can_be_left_out(studio: FakeVTubeStudio) -> None:
    studio.model.hotkeys = (*studio.model.hotkeys, Hotkey("", "TriggerAnimation", "wave.motion3.json"))
    connection = opened(studio, "?happy=")
    assert play(connection, "happy", 1.0) == ""
    play(connection, "sad", 1.5, 1.0)
    until(lambda: studio.model.active == {"sad.exp3.json"})
    assert studio.model.executed == []
    connection.close()


def test_another_model_brings_its_own_hotkeys(studio: FakeVTubeStudio) -> None:
    connection = opened(studio)
    play(connection, None, 0.2)
    studio.load_model("")
    assert play(connection, "happy", 1.2, 1.0) == ""
    studio.load_model("Hijiki", (Hotkey("happy", file="joy.exp3.json"),), ("joy.exp3.json",))
    play(connection, "happy", 1.5, 2.5)
    until(lambda: studio.model.active == {"joy.exp3.json"})
    connection.close()
