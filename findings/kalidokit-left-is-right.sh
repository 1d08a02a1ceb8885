#!/usr/bin/env bash
# Kalidokit's left eye is the person's right eye, so its values and MediaPipe's or ARKit's do not mix.
#
# Versions:  kalidokit 1.1.5, @mediapipe/tasks-vision 0.10.21; Node 20.
# Behaviour: the landmarks of a face whose right eye is closed and whose left eye is open (MediaPipe's lists name
#            their sides) give eye.l = 0 and eye.r = 1. ARKit's eyeBlinkLeft and MediaPipe's own blendshapes mean
#            the person's left. Kalidokit means the left side of the picture, without a word in its documentation.
# Source:    kalidokit/dist/FaceSolver/calcEyes.js: LEFT is 130, 133, 160 and so on, which MediaPipe lists in
#            FACE_LANDMARKS_RIGHT_EYE.
# For users: swap l and r before you send them with ARKit's names to VMC, VTube Studio or Live2D (ParamEyeLOpen is the
#            character's left); in a mirrored preview one does not see the fault.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund kalidokit@1.1.5 @mediapipe/tasks-vision@0.10.21
cp node_modules/kalidokit/dist/kalidokit.es.js kalidokit.mjs # Node does not take the package's own entry.
cat >try.mjs <<'NODE'
import { FaceLandmarker } from "@mediapipe/tasks-vision";
import { Face } from "./kalidokit.mjs";

const points = (edges) => new Set(edges.flatMap((edge) => [edge.start, edge.end]));
const right = points(FaceLandmarker.FACE_LANDMARKS_RIGHT_EYE);
const left = points(FaceLandmarker.FACE_LANDMARKS_LEFT_EYE);

// A flat face in a square picture: corners of the head and of the eyes, and three points on each lid.
const landmarks = Array.from({ length: 478 }, () => ({ x: 0.5, y: 0.5, z: 0 }));
const place = (number, x, y) => { landmarks[number] = { x, y, z: 0 }; };
[[21, 0.3, 0.3], [251, 0.7, 0.3], [397, 0.65, 0.75], [172, 0.35, 0.75]].forEach((point) => place(...point));
const eye = (corners, upper, lower, x, open) => {
  corners.forEach((number, k) => place(number, x + (k ? 0.06 : -0.06), 0.4));
  upper.forEach((number, k) => place(number, x + 0.03 * (k - 1), 0.4 - 0.06 * open));
  lower.forEach((number, k) => place(number, x + 0.03 * (k - 1), 0.4 + 0.06 * open));
};
eye([130, 133], [160, 159, 158], [144, 145, 153], 0.4, 0.02);
eye([362, 263], [387, 386, 385], [373, 374, 380], 0.6, 0.3);

const solved = Face.solve(landmarks, { runtime: "mediapipe" }).eye;
console.log(`MediaPipe: 159 and 145 are of the ${right.has(159) && right.has(145) ? "right" : "?"} eye, closed here`);
console.log(`MediaPipe: 386 and 374 are of the ${left.has(386) && left.has(374) ? "left" : "?"} eye, open here`);
console.log(`Kalidokit: l ${solved.l}, r ${solved.r}`);
if (!(right.has(159) && left.has(386) && solved.l === 0 && solved.r === 1)) process.exit(1);
NODE
node try.mjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
