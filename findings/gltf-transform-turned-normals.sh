#!/usr/bin/env bash
# glTF Transform's quantize() cuts morphs' normals off at -1 and 1: a lid that turns by 100 degrees is lit 30 degrees off.
#
# Versions:  @gltf-transform/core and functions 4.2.1; Node 20 or newer with npm.
# Behaviour: the morph "blink" turns the edges of lids by 60, 100, 120 and 180 degrees, as much upwards before as downwards after.
#            After quantize(), their normals are off by 0, 30, 45 degrees, and the last is (0, 0, 0), which has no direction.
#            Before it, and with patternTargets = /POSITION/, they are right. 16 bits instead of 10 change nothing. Nothing is
#            said; texture coordinates out of range are left alone with a warning.
# Source:    glTF stores a morph's normals as differences, from -2 to 2. KHR_mesh_quantization: "for NORMAL and TANGENT, models
#            with very large displacements that do not fit into [-1..1] range need to use FLOAT storage". quantize.ts,
#            quantizeAttribute(): clamp(el[j], range). meshopt() calls quantize().
# For users: edges of lids and lips shine or darken as they close. quantize({patternTargets: /POSITION/}) leaves the normals of
#            morphs as floats. Our page loads models as they are.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit @gltf-transform/core@4.2.1 @gltf-transform/functions@4.2.1 >/dev/null
cat >try.mjs <<'JS'
import { Document, Logger } from "@gltf-transform/core";
import { quantize } from "@gltf-transform/functions";

const turns = [60, 100, 120, 180];
const radians = (degrees) => degrees * Math.PI / 180;
const open = turns.map((turn) => [0, Math.sin(radians(turn / 2)), Math.cos(radians(turn / 2))]); // z is ahead.
const shut = open.map(([x, y, z]) => [x, -y, z]);
const warnings = [];

/** How far the normals of the shut lids are off, in degrees, once the document is quantised; NaN if there is no direction. */
async function off(options) {
  const document = new Document().setLogger({ ...new Logger(Logger.Verbosity.SILENT), debug() {}, info() {}, error() {},
    warn: (text) => warnings.push(text) });
  const buffer = document.createBuffer();
  const accessor = (rows) => document.createAccessor().setType("VEC3").setBuffer(buffer).setArray(new Float32Array(rows.flat()));
  const target = document.createPrimitiveTarget("blink")
    .setAttribute("POSITION", accessor(open.map(() => [0, -0.01, 0])))
    .setAttribute("NORMAL", accessor(open.map((normal, k) => normal.map((value, i) => shut[k][i] - value))));
  const lids = document.createPrimitive().addTarget(target)
    .setAttribute("POSITION", accessor(open.map((_, k) => [k, k % 2, 0])))
    .setAttribute("NORMAL", accessor(open));
  document.createScene().addChild(document.createNode().setMesh(document.createMesh().addPrimitive(lids)));
  if (options) await document.transform(quantize({ cleanup: false, ...options }));
  return open.map((_, k) => {
    const [normal, change] = [lids, target].map((part) => part.getAttribute("NORMAL").getElement(k, []));
    const sum = normal.map((value, i) => value + change[i]);
    const length = Math.hypot(...sum);
    const cosine = sum.reduce((total, value, i) => total + value * shut[k][i], 0) / length;
    return length < 0.01 ? NaN : Math.round(Math.acos(Math.min(cosine, 1)) * 180 / Math.PI);
  });
}

const ways = [
  ["as modelled", null, "0 0 0 0"],
  ["quantize()", {}, "0 30 45 NaN"],
  ["quantizeNormal: 16", { quantizeNormal: 16 }, "0 30 45 NaN"],
  ["patternTargets: /POSITION/", { patternTargets: /POSITION/ }, "0 0 0 0"],
];
for (const [name, options, expected] of ways) {
  const found = (await off(options)).join(" ");
  console.log(`${name}: lids that turn by ${turns.join(", ")} degrees are off by ${found}; warnings: ${warnings.length}`);
  if (found !== expected || warnings.length) throw new Error(`expected ${expected} without a warning`);
}
JS
node try.mjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
