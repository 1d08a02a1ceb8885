#!/usr/bin/env bash
# three.js' mergeVertices seals an avatar's mouth: it merges vertices that coincide at rest, whatever their morphs do.
#
# Versions:  three 0.180.0, @gltf-transform/core and functions 4.2.1; Node 20 or newer with npm.
# Behaviour: a closed mouth is two triangles, an upper and a lower lip, whose edges lie on each other. The morph jawOpen
#            moves the lower lip down by 0.5. mergeVertices() gives 4 vertices of 6, and with jawOpen = 1 the lower lip's
#            edge stays at the upper one: the triangle is stretched, the gap is gone. The morphs are copied, of the
#            vertex that came first. weld() of glTF-Transform leaves the same 6 vertices.
# Source:    examples/jsm/utils/BufferGeometryUtils.js, mergeVertices(): the key of a vertex is made of
#            geometry.attributes; morphAttributes are not in it. The documentation says "all vertex attributes".
# For users: the usual way to smooth a model (delete uv and normal, mergeVertices, computeVertexNormals) shuts lips and lids
#            that touch at rest. Weld with glTF-Transform instead, before loading. Our page does not merge vertices.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit three@0.180.0 @gltf-transform/core@4.2.1 @gltf-transform/functions@4.2.1 >/dev/null
cat >try.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { Document } from "@gltf-transform/core";
import { weld } from "@gltf-transform/functions";
import { BufferGeometry, Float32BufferAttribute } from "three";
import { mergeVertices } from "three/addons/utils/BufferGeometryUtils.js";

const lips = [-1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, -1, 0, 0, 0, -1, 0]; // The upper lip, then the lower lip.
const jawOpen = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -0.5, 0, 0, -0.5, 0, 0, -0.5, 0];

/** Heights of the three corners of the lower lip with jawOpen = 1. */
const lowerLip = (position, morph, index) => index.slice(3).map((vertex) => position[3 * vertex + 1] + morph[3 * vertex + 1]);

const geometry = new BufferGeometry();
geometry.setAttribute("position", new Float32BufferAttribute(lips, 3));
geometry.morphAttributes.position = [new Float32BufferAttribute(jawOpen, 3)];
geometry.morphTargetsRelative = true;
const merged = mergeVertices(geometry);
const sealed = lowerLip(merged.attributes.position.array, merged.morphAttributes.position[0].array, [...merged.index.array]);

const document = new Document();
const vectors = (numbers) =>
  document.createAccessor().setType("VEC3").setArray(new Float32Array(numbers)).setBuffer(document.getRoot().listBuffers()[0]);
document.createBuffer();
const primitive = document.createPrimitive().setAttribute("POSITION", vectors(lips));
primitive.addTarget(document.createPrimitiveTarget().setAttribute("POSITION", vectors(jawOpen)));
document.createScene().addChild(document.createNode().setMesh(document.createMesh().addPrimitive(primitive)));
await document.transform(weld());
const welded = primitive.getAttribute("POSITION");
const open = lowerLip(
  welded.getArray(), primitive.listTargets()[0].getAttribute("POSITION").getArray(), [...primitive.getIndices().getArray()],
);

console.log("as made:       6 vertices; the lower lip with jawOpen = 1 lies at", lowerLip(lips, jawOpen, [0, 1, 2, 3, 4, 5]));
console.log(`mergeVertices: ${merged.attributes.position.count} vertices; the lower lip with jawOpen = 1 lies at`, sealed);
console.log(`glTF-Transform: ${welded.getCount()} vertices; the lower lip with jawOpen = 1 lies at`, open);
assert.deepEqual(open, [-0.5, -0.5, -1.5], "glTF-Transform's behaviour has changed");
assert.deepEqual(sealed, [0, 0, -1.5], "mergeVertices' behaviour has changed");
JAVASCRIPT
node try.mjs
