#!/usr/bin/env bash
# Meyda keeps the filters of the first sound that it is given: MFCCs of another sampling rate or length are wrong or NaN.
#
# Versions:  meyda 5.6.3; Node 20 or newer with npm.
# Behaviour: a tone of 1 kHz at 16 kHz, in 512 samples, is loudest in mel band 9. If Meyda.extract() was called for 48 kHz
#            before, the same call, with sampleRate = 16000 set again, says band 12, as if the tone had 3 kHz. If it was called
#            for 2048 samples before, it says band 2; the other way round, all MFCCs are NaN. Nothing is said.
#            spectralRolloff, which needs no filters, follows the rate.
# Source:    src/main.ts, extract(): the documentation sets meyda.bufferSize before a call, as here. Filters are made again
#            if barkScale's length is not bufferSize; rates are not compared. barkScale is renewed just before the mel
#            filters ask for its length, so these do not notice a new bufferSize, either.
# For users: a page that reads a microphone at 48 kHz and files at 16 kHz needs Meyda.melFilterBank = Meyda.barkScale =
#            undefined before each change, as below, or one rate for all sound, as our listener has.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit meyda@5.6.3 >/dev/null
cat >try.cjs <<'JAVASCRIPT'
const assert = require("node:assert/strict");
const Meyda = require("meyda");

/** The loudest mel band of a tone of 1 kHz, the first MFCC, and the frequency below which 99% lies. */
function heard([sampleRate, bufferSize]) {
  Object.assign(Meyda, { sampleRate, bufferSize });
  const tone = Float32Array.from({ length: bufferSize }, (_, index) => Math.sin((2 * Math.PI * 1000 * index) / sampleRate));
  const { mfcc, melBands, spectralRolloff } = Meyda.extract(["mfcc", "melBands", "spectralRolloff"], tone);
  return { band: melBands.indexOf(Math.max(...melBands)), mfcc: mfcc[0].toFixed(2), rolloff: Math.round(spectralRolloff) };
}

const cases = [[16000, 512], [48000, 512], [16000, 2048]];
const found = {};
for (const now of cases) {
  for (const before of cases) {
    Meyda.melFilterBank = Meyda.barkScale = undefined; // As in a new program.
    heard(before);
    const { band, mfcc, rolloff } = (found[[now, before]] = heard(now));
    const text = `band ${band}, first MFCC ${mfcc}, roll-off ${rolloff} Hz`;
    console.log(`1 kHz, rate and length ${now.join(", ")} after ${before.join(", ").padEnd(10)}: ${text}`);
  }
}
const bands = (now) => cases.map((before) => found[[now, before]].band);
assert.deepEqual(bands(cases[0]), [9, 12, 2], "what is heard at 16 kHz has changed");
assert.equal(found[[cases[2], cases[0]]].mfcc, "NaN", "longer sound has changed");
for (const now of cases) assert.equal(new Set(cases.map((before) => found[[now, before]].rolloff)).size, 1);
JAVASCRIPT
node try.cjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
