#!/usr/bin/env bash
# pyrr turns a head to its left by a quaternion, and to its right by the matrix of the same angle or of that quaternion.
#
# Versions:  pyrr 0.10.3, numpy 2.2.6; Python 3.10 or newer.
# Behaviour: a nose points along z. Turned by 0.5 rad about y, a quaternion moves it to x = 0.48, by the right-hand rule of glTF
#            and OpenGL. Matrix33 and Matrix44 of the same angle move it to x = -0.48, and so do the matrices that are made
#            of the quaternion itself; x and z are alike. Made back into a quaternion, the matrix turns to x = 0.48 again, so
#            a round trip shows nothing. Translations of Matrix44 go the right way.
# Source:    matrix33.create_from_quaternion() promises "the same rotation as a quaternion". The nine numbers are those for
#            column vectors, as in the pages that pyrr cites; matrix33.apply_to_vector() takes rows, np.dot(vec, mat). A
#            Matrix44 has its translation in the last row, for OpenGL as for rows: a shader turns the wrong way, too.
# For users: take the matrix of quaternion.inverse, also for moderngl, or turn vectors by quaternions only. Negative yaw alone
#            seems right for a head that only looks left and right. We do not use pyrr.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyrr==0.10.3 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
import numpy as np
from pyrr import Matrix33, Matrix44, Quaternion, Vector3, Vector4

ANGLE = 0.5
for axis in range(3):
    name = f"from_{'xyz'[axis]}_rotation"
    start, turned = np.eye(3)[axis - 2], np.eye(3)[axis - 1]  # The right-hand rule: y moves z to x.
    right = np.cos(ANGLE) * start + np.sin(ANGLE) * turned
    wrong = np.cos(ANGLE) * start - np.sin(ANGLE) * turned
    quaternion, small, large = (getattr(kind, name)(ANGLE) for kind in (Quaternion, Matrix33, Matrix44))
    column = np.frombuffer(large.astype("f4").tobytes(), "f4").reshape(4, 4, order="F")  # As a shader reads a mat4.
    ways = {
        "Quaternion": (quaternion * Vector3(start), right),
        "Matrix33": (small * Vector3(start), wrong),
        "Matrix44": ((large * Vector4([*start, 1]))[:3], wrong),
        "Matrix44 in a shader": ((column @ [*start, 1])[:3], wrong),
        "Matrix33(Quaternion)": (Matrix33(quaternion) * Vector3(start), wrong),
        "Matrix44(Quaternion)": ((Matrix44(quaternion) * Vector4([*start, 1]))[:3], wrong),
        "Quaternion(Matrix33)": (Quaternion(small) * Vector3(start), right),
        "Matrix33(inverse)": (Matrix33(quaternion.inverse) * Vector3(start), right),
    }
    for way, (found, expected) in ways.items():
        print(f"{name}(0.5) of {start}: {way:20}", np.round(np.array(found), 2) + 0.0)
        assert np.allclose(np.array(found), expected), f"{way} has changed"
moved = Matrix44.from_translation([1, 2, 3]) * Vector4([0, 0, 0, 1])
assert np.allclose(np.array(moved)[:3], [1, 2, 3]), "translations have changed"
PYTHON
