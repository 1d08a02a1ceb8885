"""Head angles in radians and position in centimetres, from landmarks and a crop's rotation.

The camera is MediaPipe's, with a vertical field of view of 63 degrees. The constants below were fitted to its
Face Landmarker on 4,900 frames of video; they reproduce its translation to 0.1 cm across and 0.4 cm in depth.
"""

from __future__ import annotations

from math import asin, atan, atan2, cos, radians, sin, sqrt, tan

import numpy as np

from visavis.face.region import FaceRegion
from visavis.types import FloatArray

VERTICAL_FIELD_OF_VIEW_RAD = radians(63.0)
# Root mean square distance of the landmarks from their mean on a real head, in centimetres.
FACE_RADIUS_CM = 6.154
# From the head's origin to the mean of its landmarks, in the head's own axes.
LANDMARK_MEAN_CM = np.array([-0.017, 0.072, 3.171], np.float32)
# A head away from the image's middle is seen from the side; the teacher takes this share of the viewing angle
# off its yaw and pitch (measured: -0.24 and -0.23 degrees per degree, correlation -0.98 and -0.83).
VIEW_ANGLE_SHARE = 0.235


def head_pose(
    landmarks: FloatArray, rotation: FloatArray, region: FaceRegion, image_size: tuple[int, int]
) -> FloatArray:
    """Head angles and position.

    Args:
        landmarks: (N, 3) in units of the region.
        rotation: (3, 3) of the head in the upright crop (x right, y up, z towards the viewer).
        region: region of the crop.
        image_size: width and height of the image in pixels.

    Returns:
        (6,) yaw, pitch, roll in radians, then x, y, z in centimetres (see :class:`visavis.types.FaceState`).
    """
    width, height = image_size
    # Plain numbers: operations on small arrays cost more than their arithmetic.
    focal_px = height / 2 / tan(VERTICAL_FIELD_OF_VIEW_RAD / 2)
    middle = landmarks.mean(axis=0)
    radius_px = sqrt(np.square(landmarks - middle).sum() / len(landmarks)) * region.size_px
    depth_cm = FACE_RADIUS_CM * focal_px / radius_px
    u, v = region.to_image(middle[None, :2])[0].tolist()
    ray = np.array([(u - width / 2) / focal_px, (height / 2 - v) / focal_px, -1.0])
    turned = roll_matrix(-region.roll_rad) @ rotation
    yaw, pitch, roll = euler_angles(turned)
    yaw -= VIEW_ANGLE_SHARE * atan(ray[0])
    pitch -= VIEW_ANGLE_SHARE * atan(ray[1])
    return np.asarray([yaw, pitch, roll, *(depth_cm * ray - turned @ LANDMARK_MEAN_CM)], np.float32)


def euler_angles(rotation: FloatArray) -> tuple[float, float, float]:
    """Yaw, pitch and roll in radians of R = Ry(yaw) Rx(-pitch) Rz(-roll)."""
    (r00, r01, x), (_, _, y), (r20, r21, z) = rotation.tolist()
    yaw, pitch = atan2(x, z), asin(min(max(y, -1.0), 1.0))
    across, deep = cos(yaw), -sin(yaw)  # The first row of Ry(-yaw), whose middle is 0.
    return yaw, pitch, atan2(across * r01 + deep * r21, across * r00 + deep * r20)


def rotation_from_euler(yaw: float, pitch: float, roll: float) -> FloatArray:
    """Rotation (3, 3) from angles in radians: the inverse of :func:`euler_angles`."""
    cy, sy, cp, sp = cos(yaw), sin(yaw), cos(pitch), sin(pitch)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    return np.asarray(about_y @ about_x @ roll_matrix(-roll), np.float32)


def roll_matrix(angle_rad: float) -> FloatArray:
    """Rotation (3, 3) about the viewing axis, counterclockwise as seen with y up."""
    c, s = cos(angle_rad), sin(angle_rad)
    return np.asarray([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)


def upright(rotation: FloatArray) -> FloatArray:
    """Turn rotations (N, 3, 3) about the viewing axis until the head's own x axis is level.

    Crops are cut in this way: the line through the outer eye corners is horizontal.
    """
    angles = np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])
    return np.stack([roll_matrix(-float(angle)) @ each for angle, each in zip(angles, rotation, strict=True)])
