"""What a recording sends to outputs, and when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support import tiny_listener
from support.receivers import Shelf
from support.samples import face_state
from support.tiny_listener import Echo
from visavis.base.clock import ManualClock
from visavis.capture.tracked import TrackedFrame, blank_picture, known_face
from visavis.capture.video import VideoFile
from visavis.outputs.sample import Sample
from visavis.outputs.sender import Sender
from visavis.pipeline import Pipeline
from visavis.reaction.live import LiveListener
from visavis.recording.outputs import Outputs
from visavis.recording.record import in_real_time, record_source
from visavis.types import Frame


class Eager(Sender):
    """A sender that sends in the caller's thread, so that no sample is dropped."""

    def __init__(self, receiver: Shelf) -> None:
        super().__init__("here", receiver)
        self.receiver = receiver
        self.close()

    def send(self, each: Sample) -> None:
        self.receiver.send(each)


def frames(*times_s: float) -> list[Frame]:
    return [Frame(blank_picture(), time_s, index) for index, time_s in enumerate(times_s)]


def test_frames_of_a_file_come_when_their_time_has_come() -> None:
    clock = ManualClock(100.0)
    came_s = []
    for frame in in_real_time(frames(2.0, 2.5, 2.6, 4.0), clock):
        came_s.append(clock.now_s() - 100)
        clock.sleep_s(0.05)  # The work of the pipeline.
        assert frame.time_s - 2 <= came_s[-1] + 1e-9
    assert came_s == pytest.approx([0, 0.5, 0.6, 2.0])


def test_a_slow_pipeline_does_not_hurry_afterwards() -> None:
    clock = ManualClock()
    came_s = []
    for frame in in_real_time(frames(0.0, 0.1, 0.2, 0.3), clock):
        came_s.append(clock.now_s())
        clock.sleep_s(1.0 if frame.index == 0 else 0.0)
    assert came_s == pytest.approx([0, 1.0, 1.1, 1.2])


def test_a_run_takes_as_long_as_its_file_only_while_it_sends(make_video, scripted_pipeline: Pipeline) -> None:
    path = make_video(count=15)
    elapsed_s = []
    for send in ((), (Eager(Shelf()),)):
        clock = ManualClock()
        with VideoFile(path) as source:
            record_source(source, scripted_pipeline, Outputs(), clock=clock, send=send)
        elapsed_s.append(clock.now_s())
    assert elapsed_s == pytest.approx([0, 14 / 30], abs=1e-3)


def test_every_frame_is_sent_to_every_output(make_video, scripted_pipeline: Pipeline) -> None:
    scripted_pipeline._tracker.misses = {2}
    outputs = [Eager(Shelf()), Eager(Shelf())]
    with VideoFile(make_video(count=5)) as source:
        record_source(source, scripted_pipeline, Outputs(), clock=ManualClock(), send=outputs)
    for each in outputs:
        samples = each.receiver.samples
        assert [sample.time_s for sample in samples] == pytest.approx(np.arange(5) / 30, abs=1e-3)
        assert [sample.state is None for sample in samples] == [False, False, True, False, False]
        assert [sample.face is None for sample in samples] == [False, False, True, False, False]
        assert samples[0].label == "happy"
        assert samples[0].expression is not None
        assert samples[0].size_px == (64, 48)
        assert samples[0].pose.time_s == samples[0].time_s


def test_in_listen_mode_the_listeners_face_is_sent(
    make_video, tmp_path: Path, scripted_pipeline: Pipeline
) -> None:
    listener = LiveListener(tiny_listener.listener(tmp_path, Echo()), 0)
    scripted_pipeline.listen(listener)
    output = Eager(Shelf())
    with VideoFile(make_video(count=10)) as source:
        record_source(source, scripted_pipeline, Outputs(), clock=ManualClock(), send=(output,))
    samples = output.receiver.samples
    assert len(samples) == 10
    assert samples[-1].state["jawOpen"] != pytest.approx(0.5 + 0.4 * np.sin(samples[-1].time_s * 3), abs=0.01)
    assert {(sample.face, sample.expression, sample.label) for sample in samples} == {(None, None, None)}


def test_a_sample_holds_what_is_known_of_a_phones_face(scripted_pipeline: Pipeline) -> None:
    face = known_face(face_state(jawOpen=0.5))
    sample = Sample.of(scripted_pipeline.step(TrackedFrame(blank_picture(), 1.5, 0, (face,))))
    assert (sample.time_s, sample.state, sample.face) == (1.5, face.state, face)
    assert (sample.expression, sample.label) == (None, None)


def test_nobody_waits_for_a_long_gap() -> None:
    clock = ManualClock()
    came_s = [clock.now_s() for _ in in_real_time(frames(0.0, 0.1, 1e8, 1e8 + 0.1), clock)]
    assert came_s == pytest.approx([0, 0.1, 0.1, 0.2])
