"""What the tests of the output to VTube Studio share."""

from __future__ import annotations

import time

from support.samples import POSE, face_state
from support.senders import wait_for as until
from visavis.base.address import Address
from visavis.outputs import NotReadyError, Sample
from visavis.outputs.formats.vts import VTubeStudio, connect
from visavis.testing import FakeVTubeStudio
from visavis.types import FaceState

INJECT = "InjectParameterDataRequest"


def sample(time_s: float = 0.0, state: FaceState | None = None, label: str | None = None) -> Sample:
    return Sample(time_s, state or face_state(), POSE, None, None, label)


def opened(studio: FakeVTubeStudio, options: str = "") -> VTubeStudio:
    """A connection that VTube Studio has allowed before."""
    if not studio.popups:
        first = connect(Address.parse(studio.address))
        first.open()
        until(lambda: tried(first))
        until(lambda: studio.injected)
        first.close()
        studio.injected.clear()
    connection = connect(Address.parse(studio.address + options))
    connection.open()
    return connection


def tried(connection: VTubeStudio) -> bool:
    """Send one sample, if the person has answered."""
    try:
        connection.send(sample())
    except NotReadyError:
        return False
    return True


def answered(connection: VTubeStudio) -> str:
    """Send one sample, wait for VTube Studio's answer, and return the message of the next one."""
    session = connection._session
    message = ""
    for _ in range(2):
        message = connection.send(sample())
        until(lambda: session.pump(0.01) or not session.unanswered(INJECT))
    return message


def play(connection: VTubeStudio, label: str | None, duration_s: float, start_s: float = 0.0) -> str:
    """Send frames with an expression, not in real time, until all is answered; the last message."""
    session = connection._session
    for index in range(round(30 * duration_s)):
        last = sample(start_s + index / 30, label=label)
        connection.send(last)
        time.sleep(0.004)
    until(lambda: session.pump(0.01) or not session._open)
    return connection.send(last)
