#!/usr/bin/env bash
# three.js turns and scales a geometry without its morphs: a head that is baked upright opens its mouth to the back.
#
# Versions:  three 0.187.0; Node 20 or newer with npm.
# Behaviour: a head in centimetres, with z upwards; jawOpen lowers the chin by 2 cm. As a mesh that is turned and scaled to
#            metres, its chin falls by 0.02 m. After geometry.rotateX(-Math.PI / 2).scale(0.01, 0.01, 0.01), which bakes the
#            same into the points, the face at rest is the same, and jawOpen moves the chin by 2 m to the back. Morphs that
#            hold places, three.js' default, also miss translate(0, 1.5, 0): the open face is where the file had it.
# Source:    src/core/BufferGeometry.js, applyMatrix4(): attributes position, normal and tangent, never morphAttributes.
#            rotateX(), scale(), translate(), center() and lookAt() all end there. Documentation: "Applies the given 4x4
#            transformation matrix to the geometry", and of rotateX: "This is typically done as a one time operation".
# For users: nothing shows until a blendshape moves. Turn the mesh, not the geometry; or apply the matrix to each
#            morphAttributes.position, without its shift if morphTargetsRelative. Our page turns VRM models as objects.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit three@0.187.0 >/dev/null
cat >try.mjs <<'JS'
import { BufferGeometry, Float32BufferAttribute, Mesh, Vector3 } from "three";

const CHIN = 2;
const rest = [-8, 0, 10, 8, 0, 10, 0, -9, -10]; // Centimetres, z upwards, the face towards -y.

/** The head; jawOpen as offsets, or as places. */
function head(relative) {
  const jawOpen = [0, 0, 0, 0, 0, 0, 0, 0, -2].map((offset, k) => (relative ? offset : rest[k] + offset));
  const geometry = new BufferGeometry().setAttribute("position", new Float32BufferAttribute(rest, 3));
  geometry.morphAttributes.position = [new Float32BufferAttribute(jawOpen, 3)];
  geometry.morphTargetsRelative = relative;
  return geometry;
}

/** The place of the chin in the scene, in metres. */
function chin(mesh, weight) {
  mesh.morphTargetInfluences[0] = weight;
  mesh.updateMatrixWorld();
  return mesh.getVertexPosition(CHIN, new Vector3()).applyMatrix4(mesh.matrixWorld);
}

const words = (vector) => vector.toArray().map((value) => value.toFixed(2).replace("-0.00", "0.00")).join(" ");
const turn = -Math.PI / 2;
const found = {};
for (const relative of [true, false]) {
  const object = new Mesh(head(relative));
  object.rotation.x = turn;
  object.scale.setScalar(0.01);
  object.position.y = 1.5;
  const baked = new Mesh(head(relative).rotateX(turn).scale(0.01, 0.01, 0.01).translate(0, 1.5, 0));
  for (const [name, mesh] of Object.entries({ object, baked })) {
    const [closed, open] = [chin(mesh, 0), chin(mesh, 1)];
    const kind = relative ? "offsets" : "places";
    console.log(`${kind}, ${name}: the chin is at ${words(closed)} m; with jawOpen at ${words(open)} m`);
    found[`${relative} ${name}`] = [closed, open];
  }
}
const expected = {
  "true object": [[0, 1.4, 0.09], [0, 1.38, 0.09]],
  "true baked": [[0, 1.4, 0.09], [0, 1.4, -1.91]],
  "false object": [[0, 1.4, 0.09], [0, 1.38, 0.09]],
  "false baked": [[0, 1.4, 0.09], [0, -9, -12]],
};
for (const [name, places] of Object.entries(expected)) {
  places.forEach((place, k) => {
    const away = found[name][k].distanceTo(new Vector3(...place));
    if (away > 1e-5) throw new Error(`${name}: expected ${place}, ${away} m away`);
  });
}
JS
node try.mjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
