from __future__ import annotations

import numpy as np
import pytest

from visavis.capture.tracked import TrackedFrame, blank_picture, known_face, state_of
from visavis.channels import EXPRESSIONS
from visavis.drawing.panels import BACKGROUND, COLORS, LANDMARK, MAX_HEIGHT_PX, MIN_HEIGHT_PX, Bars, Composer
from visavis.pipeline import Moment, Pipeline
from visavis.types import AvatarPose, Expression, Faces, Frame

REST = AvatarPose.from_mapping({}, 0.0)


def moment(size: tuple[int, int], pipeline: Pipeline | None = None, level: int = 77) -> Moment:
    frame = Frame(np.full((size[1], size[0], 3), level, np.uint8), 0.0)
    faces = pipeline._tracker.update(frame) if pipeline else ()
    return Moment(frame, Faces(faces), REST, {})


def expression(**named: float) -> Expression:
    values = np.zeros(25, np.float32)
    values[15:17] = named.get("valence", 0.0), named.get("arousal", 0.0)
    values[17:] = [named.get(name, 0.0) for name in EXPRESSIONS]
    return Expression(values)


SIZES = [(1, 1), (640, 480), (288, 512), (939, 500), (1920, 1080), (7680, 4320), (1, 4000), (4000, 1)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("expressions", [True, False])
def test_any_source_gives_an_even_picture_of_bounded_size(size: tuple[int, int], expressions: bool) -> None:
    composer = Composer(size, expressions)
    width, height = composer.size
    assert width % 2 == height % 2 == 0
    assert MIN_HEIGHT_PX <= height <= MAX_HEIGHT_PX
    assert width <= 4 * height
    avatar = np.full((composer.avatar_px, composer.avatar_px, 3), 200, np.uint8)
    assert composer.compose(moment(size), avatar).shape == (height, width, 3)


def test_480p_is_shown_pixel_by_pixel() -> None:
    frame = Frame(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8), 0.0)
    composer = Composer((640, 480), expressions=False)
    assert composer.size == (640 + 480, 480)
    avatar = np.random.default_rng(1).integers(0, 256, (480, 480, 3), np.uint8)
    picture = composer.compose(Moment(frame, Faces(), REST, {}), avatar)
    assert np.array_equal(picture[:, :640], frame.image_rgb)
    assert np.array_equal(picture[:, 640:], avatar)


def test_a_frame_of_another_shape_gets_margins() -> None:
    composer = Composer((640, 480), expressions=False)
    picture = composer.compose(moment((100, 400)), np.zeros((480, 480, 3), np.uint8))
    assert (picture[240, 320] == 77).all()
    assert tuple(picture[240, 20]) == BACKGROUND


def test_landmarks_lie_where_the_face_is(scripted_pipeline: Pipeline) -> None:
    composer = Composer((1280, 960), expressions=False)
    avatar = np.zeros((composer.avatar_px, composer.avatar_px, 3), np.uint8)
    seen = moment((1280, 960), scripted_pipeline)
    picture = composer.compose(seen, avatar).astype(int)
    drawn = np.argwhere(np.abs(picture[:, : 720 * 4 // 3] - 77).sum(axis=2) > 60)[:, ::-1]
    wanted = seen.faces[0].landmarks_xy * 720 / 960
    assert np.abs(drawn.min(axis=0) - wanted.min(axis=0)).max() < 5
    assert np.abs(drawn.max(axis=0) - wanted.max(axis=0)).max() < 5


def test_landmarks_far_outside_do_no_harm(scripted_pipeline: Pipeline) -> None:
    seen = moment((640, 480), scripted_pipeline)
    seen.faces[0].landmarks_xy.setflags(write=True)
    seen.faces[0].landmarks_xy[:] = 1e12
    composer = Composer((640, 480), expressions=False)
    picture = composer.compose(seen, np.zeros((480, 480, 3), np.uint8))
    assert (picture[:, :640] == 77).all()


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_bars_grow_with_their_expression(name: str) -> None:
    bars = Bars(480)
    panel = np.zeros((480, bars.width_px, 3), np.uint8)
    areas = []
    for value in (0.2, 0.6, 1.0):
        bars.draw(panel, expression(**{name: value}), name)
        areas.append(int((panel == COLORS[name]).all(axis=2).sum()))
    assert 0 < areas[0] < areas[1] < areas[2]


def test_valence_grows_from_the_middle() -> None:
    bars = Bars(480)
    panel = np.zeros((480, bars.width_px, 3), np.uint8)
    for value, side in ((-0.8, -1), (0.8, 1)):
        bars.draw(panel, expression(neutral=1.0, valence=value), "neutral")
        columns = np.argwhere((panel == COLORS["valence"]).all(axis=2))[:, 1] - bars.width_px / 2
        assert (np.sign(columns[np.abs(columns) > 2]) == side).all()


def test_without_expression_the_bars_are_empty_again() -> None:
    bars = Bars(480)
    empty = np.zeros((480, bars.width_px, 3), np.uint8)
    bars.draw(empty, None, None)
    panel = empty.copy()
    bars.draw(panel, expression(happy=1.0), "happy")
    assert not np.array_equal(panel, empty)
    bars.draw(panel, None, None)
    assert np.array_equal(panel, empty)


def test_the_label_shown_is_the_steady_one_not_the_tallest_bar() -> None:
    bars = Bars(480)
    tall, held = (np.zeros((480, bars.width_px, 3), np.uint8) for _ in range(2))
    bars.draw(tall, expression(happy=0.6, sad=0.4), "happy")
    bars.draw(held, expression(happy=0.6, sad=0.4), "sad")
    changed = np.unique(np.argwhere((tall != held).any(axis=2))[:, 0])
    rows = [np.abs(changed - bars._rows[name]).min() for name in ("happy", "sad")]
    assert max(rows) < 12


def test_a_face_without_a_picture_is_drawn_as_bars() -> None:
    composer = Composer((480, 480), expressions=False)
    avatar = np.zeros((480, 480, 3), np.uint8)

    def lit(**weights: float) -> int:
        faces = (known_face(state_of(weights)),)
        frame = TrackedFrame(blank_picture(), 0.0, 0, faces)
        picture = composer.compose(Moment(frame, Faces(faces), REST, {}), avatar)
        return int((picture[:, :480] == LANDMARK).all(-1).sum())

    half, whole = lit(jawOpen=0.5), lit(jawOpen=1.0)
    assert lit() == 0
    assert half == pytest.approx(whole / 2, rel=0.05)
    assert lit(jawOpen=1.0, tongueOut=1.0) == pytest.approx(2 * whole, rel=0.05)
    empty = composer.compose(Moment(TrackedFrame(blank_picture(), 0.0), Faces(), REST, {}), avatar)
    assert not (empty[:, :480] == LANDMARK).all(-1).any()
