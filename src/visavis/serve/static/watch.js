// The viewer page: the avatar of another page's session, without a camera. For a browser source.

import { Avatar } from "./avatar.js";
import { Models } from "./models.js";
import { valuesOf } from "./retarget.js";
import { Settings } from "./settings.js";
import { Close, backoffMs } from "./socket.js";

const query = new URLSearchParams(location.search);
// The full page's controls, which are missing here, are elements that nobody sees.
const $ = (id) => document.getElementById(id) ?? document.createElement("i");
const json = async (path) => (await fetch(path)).json();
const rulesOfVrm = () => json("retarget/vrm");
const nowS = () => performance.now() / 1000;
const avatar = new Avatar($("avatar"), $("backdrop"));
// The model that this browser shows on the full page, or else the server's.
const choice = { get: () => new Settings().get("model"), set() {} };
let rules = null; // the server's retarget file
const models = new Models($, choice, {
  presets: rulesOfVrm, ranges: () => avatar.puppet.rig.parameters, retarget: (state) => (rules ? valuesOf(rules, state) : {}),
});
let failures = 0;

function showProblem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function connect() {
  const url = new URL("ws/watch", location.href.replace(/^http/, "ws"));
  url.search = new URLSearchParams({ session: query.get("session") ?? "" });
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => {
    const { type, pose, state, mirrored } = JSON.parse(data);
    if (type !== "pose") return; // an error: the server closes next, and says why
    failures = 0;
    showProblem("");
    avatar.lead(pose, nowS());
    models.lead(state, mirrored, nowS());
  };
  socket.onclose = ({ code, reason }) => {
    // A stream must not show messages, except that the address itself is wrong.
    if (code === Close.BAD_MESSAGE) return showProblem(reason);
    failures += 1;
    return window.setTimeout(connect, backoffMs(failures));
  };
}

function drawScreen() {
  requestAnimationFrame(drawScreen);
  avatar.draw(nowS());
}

async function showModel() {
  const { retarget } = await json("health");
  if (retarget) rules = await json(`retarget/${encodeURIComponent(retarget)}`);
  models.name((await rulesOfVrm()).channels);
  await models.restore();
}

$("avatar-card").dataset.background = query.get("background") ?? "transparent";
avatar.model = models;
avatar.load("assets/puppet.json").then(() => {
  connect();
  return showModel().catch((error) => console.warn("the server gives no model:", error.message));
}, (error) => showProblem(`The avatar could not be loaded: ${error.message}`));
requestAnimationFrame(drawScreen);
