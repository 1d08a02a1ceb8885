#!/usr/bin/env bash
# three-vrm's update(delta) takes seconds, but the drag of hair counts frames: at 30 pictures a second, hair swings on.
#
# Versions:  @pixiv/three-vrm-springbone 3.5.5 (the springs of @pixiv/three-vrm), three 0.180.0; Node 20 or newer with npm.
# Behaviour: hair of three bones hangs from a head that leans by 17 degrees in 0.2 s. With stiffness 1 and dragForce 0.2 it swings
#            41% too far and rests after 0.9 s if update() is called 30 times a second, as in a stream; 26% and 0.5 s at
#            60; 9% and 0.4 s at 144, as on a fast screen. delta is right each time. With dragForce 0.4 it is 10%, 3% and 0%.
# Source:    VRMSpringBoneJoint.update(): the way since the last call is multiplied by 1 - dragForce and taken again, however
#            long delta is; stiffness and gravity are multiplied by delta once, as for a speed, and so their pull is
#            stronger in short frames. The specification (VRMC_springBone 1.0) speaks of forces, and says no rate.
# For users: call vrm.springBoneManager.update(1 / 60) as often as 1/60 s has passed. Models look alike then in the editor, in
#            a stream and on each screen. Our page does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit @pixiv/three-vrm-springbone@3.5.5 three@0.180.0 >/dev/null
cat >try.mjs <<'JS'
import { Object3D, Vector3 } from "three";
import { VRMSpringBoneJoint, VRMSpringBoneManager } from "@pixiv/three-vrm-springbone";

/** How far hair swings beyond its last place, in percent of the way, and when it rests. */
function swing(rate, dragForce) {
  const [head, hair] = [new Object3D(), [0, 1, 2, 3].map(() => new Object3D())];
  hair.forEach((bone, k) => {
    bone.position.set(0, k ? -0.1 : 0, k ? 0 : -0.1);
    (hair[k - 1] ?? head).add(bone);
  });
  head.updateMatrixWorld(true);
  const springs = new VRMSpringBoneManager();
  for (let k = 0; k < 3; k += 1) springs.addJoint(new VRMSpringBoneJoint(hair[k], hair[k + 1], { stiffness: 1, dragForce }));
  springs.setInitState();
  springs.reset();
  const places = [];
  for (let n = 0; n <= 3 * rate; n += 1) {
    head.rotation.z = 0.3 * Math.min(n / rate / 0.2, 1);
    head.updateMatrixWorld(true);
    springs.update(1 / rate);
    head.updateMatrixWorld(true);
    places.push(hair[3].getWorldPosition(new Vector3()).x);
  }
  const last = places.at(-1);
  const rests_s = places.findLastIndex((x) => Math.abs(x - last) > 0.05 * last) / rate;
  return { beyond: Math.round(100 * (Math.max(...places) / last - 1)), rests_s };
}

const found = Object.fromEntries([0.2, 0.4].flatMap((drag) => [30, 60, 144].map((rate) => {
  const { beyond, rests_s } = swing(rate, drag);
  console.log(`dragForce ${drag}, ${rate} frames a second: ${beyond}% too far, rests after ${rests_s.toFixed(2)} s`);
  return [`${drag} ${rate}`, beyond];
})));
const expected = { "0.2 30": 41, "0.2 60": 26, "0.2 144": 9, "0.4 30": 10, "0.4 60": 3, "0.4 144": 0 };
for (const [name, beyond] of Object.entries(expected)) {
  if (Math.abs(found[name] - beyond) > 1) throw new Error(`expected ${beyond}% at ${name}`);
}
JS
node try.mjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
