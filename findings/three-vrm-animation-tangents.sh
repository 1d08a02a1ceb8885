#!/usr/bin/env bash
# three-vrm-animation forgets how a VRM animation is interpolated: splines move neither head nor lids, and steps become slopes.
#
# Versions:  @pixiv/three-vrm and @pixiv/three-vrm-animation 3.5.5, three 0.180.0; Node 20 or newer with npm.
# Behaviour: a .vrma turns the head to 0.50 rad and shuts the eyes at 1 s, with tangents of 0 at its three keys. With CUBICSPLINE,
#            three's own player of the same glTF gives 0.50 and 1 at 1 s; the avatar gives 0.00 and 0 all the time, since the
#            tangents before the keys are taken for the values. With STEP, the eyes are half shut at 0.5 s, where glTF keeps them
#            open. LINEAR is right. Nothing is said.
# Source:    VRMC_vrm_animation 1.0: "Use animation defined in the glTF core specification", which has the three. It suggests 30
#            frames per second for readers that interpolate linearly; for them, too, the keys are the values. GLTFLoader keeps
#            the way in track.createInterpolant; VRMAnimationLoaderPlugin makes a NumberKeyframeTrack of the bare numbers for
#            expressions, and createVRMAnimationHumanoidTracks() a QuaternionKeyframeTrack for bones.
# For users: give each track of the clip the createInterpolant of the glTF's own track, as below, or write LINEAR keys. Our page
#            moves VRM models by the face, and reads no .vrma.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit @pixiv/three-vrm@3.5.5 @pixiv/three-vrm-animation@3.5.5 three@0.180.0 >/dev/null
cat >try.mjs <<'JS'
import { AnimationMixer } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { VRMLoaderPlugin } from "@pixiv/three-vrm";
import { VRMAnimationLoaderPlugin, createVRMAnimationClip } from "@pixiv/three-vrm-animation";

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
const humanoid = { humanBones: Object.fromEntries(bones.map(([name], node) => [name, { node }])) };
const gltf = (extension, content, more) => JSON.stringify({
  asset: { version: "2.0" }, scene: 0, extensionsUsed: [extension], extensions: { [extension]: content }, ...more,
});

const model = gltf("VRMC_vrm", {
  specVersion: "1.0", meta: { name: "lids", authors: ["nobody"], licenseUrl: "https://vrm.dev/licenses/1.0/" },
  humanoid, expressions: { preset: { blink: {} } },
}, { nodes, scenes: [{ nodes: [0] }] });

function animation(interpolation) {
  const spline = interpolation === "CUBICSPLINE";
  const keys = (values) => values.flatMap((value) => (spline ? [value.map(() => 0), value, value.map(() => 0)] : [value])).flat();
  const arrays = [
    [0, 1, 2],
    keys([0, 0.5, 0].map((angle) => [0, Math.sin(angle / 2), 0, Math.cos(angle / 2)])),
    keys([[0, 0, 0], [1, 0, 0], [0, 0, 0]]),
  ];
  const accessors = ["SCALAR", "VEC4", "VEC3"].map((type, bufferView) => (
    { bufferView, componentType: 5126, count: bufferView && spline ? 9 : 3, type }
  ));
  Object.assign(accessors[0], { min: [0], max: [2] });
  const bytes = arrays.map((array) => Buffer.from(new Float32Array(array).buffer));
  const uri = (part) => `data:application/octet-stream;base64,${part.toString("base64")}`;
  const lids = nodes.length;
  return gltf("VRMC_vrm_animation", { specVersion: "1.0", humanoid, expressions: { preset: { blink: { node: lids } } } }, {
    nodes: [...nodes, { name: "lids" }], scenes: [{ nodes: [0, lids] }], accessors,
    buffers: bytes.map((part) => ({ byteLength: part.length, uri: uri(part) })),
    bufferViews: bytes.map((part, buffer) => ({ buffer, byteLength: part.length })),
    animations: [{
      samplers: [1, 2].map((output) => ({ input: 0, output, interpolation })),
      channels: [
        { sampler: 0, target: { node: bones.findIndex(([name]) => name === "head"), path: "rotation" } },
        { sampler: 1, target: { node: lids, path: "translation" } },
      ],
    }],
  });
}

async function played(interpolation, mended) {
  const loader = new GLTFLoader();
  loader.register((parser) => new VRMLoaderPlugin(parser));
  loader.register((parser) => new VRMAnimationLoaderPlugin(parser));
  const { vrm } = (await loader.parseAsync(model, "")).userData;
  const file = await loader.parseAsync(animation(interpolation), "");
  const clip = createVRMAnimationClip(file.userData.vrmAnimations[0], vrm);
  if (mended) clip.tracks.forEach((track, k) => { track.createInterpolant = file.animations[0].tracks[k].createInterpolant; });
  const [avatar, plain] = [new AnimationMixer(vrm.scene), new AnimationMixer(file.scene)];
  avatar.clipAction(clip).play();
  plain.clipAction(file.animations[0]).play();
  const turned = (node) => (2 * Math.atan2(node.quaternion.y, node.quaternion.w || 1)).toFixed(2);
  const found = [0.5, 1].flatMap((time_s) => {
    avatar.setTime(time_s);
    plain.setTime(time_s);
    const lids = [vrm.expressionManager.getValue("blink"), file.scene.getObjectByName("lids").position.x];
    const heads = [vrm.humanoid.getNormalizedBoneNode("head"), file.scene.getObjectByName("head")].map(turned);
    return [`${heads[0]}/${heads[1]}`, `${lids[0].toFixed(1)}/${lids[1].toFixed(1)}`];
  }).join(" ");
  console.log(`${interpolation}${mended ? ", mended" : ""}: avatar/glTF, head and lids at 0.5 s, then at 1 s: ${found}`);
  return found;
}

const expected = [
  ["LINEAR", false, "0.25/0.25 0.5/0.5 0.50/0.50 1.0/1.0"],
  ["STEP", false, "0.25/0.00 0.5/0.0 0.50/0.50 1.0/1.0"],
  ["CUBICSPLINE", false, "0.00/0.25 0.0/0.5 0.00/0.50 0.0/1.0"],
  ["STEP", true, "0.00/0.00 0.0/0.0 0.50/0.50 1.0/1.0"],
  ["CUBICSPLINE", true, "0.25/0.25 0.5/0.5 0.50/0.50 1.0/1.0"],
];
for (const [interpolation, mended, values] of expected) {
  if (await played(interpolation, mended) !== values) throw new Error(`expected ${values}`);
}
JS
node try.mjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
