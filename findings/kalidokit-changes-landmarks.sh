#!/usr/bin/env bash
# Kalidokit multiplies the caller's own landmarks by the picture's size: solve them twice and an open eye is shut.
#
# Versions:  kalidokit 1.1.5; Node 20.
# Behaviour: Face.solve(landmarks, {runtime: "mediapipe", imageSize}) gives r = 0.47 for an eye. The same call with
#            the same array gives 0. The array's x and y, 0 to 1 before, are pixels after the first call, and pixels
#            times the size after the second. What is drawn from the array after solve() lies far outside the picture.
#            Without imageSize the same eye gives 1: the picture's sides then count alike.
# Source:    kalidokit/dist/FaceSolver/index.js, solve(): "e.x *= imageSize.width" on the given objects.
# For users: draw first, or solve a copy: landmarks.map((point) => ({ ...point })).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund kalidokit@1.1.5
cp node_modules/kalidokit/dist/kalidokit.es.js kalidokit.mjs # Node does not take the package's own entry.
cat >try.mjs <<'NODE'
import { Face } from "./kalidokit.mjs";

// A flat face: corners of the head and of one eye, and three points on each of its lids.
const face = () => {
  const landmarks = Array.from({ length: 478 }, () => ({ x: 0.5, y: 0.5, z: 0 }));
  const place = (number, x, y) => { landmarks[number] = { x, y, z: 0 }; };
  [[21, 0.3, 0.3], [251, 0.7, 0.3], [397, 0.65, 0.75], [172, 0.35, 0.75]].forEach((point) => place(...point));
  [[362, 0.54], [263, 0.66]].forEach(([number, x]) => place(number, x, 0.4));
  [387, 386, 385].forEach((number, k) => place(number, 0.57 + 0.03 * k, 0.4 - 0.06 * 0.16));
  [373, 374, 380].forEach((number, k) => place(number, 0.57 + 0.03 * k, 0.4 + 0.06 * 0.16));
  return landmarks;
};
const options = { runtime: "mediapipe", imageSize: { width: 640, height: 480 } };
const landmarks = face();
const values = [Face.solve(landmarks, options).eye.r];
const pixels = landmarks[263].x;
values.push(Face.solve(landmarks, options).eye.r);
values.push(Face.solve(face(), { runtime: "mediapipe" }).eye.r);
console.log(`first call ${values[0].toFixed(2)}, the same call again ${values[1]}, without the size ${values[2]}`);
console.log(`the corner's x: 0.66 before, ${pixels.toFixed(1)} after one call, ${landmarks[263].x.toFixed(1)} after two`);
if (!(values[0] > 0.4 && values[0] < 0.6 && values[1] === 0 && values[2] === 1 && pixels > 400)) process.exit(1);
NODE
node try.mjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
