#!/usr/bin/env bash
# JavaScript's OSC packages send the number 1.0 as an integer and 0.5 as a float, under the same address.
#
# Versions:  node-osc 11.7.1, osc-js 2.4.1; Node 20 or newer with npm.
# Behaviour: the type tag follows the value. A weight that moves from 0 to 1 is sent as i, f, f, ..., f, i.
# Source:    JavaScript has one type of number; both packages call a number without a fraction an integer.
#            OSC 1.0 does not convert: i and f are different arguments, and receivers compare type tags.
# For users: receivers that only take f lose just the ends of each movement. EVMC4U, the reference receiver of the
#            VMC protocol, checks "value is float": an eye that closes completely (1) stays at the last 0.9 something.
#            Send {type: "float", value: 1} instead. Our receiver takes both types; our sender sends weights as f.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit node-osc@11.7.1 osc-js@2.4.1 >/dev/null
cat >try.cjs <<'JS'
const { encode, Message } = require("node-osc");
const OSC = require("osc-js");
const tags = (packet) => Buffer.from(packet).toString("latin1").match(/,[a-z]/)[0].slice(1);
const senders = {
  "node-osc 11.7.1": (value) => tags(encode(new Message("/weight", value))),
  "osc-js 2.4.1": (value) => tags(new OSC.Message("/weight", value).pack()),
};
for (const [name, tagOf] of Object.entries(senders)) {
  const found = [0.0, 0.25, 0.5, 1.0].map(tagOf).join(" ");
  console.log(`${name}: 0.0, 0.25, 0.5, 1.0 are sent as ${found}`);
  if (found !== "i f f i") throw new Error(`expected i f f i, found ${found}`);
}
JS
node try.cjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
