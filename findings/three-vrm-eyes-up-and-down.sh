#!/usr/bin/env bash
# three-vrm turns a VRM model's eye bones upwards by the range that the model gives for downwards, and the reverse.
#
# Versions:  @pixiv/three-vrm 3.5.5, three 0.180.0; Node 20 or newer with npm.
# Behaviour: a VRM 1.0 model allows its eyes 5 degrees up and 20 degrees down. With lookAt.pitch = -90, which is up, the
#            eyes turn 20 degrees up; with +90 they turn 5 degrees down. Models of type "expression" are right: there
#            lookUp follows rangeMapVerticalUp.
# Source:    VRMLookAtBoneApplier.applyYawPitch() takes rangeMapVerticalDown where pitch < 0. The specification says
#            "pitch > 0 (down)": vrm-specification, VRMC_vrm-1.0/lookAt.md, and three-vrm's expression applier agrees.
# For users: an upper lid hides an eye that turns too far up. After loading, exchange rangeMapVerticalUp and
#            rangeMapVerticalDown of a VRMLookAtBoneApplier. Our page does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit @pixiv/three-vrm@3.5.5 three@0.180.0 >/dev/null
cat >try.mjs <<'JS'
import { Vector3 } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { VRMLoaderPlugin } from "@pixiv/three-vrm";

// The bones that VRM 1.0 requires, and two eyes: name, its parent, its place.
const limbs = (side, x) => [
  [`${side}UpperArm`, "spine", [x, 0.4, 0]], [`${side}LowerArm`, `${side}UpperArm`, [x, 0, 0]],
  [`${side}Hand`, `${side}LowerArm`, [x, 0, 0]], [`${side}UpperLeg`, "hips", [x, 0, 0]],
  [`${side}LowerLeg`, `${side}UpperLeg`, [0, -0.4, 0]], [`${side}Foot`, `${side}LowerLeg`, [0, -0.4, 0]],
  [`${side}Eye`, "head", [x / 5, 0.1, 0.1]],
];
const bones = [
  ["hips", null, [0, 1, 0]], ["spine", "hips", [0, 0.2, 0]], ["head", "spine", [0, 0.5, 0]],
  ...limbs("left", 0.2), ...limbs("right", -0.2),
];
const number = (name) => bones.findIndex(([other]) => other === name);

function model(type, up, down) {
  const across = { inputMaxValue: 90, outputScale: 10 };
  const lookAt = {
    type, offsetFromHeadBone: [0, 0.1, 0], rangeMapHorizontalInner: across, rangeMapHorizontalOuter: across,
    rangeMapVerticalUp: { inputMaxValue: 90, outputScale: up },
    rangeMapVerticalDown: { inputMaxValue: 90, outputScale: down },
  };
  return JSON.stringify({
    asset: { version: "2.0" }, scene: 0, scenes: [{ nodes: [0] }],
    nodes: bones.map(([name, , translation]) => {
      const children = bones.flatMap(([, parent], i) => (parent === name ? [i] : []));
      return children.length ? { name, translation, children } : { name, translation };
    }),
    extensionsUsed: ["VRMC_vrm"],
    extensions: { VRMC_vrm: {
      specVersion: "1.0",
      meta: { name: "eyes", authors: ["nobody"], licenseUrl: "https://vrm.dev/licenses/1.0/" },
      humanoid: { humanBones: Object.fromEntries(bones.map(([name]) => [name, { node: number(name) }])) },
      expressions: { preset: { lookUp: {}, lookDown: {} } },
      lookAt,
    } },
  });
}

async function load(...kind) {
  const loader = new GLTFLoader();
  loader.register((parser) => new VRMLoaderPlugin(parser));
  return (await loader.parseAsync(model(...kind), "")).userData.vrm;
}

function look(vrm, pitch) {
  vrm.lookAt.yaw = 0;
  vrm.lookAt.pitch = pitch;
  vrm.update(0);
  vrm.scene.updateMatrixWorld(true);
  const ahead = vrm.humanoid.getRawBoneNode("leftEye").getWorldDirection(new Vector3());
  return Math.round(Math.asin(ahead.y) * 180 / Math.PI);
}

const eyes = await load("bone", 5, 20);
const [up, down] = [look(eyes, -90), look(eyes, 90)];
console.log(`bones, at most 5 degrees up and 20 down: pitch -90 turns the eyes by ${up}, pitch 90 by ${down} (up is positive)`);
const shapes = await load("expression", 0.25, 1);
look(shapes, -90);
const lookUp = shapes.expressionManager.getValue("lookUp");
look(shapes, 90);
const lookDown = shapes.expressionManager.getValue("lookDown");
console.log(`expressions, at most 0.25 up and 1 down: pitch -90 gives lookUp ${lookUp}, pitch 90 gives lookDown ${lookDown}`);
if (up !== 20 || down !== -5) throw new Error(`expected 20 and -5, found ${up} and ${down}`);
if (lookUp !== 0.25 || lookDown !== 1) throw new Error("expected lookUp 0.25 and lookDown 1");
JS
node try.mjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
