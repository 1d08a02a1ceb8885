#!/usr/bin/env bash
# MediaPipe's face mesh moves, and then loses the face, when black bars are added at a picture's sides.
#
# Versions:  mediapipe 0.10.21 (its face mesh model is in the package), scikit-image 0.25.2; Python 3.9 to 3.12.
# Behaviour: the face of a 512 x 512 picture has the same pixels before and after; only black columns are added
#            on the left and right. With 64 px on each side the mean landmark moves by 0.7% of the distance
#            between the outer eye corners, with 128 px by 5%, the worst one by 16%; with 192 px no face is found.
# Source:    the graph letterboxes to a square before it looks for a face:
#            mediapipe/modules/face_detection/face_detection_short_range.pbtxt (image is scaled to fit 128 x 128).
# For users: cut close to the face before labelling; do not letterbox. Our data engine repeats the picture's edge.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mediapipe==0.10.21 scikit-image==0.25.2
# MediaPipe's own messages go to a file; of what went wrong the last line is printed.
failed() { echo "FAILED, the behaviour has changed or could not be tried: $(tail -n 1 "$folder/messages")"; exit 1; }
"$folder/venv/bin/python" - 2>"$folder/messages" <<'PYTHON' || failed
import mediapipe as mp
import numpy as np
import skimage.data

picture = skimage.data.astronaut()


def landmarks(image):
    options = {"static_image_mode": True, "refine_landmarks": True, "max_num_faces": 1}
    with mp.solutions.face_mesh.FaceMesh(**options) as mesh:
        faces = mesh.process(np.ascontiguousarray(image)).multi_face_landmarks
    if not faces:
        return None
    return np.asarray([(p.x * image.shape[1], p.y * image.shape[0]) for p in faces[0].landmark])


exact = landmarks(picture)
eyes_px = np.linalg.norm(exact[33] - exact[263])
moved = {}
for bar_px in (0, 64, 128, 192):
    found = landmarks(np.pad(picture, ((0, 0), (bar_px, bar_px), (0, 0))))
    if found is None:
        moved[bar_px] = None
        print(f"bars of {bar_px:3} px: no face")
        continue
    away = np.linalg.norm(found - [bar_px, 0] - exact, axis=1) / eyes_px
    moved[bar_px] = away.mean()
    print(f"bars of {bar_px:3} px: landmarks move by {away.mean():.1%} of the eye distance, {away.max():.1%} at most")
assert moved[0] == 0, "the same picture twice gives two answers"
assert 0.003 < moved[64] < 0.03, f"bars of 64 px move landmarks by {moved[64]}, not by about 0.007"
assert 0.02 < moved[128], f"bars of 128 px move landmarks by {moved[128]}, not by about 0.05"
assert moved[192] is None, "a face is found between bars of 192 px"
PYTHON
