#!/usr/bin/env bash
# osc-js reads the time of a bundle in whole seconds: bundles of "now" wait up to half a second, then come at once.
#
# Versions:  osc-js 2.4.1; Node 20 or newer with npm.
# Behaviour: a bundle whose time is Date.now(), which is osc-js's own default, should be handled on arrival. If the time
#            lies in the second half of a second, it is read as the next whole second, and the handler is called then:
#            0.7 s past the second waits 0.3 s. Times in the first half are read as too early, and come on arrival.
#            So a stream of bundles stands still for half of each second, and then arrives in one burst.
# Source:    lib/osc.js, Timetag.timestamp(): Math.round(fractions / 2^32) is 0 or 1. notify() then calls setTimeout.
# For users: as a sender, give bundles the OSC time "immediately" (the number 1), or send plain messages. As a receiver,
#            take the packets from the socket yourself. Our bundles say "immediately".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit osc-js@2.4.1 >/dev/null
cat >try.cjs <<'JS'
const OSC = require("osc-js");

const waits = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const receiver = new OSC({ plugin: null });
const came = new Map();
receiver.on("/frame", (message) => came.set(message.args[0], Date.now()));

/** Give the receiver a bundle of this moment, when the clock shows this part of a second; returns the wait in ms. */
async function wait(part) {
  await waits((1000 + part - (Date.now() % 1000)) % 1000);
  const sent = Date.now();
  receiver.eventHandler.notify(new OSC.Bundle([new OSC.Message("/frame", part)], sent).pack());
  await waits(700);
  return came.get(part) - sent;
}

(async () => {
  const read = new OSC.Bundle([new OSC.Message("/frame", 1)], 1700000000700);
  const found = read.timetag.value.timestamp() - 1700000000000;
  console.log(`the time 700 ms past a second is read as ${found} ms past it`);
  const [early, late] = [await wait(300), await wait(700)];
  console.log(`a bundle of now, sent 300 ms past a second: handled after ${early} ms; 700 ms past it: after ${late} ms`);
  if (found !== 1000) throw new Error(`expected 1000, found ${found}`);
  if (early > 100 || late < 200 || late > 400) throw new Error("expected about 0 ms and about 300 ms");
})().catch((error) => { console.error(error.message); process.exit(1); });
JS
node try.cjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
