#!/usr/bin/env bash
# glTF Transform's transformMesh() moves a morph's offsets like points: after "apply transform", an open mouth flies away.
#
# Versions:  @gltf-transform/core 4.5.1, @gltf-transform/functions 4.5.1; Node 20 or newer with npm.
# Behaviour: a head on a node at a height of 1.5 m; jawOpen lowers the chin by 2 cm. clearNodeTransform(node), which writes the
#            node's place into the mesh, leaves the face at rest where it was. With jawOpen at 1, all its points are 1.5 m
#            higher, at 0.5 0.75 m higher. transformMesh() and transformPrimitive() do the same. With turns and no shift, the
#            points stay right, and the morph's normals get the length 1, whatever they were: 0.1 becomes 1.
# Source:    packages/functions/src/transform-primitive.ts, transformPrimitive(): applyMatrix and applyNormalMatrix, which
#            normalizes, for the targets' attributes as for the base's. glTF 2.0, 3.7.2.2: targets are added, multiplied by
#            their weights, so they are differences. The documentation promises "all vertex attributes on the Primitive and
#            its PrimitiveTargets". Issue 700 of donmccurdy/glTF-Transform names the right way; pull request 756 left it out.
# For users: nothing shows before a blendshape moves. Keep the node's transform, or turn and scale the targets yourself, by the
#            matrix without its last column and without normalizing. join() leaves out meshes with targets.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit @gltf-transform/core@4.5.1 @gltf-transform/functions@4.5.1 >/dev/null
cat >try.mjs <<'JS'
import { Document } from "@gltf-transform/core";
import { clearNodeTransform } from "@gltf-transform/functions";

/** A head of three points, the last one the chin, on a node; jawOpen moves the chin and its normal. */
function head() {
  const document = new Document();
  const buffer = document.createBuffer();
  const vectors = (...numbers) =>
    document.createAccessor().setType("VEC3").setArray(new Float32Array(numbers)).setBuffer(buffer);
  const jawOpen = document
    .createPrimitiveTarget("jawOpen")
    .setAttribute("POSITION", vectors(0, 0, 0, 0, 0, 0, 0, -0.02, 0))
    .setAttribute("NORMAL", vectors(0, 0, 0, 0, 0, 0, 0, -0.1, 0));
  const primitive = document
    .createPrimitive()
    .setAttribute("POSITION", vectors(-0.1, 0.1, 0, 0.1, 0.1, 0, 0, -0.1, 0))
    .setAttribute("NORMAL", vectors(0, 0, 1, 0, 0, 1, 0, 0, 1))
    .addTarget(jawOpen);
  const mesh = document.createMesh().addPrimitive(primitive).setWeights([0]);
  return document.createNode().setMesh(mesh);
}

/** A number of an attribute of the mesh or of its morph, three for each point. */
const numbers = (node, name, morph) => {
  const primitive = node.getMesh().listPrimitives()[0];
  return (morph ? primitive.listTargets()[0] : primitive).getAttribute(name).getArray();
};

/** The heights of the points in the scene, with this weight of jawOpen; the node must not be turned. */
function heights(node, weight) {
  const [base, morph] = [numbers(node, "POSITION", false), numbers(node, "POSITION", true)];
  return [1, 4, 7].map((k) => node.getTranslation()[1] + base[k] + weight * morph[k]);
}

const moved = head().setTranslation([0, 1.5, 0]);
const weights = [0, 0.5, 1];
const before = weights.map((weight) => heights(moved, weight));
clearNodeTransform(moved);
weights.forEach((weight, k) => {
  const after = heights(moved, weight);
  const jumps = after.map((height, point) => height - before[k][point]);
  const [was, is] = [before[k], after].map((points) => points.map((height) => height.toFixed(2)).join(" "));
  console.log(`jawOpen ${weight}: heights ${was} become ${is}`);
  if (jumps.some((jump) => Math.abs(jump - 1.5 * weight) > 1e-5)) throw new Error("other heights now");
});

const turned = head().setRotation([0, Math.SQRT1_2, 0, Math.SQRT1_2]);
clearNodeTransform(turned);
const chin = (name) => Math.hypot(...numbers(turned, name, true).slice(6));
const [movement, normal] = [chin("POSITION"), chin("NORMAL")];
console.log(`turned: the chin moves by ${movement.toFixed(2)}, and its normal by ${normal.toFixed(2)}, not 0.10`);
if (Math.abs(movement - 0.02) > 1e-6) throw new Error("the movement has another length now");
if (Math.abs(normal - 1) > 1e-5) throw new Error("the normal's change is no longer of length 1");
JS
node try.mjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
