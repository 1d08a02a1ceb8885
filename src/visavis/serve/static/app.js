// The page's main program: camera -> server -> avatar and figures, and all states that the person can see.

import { Avatar } from "./avatar.js";
import { Bars } from "./bars.js";
import { Calibrating } from "./calibrating.js";
import { Capture, SourceError } from "./capture.js";
import { FaceTokens } from "./face_tokens.js";
import { Figures } from "./figures.js";
import { HELP, bindKeys } from "./keys.js";
import { Link } from "./link.js";
import { Listening } from "./listening.js";
import { KeptTokens } from "./kept_tokens.js";
import { Models } from "./models.js";
import { Outputs } from "./outputs.js";
import { Overlay } from "./overlay.js";
import { Placing } from "./placing.js";
import { Recorder } from "./recorder.js";
import { Settings, sessionName } from "./settings.js";
import { RetargetPanel } from "./retarget.js";
import { epochMs } from "./stats.js";
import { Timeline } from "./timeline.js";
import { CAMERA_PROBLEMS, HINTS, hintFor, serverMessage, whereFramesGo } from "./messages.js";

const NO_FACE_S = 0.7; // by answers: without answers, nobody knows
const LATE_S = 2;
const BARS_EVERY_S = 0.08; // faster than people read figures, slow enough to leave time for the avatar
const STATE_NAMES = { open: "connected", connecting: "connecting…", waiting: "gone", idle: "–", refused: "refused" };

const $ = (id) => document.getElementById(id);
const nowS = () => performance.now() / 1000;

const query = new URLSearchParams(location.search);
// The token is in a cookie now; the address should not show it, and the history should not keep it.
if (query.has("token")) {
  query.delete("token");
  history.replaceState(null, "", `${location.pathname}?${query}`.replace(/\?$/, ""));
}
const settings = new Settings();
const avatar = new Avatar($("avatar"), $("backdrop"));
const overlay = new Overlay($("overlay"));
const keptTokens = new KeptTokens($("kept-tokens"), settings);
const bars = new Bars($("bars"), $("scales"));
const timeline = new Timeline($("timeline"), $("timeline-caption"));
const faceTokens = new FaceTokens($("face-tokens"), avatar, () => settings.get("mirror"));
const session = sessionName();
const link = new Link(new URL(`ws?session=${session}`, location.href.replace(/^http/, "ws")).href);
const capture = new Capture($("video"), link);
const calibrating = new Calibrating(link);
const outputs = new Outputs($("outputs"), link);
// VRM's own presets, for models without ARKit's shapes; the same file as `visavis retarget vrm`.
const vrmPresets = () => fetch("retarget/vrm").then((answer) => answer.json());
const retarget = new RetargetPanel($("retarget"));
const models = new Models($, settings, { presets: vrmPresets, ranges: () => avatar.puppet.rig.parameters, retarget: (state) => retarget.values(state) });
const placing = new Placing($("avatar-card"), [$("avatar"), $("vrm"), $("live2d")], settings);
const recorder = new Recorder($("record"), link, () => models.canvas, (text) => models.tell(text, true));
const listening = new Listening(link, settings, capture);

const figures = new Figures();
let source = null; // () => Promise that opens the camera or file again
let serverState = { state: "idle" };
let lastMoment = null;
let faceSeenS = 0;
let answeredS = 0;
let pace = { why: "full" };
let barsShownS = 0;
let expressionNames = [];

// ---------------------------------------------------------------- phases: notice, starting, live, problem

function enterPhase(phase) {
  document.body.dataset.phase = phase;
  $("notice").hidden = phase !== "notice" && phase !== "starting";
  $("problem").hidden = phase !== "problem";
  $("start").disabled = phase === "starting";
  $("stop").hidden = phase !== "live";
  if (phase !== "live") {
    showNothing();
    faceTokens.clear();
    lastMoment = null;
  }
  listening.enter(phase === "live");
  recorder.enter(phase === "live" && link.state === "open");
  calibrating.enter(phase === "live" && link.state === "open");
  showSign();
  showHint();
}

async function start(open) {
  await recorder.finish();
  source = open;
  enterPhase("starting");
  try {
    await open();
  } catch (error) {
    showProblem(error instanceof SourceError ? error.reason : "other", error.message);
    return;
  }
  faceSeenS = answeredS = nowS();
  figures.begin();
  enterPhase("live");
  sendSettings();
  link.connect();
  listCameras();
}

function startCamera() {
  settings.set("consented", true);
  return openCamera();
}

const openCamera = () => start(() => capture.openCamera(settings.get("camera"), settings.get("frameWidth")));

async function stop() {
  await recorder.finish();
  capture.stop();
  link.disconnect();
  enterPhase("notice");
  $("start").focus();
}

async function showProblem(reason, detail = "") {
  await recorder.finish();
  capture.stop();
  link.disconnect();
  $("problem-title").textContent = CAMERA_PROBLEMS[reason].title;
  $("problem-text").textContent = CAMERA_PROBLEMS[reason].text;
  $("problem-detail").textContent = detail && `The browser says: ${detail}`;
  enterPhase("problem");
}

async function listCameras() {
  const select = $("cameras");
  const cameras = await capture.cameras();
  select.replaceChildren(select.options[0]);
  cameras.forEach(({ deviceId, label }, i) => select.append(new Option(label || `Camera ${i + 1}`, deviceId)));
  settings.show();
  if (select.selectedIndex < 0) select.selectedIndex = 0; // a camera chosen earlier is missing now
}

// ---------------------------------------------------------------- incoming moments

capture.addEventListener("lost", () => showProblem("lost"));

link.addEventListener("hello", ({ detail }) => {
  pace = { why: "full" };
  answeredS = nowS();
  introduce(detail);
  $("watch-line").hidden = !detail.shows;
  calibrating.offer(detail.profile);
});

link.addEventListener("profile", ({ detail }) => calibrating.remember(detail.kept));

link.addEventListener("moment", ({ detail: moment }) => {
  if (document.body.dataset.phase !== "live") return;
  const at = nowS();
  figures.came(moment);
  avatar.lead(moment.pose, at);
  models.lead(moment.state, settings.get("mirror") && moment.hears === null, at);
  answeredS = at;
  if (moment.faces.length) faceSeenS = at;
  lastMoment = moment;
  const tokens = keptTokens.take(moment);
  if (moment.sent) overlay.draw(settings.get("showLandmarks") ? moment.faces : [], tokens, moment.sent);
  const expression = settings.get("readExpressions") ? moment.expression : null;
  if (at - barsShownS > BARS_EVERY_S) {
    barsShownS = at;
    bars.show(expression);
    retarget.show(moment.state);
  }
  timeline.add(at, expression);
  faceTokens.add(at, moment);
  listening.hear(moment.hears, at);
  showHint();
  if (listening.on) calibrating.close(); // A listener has its own face.
  else calibrating.take(moment.guide);
  outputs.show(moment.outputs);
});

link.addEventListener("pace", ({ detail }) => {
  pace = detail;
  showHint();
});

link.addEventListener("problem", ({ detail }) => {
  if (["too_much_sound", "bad_sound"].includes(detail.code)) listening.miss(nowS());
  figures.problems += 1;
  if (detail.code === "not_kept") calibrating.note(detail.message);
  console.warn("the server could not do it:", detail.message);
});

link.addEventListener("state", ({ detail }) => {
  serverState = detail;
  if (detail.state !== "open") {
    showNothing();
    outputs.show([]);
  }
  calibrating.enter(document.body.dataset.phase === "live" && detail.state === "open");
  recorder.enter(document.body.dataset.phase === "live" && detail.state === "open");
  showServer();
  showSign();
  showHint();
});

function sendSettings() {
  link.sendSettings(settings.get("readExpressions"), settings.get("mirror"));
}

// ---------------------------------------------------------------- what the person sees

/** What the server offers, according to its hello and its /health. */
function introduce({ channels, expressions, drops_tokens: dropsTokens, listener, face_tokens: faceTokensOffer }) {
  models.name(channels);
  expressionNames = expressions;
  bars.name(expressions);
  timeline.name(expressions);
  keptTokens.offer(dropsTokens);
  listening.offer(listener);
  faceTokens.offer(faceTokensOffer, document.querySelectorAll("[data-setting=showFaceTokens]"));
  showFaceTokens();
}

/** Forget the last results. */
function showNothing() {
  overlay.clear();
  keptTokens.clear();
  bars.show(null);
}

function showFaceTokens() {
  const on = faceTokens.offered && settings.get("showFaceTokens") && !document.body.classList.contains("avatar-only");
  faceTokens.show(on);
  link.sendFaceTokens(on);
}

function showSign() {
  const live = document.body.dataset.phase === "live" && link.state === "open";
  $("sign").hidden = !(live && settings.get("readExpressions"));
}

function showHint() {
  const live = document.body.dataset.phase === "live" && link.state === "open" && lastMoment;
  const late = nowS() - answeredS > LATE_S;
  const hint = live ? hintFor({ alone: answeredS - faceSeenS > NO_FACE_S, busy: late || pace.why === "load" }) : "";
  if ($("hint").textContent === hint) return;
  $("hint").hidden = !hint;
  $("hint").textContent = hint;
  if (hint === HINTS.alone) bars.show(null);
}

function showServer() {
  const message = document.body.dataset.phase === "live" ? serverMessage(serverState, epochMs()) : null;
  document.body.dataset.server = serverState.state;
  $("banner").hidden = !message;
  $("read-server").textContent = STATE_NAMES[serverState.state];
  if (!message) return;
  // The live region's title does not contain the countdown, so that it is not read aloud every second.
  if ($("banner-title").textContent !== message.title) $("banner-title").textContent = message.title;
  $("banner-text").textContent = message.text;
  $("retry").textContent = message.retry === "reload" ? "Reload" : "Try now";
  $("retry").onclick = message.retry === "reload" ? () => location.reload() : () => link.connect();
}

function showFigures() {
  figures.show();
  showHint();
  listening.say(nowS());
  faceTokens.showFigures(nowS());
  if (serverState.state === "waiting") showServer();
}

function applySettings() {
  const view = (name) => settings.get(name);
  document.body.classList.toggle("mirrored", view("mirror"));
  document.body.classList.toggle("expressions-off", !view("readExpressions"));
  $("avatar-card").dataset.background = query.get("background") ?? view("background");
  placing.show();
  link.setPicture(view("frameWidth"), view("quality"));
  if (!keptTokens.on) keptTokens.clear();
  if (!keptTokens.on && !view("showLandmarks")) overlay.clear();
  if (!view("readExpressions")) {
    bars.show(null);
    timeline.clear();
  }
  showFaceTokens();
  showSign();
}

function drawScreen() {
  requestAnimationFrame(drawScreen);
  const at = nowS();
  if (avatar.draw(at)) figures.drawn();
  timeline.draw(at);
}

// ---------------------------------------------------------------- controls

function connectControls() {
  $("start").onclick = startCamera;
  $("stop").onclick = stop;
  $("again").onclick = () => start(source);
  $("reset").onclick = () => settings.reset();
  $("open-settings").onclick = () => $("settings").showModal();
  document.querySelectorAll("[data-choose-file]").forEach((button) => {
    button.onclick = () => $("file").click();
  });
  $("file").onchange = () => {
    const [file] = $("file").files;
    $("file").value = "";
    $("settings").close();
    if (file) start(() => capture.openFile(file));
  };
  bindKeys(document, {
    express: (index) => link.sendExpress(index === null ? null : expressionNames[index] ?? null),
    calibrate: () => document.querySelector(".calibrate").click(),
    mode: () => listening.choose(!listening.on && listening.offered),
    record: () => !$("record").hidden && recorder.choose(!recorder.on),
    zoom: (factor) => placing.zoom(factor),
    move: (x, y) => placing.move(x, y),
  });
  $("keys-help").textContent = HELP;
  $("home").onclick = () => placing.home();
  $("choose-backdrop").onclick = () => $("backdrop-file").click();
  $("backdrop-file").onchange = async ({ target }) => {
    const [file] = target.files;
    target.value = "";
    if (file && !(await placing.backdrop(file))) models.tell(`${file.name}: is no picture that this browser can show`, true);
  };
  $("forget-model").onclick = () => models.forget();
  settings.bind(document);
  settings.addEventListener("change", ({ detail: { name } }) => {
    applySettings();
    if (name === "readExpressions" || name === "mirror") sendSettings();
    if (name === "camera" && capture.stream) startCamera();
  });
}

async function loadAbout() {
  const response = await fetch("health");
  const found = await response.json();
  if (!response.ok) throw new Error(found.detail);
  introduce(found);
  retarget.offer(found.retarget);
}

function publishStats() {
  window.visavisStats = {
    get phase() { return document.body.dataset.phase; },
    get server() { return link.state; },
    get moments() { return figures.moments; },
    get problems() { return figures.problems; },
    get dropped() { return figures.dropped; },
    get roundTripsPerS() { return figures.roundTripsPerS; },
    get screenPerS() { return figures.screenPerS; },
    get drawnMs() { return figures.drawnMs; },
    get followLagMs() { return figures.lagMs; },
    get lastMoment() { return lastMoment; },
    get soundPieces() { return listening.ear.pieces; },
    get listen() { return link.listen; },
  };
}

function main() {
  if (query.get("avatar") === "only") document.body.classList.add("avatar-only");
  $("where").textContent = whereFramesGo(location);
  $("where-short").textContent = whereFramesGo(location).includes("this computer") ? "this computer" : location.host;
  $("watch").href = `watch?session=${session}`;
  publishStats();
  connectControls();
  applySettings();
  enterPhase("notice");
  loadAbout().catch((error) => console.warn("the server did not say what it offers:", error.message));
  avatar.model = models;
  avatar.load("assets/puppet.json").then(() => models.restore()).catch((error) => {
    $("avatar-problem").textContent = `The avatar could not be loaded: ${error.message}. Reload the page.`;
    $("avatar-problem").hidden = false;
  });
  // A browser source has no notice to press: the consent of the full page in the same browser holds.
  if (query.get("avatar") === "only" && settings.get("consented")) startCamera();
  window.setInterval(showFigures, 250);
  requestAnimationFrame(drawScreen);
}

main();
