#!/usr/bin/env bash
# three-vrm's combineMorphs() stops the second of two lids that share a mesh, and a face loses the shape that it has at rest.
#
# Versions:  @pixiv/three-vrm 3.5.5, three 0.187.0; Node 20 or newer with npm.
# Behaviour: two nodes, a left lid and a right lid, show one mesh, and "blink" moves the morph of both. A face has a second morph,
#            which no expression uses, and "weights": [0, 1] holds it at 1: a longer chin. As loaded, all is right. After
#            VRMUtils.combineMorphs(vrm), blink = 1 shuts the left lid only, and the chin is short, also at rest. Nothing is said.
#            If each mesh has its own geometry before the call, both lids shut; the chin stays short.
# Source:    its documentation promises to "combine morph targets by VRM expressions" and to prevent crashes. combineMorphs.ts,
#            combineMorphs(): it empties morphAttributes of a mesh's geometry before it clones this, and GLTFLoader gives nodes of
#            one mesh the same geometry, so the next one finds no morphs. Influences begin at 0, and morphs without an expression
#            are left out, whatever their weight. glTF 2.0, 3.7.2.2: mesh.weights are the weights of the mesh at rest.
# For users: the notes of release 3.3.0 recommend the call to programs that load any model. First give each mesh its own geometry,
#            as below, and leave the call out for models that have weights other than 0. Our page does not combine morphs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit @pixiv/three-vrm@3.5.5 three@0.187.0 >/dev/null
cat >try.mjs <<'JS'
import assert from "node:assert/strict";
import { Vector3 } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { VRMLoaderPlugin, VRMUtils } from "@pixiv/three-vrm";

globalThis.ProgressEvent ??= class {}; // GLTFLoader tells browsers how far it is.

// The bones that VRM 1.0 requires: name, its parent, its place.
const limbs = (side, x) => [
  [`${side}UpperArm`, "spine", [x, 0.4, 0]], [`${side}LowerArm`, `${side}UpperArm`, [x, 0, 0]],
  [`${side}Hand`, `${side}LowerArm`, [x, 0, 0]], [`${side}UpperLeg`, "hips", [x, 0, 0]],
  [`${side}LowerLeg`, `${side}UpperLeg`, [0, -0.4, 0]], [`${side}Foot`, `${side}LowerLeg`, [0, -0.4, 0]],
];
const bones = [
  ["hips", null, [0, 1, 0]], ["spine", "hips", [0, 0.2, 0]], ["head", "spine", [0, 0.5, 0]],
  ...limbs("left", 0.2), ...limbs("right", -0.2),
];
const nodes = bones.map(([name, , translation]) => {
  const children = bones.flatMap(([, parent], i) => (parent === name ? [i] : []));
  return children.length ? { name, translation, children } : { name, translation };
});
const [leftLid, rightLid, face] = [0, 1, 2].map((i) => nodes.length + i);
nodes.push({ name: "leftLid", mesh: 0 }, { name: "rightLid", mesh: 0 }, { name: "face", mesh: 1 });

const arrays = [
  [-1, 0, 0, 1, 0, 0, 0, 1, 0], // A triangle; its tip is 1 high.
  [0, 0, 0, 0, 0, 0, 0, -1, 0], // A morph that moves the tip down by 1.
  [0, 0, 0, 0, 0, 0, 0, 2, 0], // A morph that moves the tip up by 2: a longer chin.
];
const bytes = arrays.map((array) => Buffer.from(new Float32Array(array).buffer));
const binds = (...which) => ({ morphTargetBinds: which.map((node) => ({ node, index: 0, weight: 1 })) });
const model = JSON.stringify({
  asset: { version: "2.0" }, scene: 0, scenes: [{ nodes: [0, leftLid, rightLid, face] }], nodes,
  buffers: bytes.map((part) => (
    { byteLength: part.length, uri: `data:application/octet-stream;base64,${part.toString("base64")}` }
  )),
  bufferViews: bytes.map((part, buffer) => ({ buffer, byteLength: part.length })),
  accessors: arrays.map((_, bufferView) => (
    { bufferView, componentType: 5126, count: 3, type: "VEC3", min: [-1, -1, 0], max: [1, 2, 0] }
  )),
  meshes: [
    { primitives: [{ attributes: { POSITION: 0 }, targets: [{ POSITION: 1 }] }] },
    { primitives: [{ attributes: { POSITION: 0 }, targets: [{ POSITION: 1 }, { POSITION: 2 }] }], weights: [0, 1] },
  ],
  extensionsUsed: ["VRMC_vrm"],
  extensions: {
    VRMC_vrm: {
      specVersion: "1.0", meta: { name: "lids", authors: ["nobody"], licenseUrl: "https://vrm.dev/licenses/1.0/" },
      humanoid: { humanBones: Object.fromEntries(bones.map(([name], node) => [name, { node }])) },
      expressions: { preset: { blink: binds(leftLid, rightLid), happy: binds(face) } },
    },
  },
});

async function tips(prepare) {
  const loader = new GLTFLoader();
  loader.register((parser) => new VRMLoaderPlugin(parser));
  const { vrm } = (await loader.parseAsync(model, "")).userData;
  prepare(vrm);
  const height = (name) => vrm.scene.getObjectByName(name).getVertexPosition(2, new Vector3()).y;
  return [0, 1].map((weight) => {
    vrm.expressionManager.setValue("blink", weight);
    vrm.update(1 / 60);
    return ["leftLid", "rightLid", "face"].map(height);
  });
}
const own = (vrm) => vrm.scene.traverse((part) => { if (part.isMesh) part.geometry = part.geometry.clone(); });
const combine = (vrm) => VRMUtils.combineMorphs(vrm);
const found = {};
for (const [name, prepare] of Object.entries({
  "as loaded": () => {},
  "combineMorphs": combine,
  "own geometries, then combineMorphs": (vrm) => { own(vrm); combine(vrm); },
})) {
  found[name] = await tips(prepare);
  console.log(`heights of left lid, right lid, face at blink = 0 and 1, ${name}: ${JSON.stringify(found[name])}`);
}
assert.deepEqual(Object.values(found), [
  [[1, 1, 3], [0, 0, 3]],
  [[1, 1, 1], [0, 1, 1]],
  [[1, 1, 1], [0, 0, 1]],
], "three-vrm's behaviour has changed");
JS
node try.mjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
