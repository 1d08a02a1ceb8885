"""A pipeline that plays a script instead of watching a face, and a server of it that a test can kill."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from support.people import STEPS_ACTED, acting
from visavis.avatar.guide import Guide, Guiding
from visavis.avatar.parameters import Animator
from visavis.channels import EXPRESSIONS, FACE_CHANNELS, FACE_INDEX
from visavis.errors import InputError
from visavis.face.region import FaceRegion, rotation
from visavis.pipeline import Moment, Pipeline
from visavis.testing import ScriptedTracker
from visavis.types import BoolArray, Expression, Face, Faces, FaceState, Frame

DARK = 16  # mean brightness below which a picture shows nobody
GRID = 11  # tokens across and down; its cells do not fill whole bytes


def state(time_s: float) -> FaceState:
    """A head that turns, a mouth that opens, a brow that moves, a face that smiles now and then."""
    values = np.zeros(len(FACE_CHANNELS), np.float32)
    values[FACE_INDEX["yaw"]] = 0.4 * np.sin(1.3 * time_s)
    values[FACE_INDEX["pitch"]] = 0.15 * np.sin(0.9 * time_s)
    values[FACE_INDEX["jawOpen"]] = 0.35 - 0.35 * np.cos(4 * time_s)
    values[FACE_INDEX["mouthSmileLeft"]] = values[FACE_INDEX["mouthSmileRight"]] = 0.5 - 0.5 * np.cos(time_s)
    values[FACE_INDEX["browDownLeft"]] = 0.5 - 0.5 * np.cos(2.1 * time_s)
    values[FACE_INDEX["z"]] = -50
    return FaceState(values)


def face(frame: Frame) -> Face:
    height, width = frame.image_rgb.shape[:2]
    radius = np.linspace(0.15, 1, 8)[:, None]
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)[None]
    x = 0.5 * width + 0.17 * width * radius * np.cos(turn)
    y = 0.48 * height + 0.3 * height * radius * np.sin(turn)
    landmarks = np.stack([x, y], axis=-1).reshape(-1, 2)
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    region = FaceRegion.from_box(np.concatenate([low, high])).corners()
    turned = (region - region.mean(axis=0)) @ rotation(0.3).T + region.mean(axis=0)
    return Face(1, 0.98, np.concatenate([low, high]), landmarks, turned, state(frame.time_s))


def expression(time_s: float) -> Expression:
    values = np.zeros(25, np.float32)
    phase = (time_s / 3) % len(EXPRESSIONS)
    distance = np.abs(np.arange(len(EXPRESSIONS)) - phase)
    shares = np.exp(-2 * np.minimum(distance, len(EXPRESSIONS) - distance))
    values[17:] = shares / shares.sum()
    values[15], values[16] = np.sin(time_s), 0.6 * np.cos(time_s)
    return Expression(values)


class ScriptedPipeline(Pipeline):
    """The real avatar on a scripted face and scripted expressions; counts what it was asked for."""

    def __init__(self, step_s: float = 0.0) -> None:
        super().__init__(ScriptedTracker(), None, Animator())
        self.read_expressions = True
        self.step_s = step_s
        self.steps = 0
        self.readings = 0

    def step(self, frame: Frame) -> Moment:
        time.sleep(self.step_s)
        self.steps += 1
        if frame.image_rgb.shape[0] < 8:
            raise InputError("the picture is too small for a face")
        faces = (face(frame),) if frame.image_rgb.mean() >= DARK else ()
        shown = expression(frame.time_s) if faces and self.read_expressions else None
        self.readings += shown is not None
        led, worn = faces[0].state if faces else None, shown
        if self.listener is not None:
            led, worn = self.listener.see(led, frame.time_s), None
        pose = self._animator.update(led, worn, frame.time_s)
        timings_ms: Mapping[str, float] = {"face": 1.0, "expression": 1.0, "avatar": 0.1}
        read = Faces(replace(one, expression=shown, label=shown and shown.label) for one in faces)
        return Moment(frame, read, pose, timings_ms, led)


def kept() -> BoolArray:
    """(GRID, GRID): a shape that differs from itself turned and mirrored."""
    row, column = np.mgrid[:GRID, :GRID]
    cells: BoolArray = (row < 3) | ((column > 7) & (row > 5)) | ((row + 2 * column) % 7 == 0)
    return cells


class SparsePipeline(ScriptedPipeline):
    """The same, and always the same tokens of a face are kept."""

    @property
    def drops_tokens(self) -> bool:
        return True

    def step(self, frame: Frame) -> Moment:
        moment = super().step(frame)
        read = Faces(one if one.expression is None else replace(one, kept=kept()) for one in moment.faces)
        return replace(moment, faces=read)


class ToldGuide(Guide):
    """Says to all of this process what it last asked for."""

    asks = "rest"

    def update(self, face: Face | None, time_s: float) -> Guiding:
        guiding = super().update(face, time_s)
        ToldGuide.asks = guiding.step
        return guiding


class ObedientPipeline(ScriptedPipeline):
    """The same, with a person who does what the guide says, or who talks all the time."""

    talks = False

    def step(self, frame: Frame) -> Moment:
        moment = super().step(frame)
        opening = 0.2 + 0.2 * np.sin(12 * frame.time_s)
        act = {"mouthOpening": opening} if self.talks else STEPS_ACTED[ToldGuide.asks]
        acted = acting(act, 1.0)
        faces = Faces(replace(one, state=acted.state, measures=acted.measures) for one in moment.faces)
        led = faces[0] if faces else None
        pose = self._animator.update(led and led.state, None, frame.time_s, led)
        return replace(moment, faces=faces, pose=pose)


class TalkingPipeline(ObedientPipeline):
    """Somebody who does not stop talking."""

    talks = True


def main() -> None:
    from support import tiny_listener
    from support.page_host import TOKEN
    from support.receivers import Shelf
    from visavis.avatar import guide
    from visavis.outputs.sender import Sender
    from visavis.reaction.tokenizer import FaceTokenizer
    from visavis.serve import calibrating
    from visavis.serve.front import Front
    from visavis.serve.own_files import OwnFiles
    from visavis.serve.server import serve
    from visavis.serve.vocabulary import Vocabulary

    port, *options = sys.argv[1:]
    listens = "--listens" in options
    paths = [Path(name) for name in options if not name.startswith("--")]
    vocabulary = Vocabulary(FaceTokenizer.load(*paths)) if paths and not listens else None
    kinds = {"--sparse": SparsePipeline, "--obeys": ObedientPipeline, "--talks": TalkingPipeline}
    [kind] = [made for name, made in kinds.items() if name in options] or [ScriptedPipeline]
    if kind in (ObedientPipeline, TalkingPipeline):
        guide.READ_S, guide.STEP_S = 0.3, 0.9
        calibrating.Guide = ToldGuide  # type: ignore[misc]
    given = dict(name[2:].split("=") for name in options if "=" in name)
    own = (Path(given[key]) if key in given else None for key in ("model", "core", "retarget"))
    serve(
        kind,
        own=OwnFiles.read(*own),
        senders=[Sender("shelf://", Shelf())] if "--sends" in options else (),
        port=int(port),
        vocabulary=vocabulary,
        listener=tiny_listener.of_tokenizer(*paths) if listens else None,
        front=Front(token=TOKEN) if "--guarded" in options else None,
        announce=lambda url: print(url, flush=True),  # noqa: T201
    )


if __name__ == "__main__":
    main()
