"""A receiver that is not ready yet: samples wait for it, and the connection stays open."""

from __future__ import annotations

import time

from visavis.outputs import NotReadyError, Sample, Sender
from visavis.types import AvatarPose


class Shy:
    """A receiver that is ready from its third sample on."""

    repeat_s: float | None = 0.01
    waits = 1
    at_once = False

    def __init__(self) -> None:
        self.opened = self.tried = 0

    def open(self) -> None:
        self.opened += 1

    def send(self, sample: Sample) -> str:
        self.tried += 1
        if self.tried < 3:
            raise NotReadyError("click Allow")
        return ""

    def close(self) -> None:
        pass


def test_a_receiver_that_waits_is_tried_again_without_a_new_connection() -> None:
    shy = Shy()
    seen = set()
    with Sender("shy://", shy) as sender:
        sender.send(Sample(0.0, None, AvatarPose.from_mapping({}, 0.0)))
        until_s = time.monotonic() + 5
        while sender.status.light != "sending" and time.monotonic() < until_s:
            seen.add((sender.status.light, sender.status.message))
        status = sender.status
    assert ("waiting", "click Allow") in seen
    assert (status.light, status.message, shy.opened) == ("sending", "", 1)
    assert (status.sent, status.dropped) == (0, 1)
