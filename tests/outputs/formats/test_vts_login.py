"""Permission, errors and lost connections of the output to VTube Studio."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from support.samples import face_state
from support.studio import INJECT, answered, opened, sample, tried, until
from visavis.base.address import Address
from visavis.errors import DeviceError, InputError
from visavis.outputs import NotReadyError, open_output
from visavis.outputs.formats.vts import connect
from visavis.outputs.vtube_studio import protocol
from visavis.outputs.vtube_studio.errors import MESSAGES, VTubeStudioError
from visavis.outputs.vtube_studio.login import CLICK
from visavis.testing import FakeVTubeStudio


def test_the_person_is_asked_once_and_told_to_click(config: Path) -> None:
    with FakeVTubeStudio(allow=None) as studio:
        with open_output(studio.address) as sender:
            sender.send(sample())
            until(lambda: sender.status.message == CLICK)
            assert sender.status.light == "waiting"
            until(lambda: studio.popups == 1)
            studio.click(True)
            until(lambda: sender.status.light == "sending")
        assert (config / "vtube_studio.json").stat().st_mode & 0o077 == 0
        connection = opened(studio)
        assert connection.send(sample()) == ""
        connection.close()
        assert studio.popups == 1


@pytest.mark.slow
def test_nobody_is_told_to_click_while_plugins_are_switched_off(studio: FakeVTubeStudio) -> None:
    studio.api_on = False
    messages = set()
    with open_output(studio.address) as sender:
        sender.send(sample())
        for _ in range(150):
            messages.add(sender.status.message)
            time.sleep(0.01)
    assert messages <= {"", str(VTubeStudioError(1))}
    assert studio.requests.count("AuthenticationTokenRequest") > 1
    assert studio.popups == 0


@pytest.mark.slow
def test_after_a_no_the_person_is_not_asked_again() -> None:
    with FakeVTubeStudio(allow=False) as studio, open_output(studio.address) as sender:
        sender.send(sample())
        until(lambda: sender.status.light == "lost")
        time.sleep(1.0)
        assert sender.status.message == str(VTubeStudioError(50))
        assert studio.popups == 1


@pytest.mark.slow
def test_a_token_that_was_taken_back_is_asked_for_anew_once(studio: FakeVTubeStudio) -> None:
    with open_output(studio.address) as sender:
        sender.send(sample())
        until(lambda: studio.injected)
        studio.allow = None
        studio.revoke()
        until(lambda: sender.status.light == "lost")
        sender.send(sample(1.0))
        until(lambda: sender.status.message == CLICK)
        until(lambda: studio.popups == 2)
        studio.click(True)
        until(lambda: sender.status.light == "sending")
        assert studio.popups == 2


def test_a_new_token_that_is_refused_ends_in_a_message(studio: FakeVTubeStudio) -> None:
    studio.allow = None
    connection = connect(Address.parse(studio.address))
    connection.open()
    with pytest.raises(NotReadyError):
        connection.send(sample())
    until(lambda: studio.popups == 1)
    studio.click(True)
    studio.revoke()
    with pytest.raises(InputError, match="refuses its own token"):
        until(lambda: tried(connection))
    connection.close()
    with pytest.raises(InputError, match="refuses its own token"):
        connection.open()
    connection.close()
    assert studio.popups == 1


def test_a_token_that_cannot_be_kept_is_told_and_works(config: Path, studio: FakeVTubeStudio) -> None:
    config.write_text("in the way")
    connection = connect(Address.parse(studio.address))
    connection.open()
    until(lambda: tried(connection))
    assert "is not remembered" in connection.send(sample())
    connection.close()
    connection.open()
    connection.send(sample())
    connection.close()
    assert studio.popups == 1


@pytest.mark.slow
def test_a_program_that_is_closed_and_started_again_is_back_within_3_s(studio: FakeVTubeStudio) -> None:
    with open_output(studio.address) as sender:
        sender.send(sample())
        until(lambda: studio.injected)
        studio.stop()
        until(lambda: sender.status.light == "lost")
        time.sleep(1.0)
        before = len(studio.injected)
        studio.start()
        sender.send(sample(1.0, face_state(yaw=0.1)))
        until(lambda: len(studio.injected) > before, 3.0)
        assert studio.injected[-1]["FaceAngleX"] == pytest.approx(np.degrees(-0.1), abs=1e-4)
        assert studio.popups == 1


def test_events_and_foreign_answers_in_between_do_no_harm(studio: FakeVTubeStudio) -> None:
    studio.noisy = True
    connection = opened(studio, "?custom=1")
    for index in range(100):
        assert connection.send(sample(index / 30, face_state(yaw=index / 100))) == ""
    until(lambda: len(studio.injected) == 100)
    angles = [values["FaceAngleX"] for values in studio.injected]
    assert angles == sorted(angles, reverse=True)
    connection.close()


def test_each_error_of_an_injection_is_told_until_one_works(studio: FakeVTubeStudio) -> None:
    connection = opened(studio)
    for number in sorted({*MESSAGES} - {1, 8, 50}):
        studio.fail(INJECT, number)
        assert answered(connection) == str(VTubeStudioError(number))
        assert answered(connection) == ""
    connection.close()


@pytest.mark.parametrize("number", [1, 8, 50])
@pytest.mark.slow
def test_an_error_of_the_session_means_a_new_one(studio: FakeVTubeStudio, number: int) -> None:
    with open_output(studio.address) as sender:
        sender.send(sample())
        until(lambda: studio.injected)
        studio.fail(INJECT, number)
        until(lambda: sender.status.message == str(VTubeStudioError(number)))
        assert sender.status.light == "lost"
        sender.send(sample(1.0))
        until(lambda: sender.status.light == "sending")


@pytest.mark.parametrize("number", [51, 52, 53, 54, 1])
def test_an_error_of_the_question_is_told(studio: FakeVTubeStudio, number: int) -> None:
    studio.fail("AuthenticationTokenRequest", number)
    connection = connect(Address.parse(studio.address))
    with pytest.raises(VTubeStudioError, match=f"error {number}"):
        connection.open()
    connection.close()
    connection.open()
    until(lambda: tried(connection))
    connection.close()


def test_a_parameter_that_disappears_is_left_out(
    studio: FakeVTubeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visavis.outputs.formats.vts.LIST_AGAIN_S", 0.0)
    connection = opened(studio)
    connection.send(sample())
    until(lambda: studio.injected)
    del studio.parameters.all["Brows"]
    until(lambda: connection.send(sample()) == "" and "Brows" not in studio.injected[-1])
    assert "MouthOpen" in studio.injected[-1]
    connection.close()


def test_another_plugin_that_moves_the_face_is_told(studio: FakeVTubeStudio) -> None:
    connection = opened(studio)
    mouth = studio.parameters.all["MouthOpen"]
    mouth.owner, mouth.set_s = ("Other", "Somebody"), 1e12
    assert "another plugin moves the face" in answered(connection)
    mouth.owner = None
    assert answered(connection) == ""
    connection.close()


def test_a_silent_program_is_lost(studio: FakeVTubeStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = opened(studio)
    connection.send(sample())
    studio.silent = True
    now_s = time.monotonic()
    monkeypatch.setattr(protocol, "monotonic", lambda: now_s)
    for index in range(20):
        connection.send(sample(index / 30))
    monkeypatch.setattr(protocol, "monotonic", lambda: now_s + protocol.ANSWER_S + 1)
    with pytest.raises(DeviceError, match="does not answer any more"):
        connection.send(sample(2.0))
    connection.close()
