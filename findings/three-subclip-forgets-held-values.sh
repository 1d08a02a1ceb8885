#!/usr/bin/env bash
# three.js' subclip() forgets what a face holds: after optimize(), lids that stay shut are open, and the mouth is 0.5 s early.
#
# Versions:  three 0.187.0; Node 20 or newer with npm.
# Behaviour: a clip of 6 s at 30 keys per second: lids are shut from 1 s to 5 s, the mouth rests until 2.5 s and then speaks.
#            AnimationUtils.subclip(clip, "part", 60, 120) gives the seconds 2 to 4 rightly. After clip.optimize(), which leaves
#            out keys that repeat their neighbours, the whole clip plays as before, and its part has no track for the lids,
#            so they stay open. Its mouth starts to speak at 0.03 s, not at 0.53 s: against the sound, it is 0.5 s early.
# Source:    src/animation/AnimationUtils.js, subclip(): it copies the keys between both frames and leaves out tracks without
#            one; nothing is interpolated at the cuts. Then it shifts all tracks so that the first key that is left is at 0.
#            Documentation: "a new clip, containing only the segment of the original clip between the given frames". Animations
#            from Blender with "optimize", from glTF Transform's resample() and from motion editors have few keys, too.
# For users: before subclip(), give each track a key at both cuts, by track.createInterpolant().evaluate(seconds), or play the
#            whole clip between two times. Our page plays no such clips.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit three@0.187.0 >/dev/null
cat >try.mjs <<'JS'
import { AnimationClip, AnimationMixer, AnimationUtils, NumberKeyframeTrack } from "three";
import { BufferGeometry, Float32BufferAttribute, Mesh } from "three";

const [RATE, START, END] = [30, 2, 4];
const seconds = Array.from({ length: 6 * RATE + 1 }, (_, frame) => frame / RATE);
const values = {
  eyeBlinkLeft: (time) => (time >= 1 && time <= 5 ? 1 : 0),
  jawOpen: (time) => (time > 2.5 ? 0.3 - 0.3 * Math.cos(12 * (time - 2.5)) : 0),
};

/** The clip of the whole face. */
function whole() {
  const tracks = Object.entries(values).map(
    ([name, value]) => new NumberKeyframeTrack(`.morphTargetInfluences[${name}]`, seconds, seconds.map(value)),
  );
  return new AnimationClip("talk", -1, tracks);
}

/** A face without points, with its morphs at 0. */
function face() {
  const geometry = new BufferGeometry().setAttribute("position", new Float32BufferAttribute([], 3));
  geometry.morphAttributes.position = Object.keys(values).map((name) => {
    const attribute = new Float32BufferAttribute([], 3);
    attribute.name = name;
    return attribute;
  });
  return new Mesh(geometry);
}

/** The weights of the lid and the jaw while a clip plays, at each picture from a time on. */
function played(clip, from) {
  const mesh = face();
  const mixer = new AnimationMixer(mesh);
  mixer.clipAction(clip).play();
  return Array.from({ length: (END - START) * RATE - 1 }, (_, frame) => {
    mixer.setTime(from + frame / RATE);
    return [...mesh.morphTargetInfluences];
  });
}

/** The largest difference of the lid to the whole clip, and how much earlier the mouth starts, in seconds. */
function compare(name, clip, from) {
  const [now, truth] = [played(clip, from), played(whole(), START)];
  const lid = Math.max(...now.map(([value], frame) => Math.abs(value - truth[frame][0])));
  const [speaks, should] = [now, truth].map((face) => face.findIndex(([, jaw]) => jaw > 1e-3) / RATE);
  const times = `the mouth starts at ${speaks.toFixed(2)} s, and should at ${should.toFixed(2)} s`;
  console.log(`${name}: lids differ by up to ${lid.toFixed(2)}; ${times}`);
  return { lid, early: should - speaks };
}

const part = (clip) => AnimationUtils.subclip(clip, "part", START * RATE, END * RATE, RATE);
const found = {
  optimized: compare("the whole clip, optimized", whole().optimize(), START),
  cut: compare("its part", part(whole()), 0),
  both: compare("its part, optimized before", part(whole().optimize()), 0),
};
for (const name of ["optimized", "cut"]) {
  if (found[name].lid > 1e-3 || found[name].early > 1e-3) throw new Error(`${name}: the face differs`);
}
if (found.both.lid < 0.99) throw new Error("the lids stay shut now");
if (Math.abs(found.both.early - 0.5) > 0.01) throw new Error("the mouth starts at another time now");
JS
node try.mjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
