#!/usr/bin/env bash
# albumentations turns a key point's angle with the picture in Rotate, and against it in RandomRotate90: a gaze then looks back.
#
# Versions:  albumentations 2.0.8, numpy 2.2.6, opencv-python-headless 4.12.0.88; Python 3.10 or newer.
# Behaviour: an eye looks to the right of the picture and 30 degrees upwards: a key point "xya" with the angle 30, and a second
#            point in this direction. After Rotate, Affine and SafeRotate by 90 degrees, the second point is seen at 120 degrees,
#            and the angle is 120. After a quarter turn by RandomRotate90, the point is at 120 and the angle is 300, or the
#            reverse. Half turns and flips are right. D4 is wrong in three of its eight ways, and Transpose by 180 degrees for
#            angles up to 180. The places of the points are right each time. Nothing is said.
# Source:    the documentation, "Keypoints augmentation": "Keypoint angles are counter-clockwise". geometric/functional.py,
#            keypoints_rot90(): it "rotates counter-clockwise", and subtracts 90 degrees from the angle. keypoints_transpose()
#            subtracts the angle from 90 degrees if it is at most 180, else from 270. With angles that count clockwise, the
#            quarter turns are right, and Rotate is wrong.
# For users: directions of gaze and the roll of a face are such angles. Give the direction as a second key point, and take the
#            angle between both after the transforms. Our training turns pictures and faces by code of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet albumentations==2.0.8 numpy==2.2.6 opencv-python-headless==4.12.0.88
NO_ALBUMENTATIONS_UPDATE=1 "$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import albumentations as A
import numpy as np

SIDE, REACH = 65, 16
picture = np.zeros((SIDE, SIDE, 3), np.uint8)


def looks(transform, angle_deg, seed=0):
    """Where the second point is seen from the first one, and the first one's angle; counter-clockwise degrees."""
    angle_rad, middle = np.radians(angle_deg), SIDE // 2
    eye = [middle, middle, angle_deg]
    seen = [middle + REACH * np.cos(angle_rad), middle - REACH * np.sin(angle_rad), angle_deg]
    points = A.KeypointParams(format="xya", remove_invisible=False)
    (x, y, angle), (seen_x, seen_y, _) = A.Compose([transform], keypoint_params=points, seed=seed)(
        image=picture, keypoints=[eye, seen]
    )["keypoints"]
    return round(np.degrees(np.arctan2(y - seen_y, seen_x - x))) % 360, round(float(angle)) % 360


ANGLES = (30, 120, 210, 300)
for name, transform, wrong in [
    ("Rotate by 90", A.Rotate((90, 90), p=1), []),
    ("Affine by 90", A.Affine(rotate=(90, 90), p=1), []),
    ("SafeRotate by 90", A.SafeRotate((90, 90), p=1), []),
    ("HorizontalFlip", A.HorizontalFlip(p=1), []),
    ("VerticalFlip", A.VerticalFlip(p=1), []),
    ("Transpose", A.Transpose(p=1), [30, 120]),
]:
    found = {angle: looks(transform, angle) for angle in ANGLES}
    print(f"{name:16} of {ANGLES}: second point, angle {list(found.values())}")
    assert [angle for angle, (seen, kept) in found.items() if seen != kept] == wrong, "the behaviour has changed"

for name, transform, expected in [
    ("RandomRotate90", A.RandomRotate90(p=1), {(30, 30), (120, 300), (210, 210), (300, 120)}),
    ("D4", A.D4(p=1), {
        (30, 30), (120, 300), (210, 210), (300, 120), (150, 150), (330, 330), (60, 60), (240, 60),
    }),
]:
    found = {looks(transform, 30, seed) for seed in range(100)}
    print(f"{name:16} of 30, all its ways: second point, angle {sorted(found)}")
    assert found == expected, "the behaviour has changed"
PYTHON
