"""The head, bent by ARKit weights, with turned eyes and the tongue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visavis.channels import BLENDSHAPES, FACE_INDEX
from visavis.types import FloatArray
from visavis_train.face.rendering import raster
from visavis_train.face.rendering.head import (
    INNER_LOWER_LIP,
    LOWER_GUM,
    TONGUE_RINGS,
    TONGUE_SIDES,
    Head,
)
from visavis_train.face.rendering.surface import eye_center

# Turn of the eyeball at a full look.
LOOK_SIDEWAYS_RAD = float(np.radians(30.0))
LOOK_UP_RAD = float(np.radians(25.0))
TONGUE = FACE_INDEX["tongueOut"]


@dataclass(frozen=True, slots=True)
class Bent:
    """A head with an expression, in its own axes.

    Attributes:
        vertices: (V, 3) in cm.
        eye_centers: (2, 3) of the left and the right eyeball, in cm.
        eye_turns: (2, 3, 3) rotations of the left and the right eyeball.
        gaze: (2,) mean yaw (to the person's left) and pitch (up) of the eyes against the head, in radians.
    """

    vertices: FloatArray
    eye_centers: FloatArray
    eye_turns: FloatArray
    gaze: FloatArray


def identities(head: Head, coefficients: FloatArray) -> FloatArray:
    """Vertices (B, V, 3) of faces at rest for coefficients (B, up to 100)."""
    offsets = coefficients.astype(np.float32) @ head.identity[: coefficients.shape[1]]
    return np.asarray(offsets.reshape(len(coefficients), -1, 3) + head.neutral, np.float32)


def bend_face(head: Head, rest: FloatArray, weights: FloatArray, sides: FloatArray | None = None) -> Bent:
    """Give a face an expression.

    Args:
        head: the mesh.
        rest: (V, 3) vertices of the identity at rest, in cm; not changed.
        weights: (52,) ARKit's weights, from 0 to 1.
        sides: (M,) factors for the mesh's own shapes; with them left and right can differ if ARKit has one
            weight for both.
    """
    shapes = head.shapes
    vertices = rest.copy()
    own = weights[shapes.channel].astype(np.float32)
    if sides is not None:
        own = own * sides
    raster.add_shapes(vertices, shapes.starts, shapes.vertex, shapes.offset, own.astype(np.float32))
    angles = eye_angles(weights)
    centers, turns = np.empty((2, 3), np.float32), np.empty((2, 3, 3), np.float32)
    for side, (first, end) in enumerate(head.eyes):
        centers[side] = eye_center(rest[first:end])
        turns[side] = turn(*angles[side])
        vertices[first:end] = (rest[first:end] - centers[side]) @ turns[side].T + centers[side]
    put_tongue(head, vertices, float(weights[TONGUE]))
    return Bent(vertices, centers, turns, angles.mean(axis=0).astype(np.float32))


def eye_angles(weights: FloatArray) -> FloatArray:
    """Yaw (to the person's left) and pitch (up), in radians, of the left and the right eye: (2, 2)."""
    w = {name: float(weights[FACE_INDEX[name]]) for name in BLENDSHAPES if name.startswith("eyeLook")}
    left = w["eyeLookOutLeft"] - w["eyeLookInLeft"]
    right = w["eyeLookInRight"] - w["eyeLookOutRight"]
    return np.asarray(
        [
            (LOOK_SIDEWAYS_RAD * left, LOOK_UP_RAD * (w["eyeLookUpLeft"] - w["eyeLookDownLeft"])),
            (LOOK_SIDEWAYS_RAD * right, LOOK_UP_RAD * (w["eyeLookUpRight"] - w["eyeLookDownRight"])),
        ],
        np.float32,
    )


def set_gaze(weights: FloatArray, side: str, yaw_rad: float, pitch_rad: float) -> None:
    """Set the four eyeLook weights of one eye in place: the inverse of :func:`eye_angles`.

    Args:
        weights: (52,), written.
        side: ``Left`` or ``Right``.
        yaw_rad: to the person's left.
        pitch_rad: up.
    """
    outward = yaw_rad / LOOK_SIDEWAYS_RAD * (1 if side == "Left" else -1)
    upward = pitch_rad / LOOK_UP_RAD
    for name, value in (("Out", outward), ("In", -outward), ("Up", upward), ("Down", -upward)):
        weights[FACE_INDEX[f"eyeLook{name}{side}"]] = min(max(value, 0.0), 1.0)


def turn(yaw_rad: float, pitch_rad: float) -> FloatArray:
    """Rotation (3, 3) that turns the z axis to the person's left and up."""
    cy, sy, cp, sp = np.cos(yaw_rad), np.sin(yaw_rad), np.cos(pitch_rad), np.sin(pitch_rad)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    return np.asarray(about_y @ about_x, np.float32)


def put_tongue(head: Head, vertices: FloatArray, out: float) -> None:
    """Lay the tongue's vertices, the last ones, over the lower lip, in place.

    Args:
        head: the mesh.
        vertices: (V, 3) of the bent head, in cm.
        out: 0 keeps it in the mouth, drawn to a point; 1 shows it 3 cm before the lip and hanging down.
    """
    lip_place, gum_place = head.place_of(np.asarray([INNER_LOWER_LIP, LOWER_GUM]))
    lip = vertices[lip_place]
    root = np.array([0.6 * lip[0], vertices[gum_place, 1] + 0.4, lip[2] - 5.0])
    tube = vertices[-TONGUE_RINGS * TONGUE_SIDES :].reshape(TONGUE_RINGS, TONGUE_SIDES, 3)
    if out <= 0:
        tube[:] = root
        return
    over = lip + np.array([0.0, 0.30, -0.1])
    tip = over + out * np.array([0.0, -1.5, 1.9]) + np.array([0.0, 0.1, 0.1])
    bow = over + out * np.array([0.0, 0.35, 1.5])
    along = np.linspace(0, 1, TONGUE_RINGS)
    # Half of the rings lie in the mouth, half before the lip.
    inner, outer = (2 * along).clip(0, 1)[:, None], (2 * along - 1).clip(0, 1)[:, None]
    front = (1 - outer) ** 2 * over + 2 * outer * (1 - outer) * bow + outer**2 * tip
    spine = np.where(along[:, None] < 0.5, root + (over - root) * inner, front)
    width = 1.75 * np.sqrt(np.maximum(1 - along**5, 0.0)) * (0.8 + 0.2 * min(2 * out, 1))
    ahead = np.gradient(spine, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-6
    across = np.array([1.0, 0.0, 0.0])
    upward = np.cross(ahead, across)
    upward *= np.sign(upward[:, 1:2] + upward[:, 2:] + 1e-9)
    turns = np.linspace(0, 2 * np.pi, TONGUE_SIDES, endpoint=False)
    # Clockwise as seen from the tip, so that its triangles face outward.
    side, high = np.cos(turns), np.sin(turns)
    high = 0.30 * high - 0.08 * (np.abs(side) < 0.3) * (high > 0)
    tube[:] = (
        spine[:, None]
        + width[:, None, None] * side[None, :, None] * across
        + np.minimum(width, 1.0)[:, None, None] * high[None, :, None] * upward[:, None]
    )
