"""The head: the required content of its file, and shapes that move what their names say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from visavis.channels import BLENDSHAPES, FACE_INDEX
from visavis.errors import InputError
from visavis.face.mesh import LANDMARKS_146
from visavis_train.face.network import PARTNERS
from visavis_train.face.rendering.bending import bend_face, identities
from visavis_train.face.rendering.head import Head, arkit_name
from visavis_train.face.rendering.landmarks import SKIN_POINTS, LandmarkTable


def test_names_of_the_mesh_are_arkits() -> None:
    assert arkit_name("eyeBlink_L") == "eyeBlinkLeft"
    assert arkit_name("browInnerUp_R") == "browInnerUp"
    assert arkit_name("jawOpen") == "jawOpen"
    assert arkit_name("mouthLeft") == "mouthLeft"


def test_a_damaged_file_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(InputError, match=r"head\.npz") as caught:
        Head.load(path)
    assert "\n" not in str(caught.value)


def test_another_mesh_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    np.savez(
        path,
        neutral=np.zeros((9, 3)),
        exp=np.zeros((1, 9, 3)),
        exp_names=np.array(["jawOpen"]),
        ident=np.zeros((2, 9, 3)),
        tri=np.zeros((4, 3), int),
    )
    with pytest.raises(InputError, match="another mesh"):
        Head.load(path)


@pytest.fixture(scope="module")
def head(shared: Path) -> Head:
    return Head.load(shared / "data" / "ict_face" / "ict_face.npz")


@pytest.mark.shared
def test_all_of_arkits_shapes_move_the_head(head: Head) -> None:
    assert set(head.shapes.channel) | {FACE_INDEX["tongueOut"]} == set(range(52))
    for channel, name in enumerate(BLENDSHAPES):
        weights = np.zeros(52, np.float32)
        weights[channel] = 1
        moved = (
            bend_face(head, head.neutral, weights).vertices
            - bend_face(head, head.neutral, 0 * weights).vertices
        )
        size = np.linalg.norm(moved, axis=1)
        assert size.max() > 0.2, name
        if name.endswith(("Left", "Right")) and name[:-5].rstrip("R") not in (
            "jaw",
            "mouth",
            "jawR",
            "mouthR",
        ):
            if name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
                continue
            middle = (size * head.neutral[:, 0]).sum()
            assert (middle > 0) == name.endswith("Left"), name


@pytest.mark.shared
@pytest.mark.parametrize("name", ["jawLeft", "mouthLeft", "jawRight", "mouthRight"])
def test_jaw_and_mouth_go_to_the_persons_own_side(head: Head, name: str) -> None:
    weights = np.zeros(52, np.float32)
    weights[FACE_INDEX[name]] = 1
    moved = (
        bend_face(head, head.neutral, weights).vertices - bend_face(head, head.neutral, 0 * weights).vertices
    )
    assert (moved[:, 0].sum() > 0) == name.endswith("Left")


@pytest.mark.shared
def test_weights_add_up_but_for_eyes_and_tongue(head: Head) -> None:
    rng = np.random.default_rng(0)
    weights = rng.uniform(0, 0.5, (2, 52)).astype(np.float32)
    weights[:, [FACE_INDEX[name] for name in BLENDSHAPES if name.startswith("eyeLook")]] = 0
    weights[:, FACE_INDEX["tongueOut"]] = 0
    end = len(head.numbers)
    one, two, both, rest = (
        bend_face(head, head.neutral, w).vertices[:end]
        for w in (*weights, weights.sum(axis=0), 0 * weights[0])
    )
    np.testing.assert_allclose(one + two - rest, both, atol=1e-4)


@pytest.mark.shared
def test_no_coefficients_give_the_mean_face(head: Head) -> None:
    np.testing.assert_array_equal(identities(head, np.zeros((1, 100), np.float32))[0], head.neutral)


@pytest.mark.shared
def test_the_tongue_comes_out_and_stays_in(head: Head) -> None:
    def farthest(out: float) -> float:
        weights = np.zeros(52, np.float32)
        weights[[FACE_INDEX["tongueOut"], FACE_INDEX["jawOpen"]]] = out, 0.35
        return float(bend_face(head, head.neutral, weights).vertices[len(head.numbers) :, 2].max())

    lips = float(head.neutral[head.place_of(np.asarray([0])), 2][0])
    assert farthest(0.0) < lips - 2
    assert farthest(0.5) < farthest(1.0)
    assert farthest(1.0) > lips + 0.5


@pytest.mark.shared
def test_eyeballs_turn_about_their_centers_as_gaze_says(head: Head) -> None:
    weights = np.zeros(52, np.float32)
    weights[[FACE_INDEX["eyeLookOutLeft"], FACE_INDEX["eyeLookInRight"]]] = 1
    bent = bend_face(head, head.neutral, weights)
    assert np.degrees(bent.gaze) == pytest.approx([30, 0], abs=0.01)
    for center, (first, end) in zip(bent.eye_centers, head.eyes, strict=True):
        np.testing.assert_allclose(
            np.linalg.norm(bent.vertices[first:end] - center, axis=1),
            np.linalg.norm(head.neutral[first:end] - center, axis=1),
            atol=1e-4,
        )


@pytest.mark.shared
def test_landmarks_of_the_mean_face_are_symmetrical_and_in_place(head: Head) -> None:
    table = LandmarkTable.load(head)
    np.testing.assert_allclose(table.weight.sum(axis=1), 1, atol=2e-3)
    points = table.points(bend_face(head, head.neutral, np.zeros(52, np.float32)))
    mirrored = points[list(PARTNERS)] * np.array([-1, 1, 1])
    np.testing.assert_allclose(points, mirrored, atol=0.02)
    at = {number: points[place] for place, number in enumerate(LANDMARKS_146)}
    assert len(SKIN_POINTS) == 136
    # The person's right eye and mouth corner are at negative x; the chin is lowest.
    assert at[33][0] < -3.5
    assert at[61][0] < -1.5
    assert at[468][0] == pytest.approx(-at[473][0], abs=0.02)
    assert at[152][1] == points[:, 1].min()
    assert at[4][2] > at[33][2]
