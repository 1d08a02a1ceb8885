// The page's main program: camera -> server -> avatar and figures, and all states that the person can see.

import { Avatar } from "./avatar.js";
import { Bars } from "./bars.js";
import { Calibrating } from "./calibrating.js";
import { Capture, SourceError } from "./capture.js";
import { FaceWords } from "./face_words.js";
import { Figures } from "./figures.js";
import { Link } from "./link.js";
import { Listening } from "./listening.js";
import { Looks } from "./looks.js";
import { Overlay } from "./overlay.js";
import { Settings } from "./settings.js";
import { epochMs } from "./stats.js";
import { Timeline } from "./timeline.js";
import { CAMERA_PROBLEMS, serverWords, whereFramesGo } from "./words.js";

const NO_FACE_S = 0.7;
const BARS_EVERY_S = 0.08; // faster than people read figures, slow enough to leave time for the avatar
const STATE_NAMES = { open: "connected", connecting: "connecting…", waiting: "gone", idle: "–", refused: "refused" };

const $ = (id) => document.getElementById(id);
const nowS = () => performance.now() / 1000;

const query = new URLSearchParams(location.search);
const settings = new Settings();
const avatar = new Avatar($("avatar"), $("backdrop"));
const overlay = new Overlay($("overlay"));
const looks = new Looks($("looks"), settings);
const bars = new Bars($("bars"), $("scales"));
const timeline = new Timeline($("timeline"), $("timeline-caption"));
const faceWords = new FaceWords($("words"), avatar, () => settings.get("mirror"));
const link = new Link(new URL("ws", location.href.replace(/^http/, "ws")).href);
const capture = new Capture($("video"), link);
const calibrating = new Calibrating(link);
const listening = new Listening(link, settings, capture);

const figures = new Figures();
let source = null; // () => Promise that opens the camera or file again
let serverState = { state: "idle" };
let lastMoment = null;
let faceSeenS = 0;
let barsShownS = 0;

// ---------------------------------------------------------------- phases: notice, starting, live, problem

function enterPhase(phase) {
  document.body.dataset.phase = phase;
  $("notice").hidden = phase !== "notice" && phase !== "starting";
  $("problem").hidden = phase !== "problem";
  $("start").disabled = phase === "starting";
  $("stop").hidden = phase !== "live";
  if (phase !== "live") {
    showNothing();
    faceWords.clear();
    lastMoment = null;
  }
  listening.enter(phase === "live");
  calibrating.enter(phase === "live" && link.state === "open");
  showSign();
  showHint();
}

async function start(open) {
  source = open;
  enterPhase("starting");
  try {
    await open();
  } catch (error) {
    showProblem(error instanceof SourceError ? error.reason : "other", error.message);
    return;
  }
  faceSeenS = nowS();
  figures.begin();
  enterPhase("live");
  sendSettings();
  link.connect();
  listCameras();
}

const startCamera = () => start(() => capture.openCamera(settings.get("camera"), settings.get("frameWidth")));

function stop() {
  capture.stop();
  link.disconnect();
  enterPhase("notice");
  $("start").focus();
}

function showProblem(reason, detail = "") {
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
  introduce(detail);
  calibrating.offer(detail.profile);
});

link.addEventListener("profile", ({ detail }) => calibrating.remember(detail.kept));

link.addEventListener("moment", ({ detail: moment }) => {
  if (document.body.dataset.phase !== "live") return;
  const at = nowS();
  figures.came(moment);
  avatar.lead(moment.pose, at);
  if (moment.faces.length) faceSeenS = at;
  lastMoment = moment;
  const tokens = looks.take(moment);
  if (moment.sent) overlay.draw(settings.get("showLandmarks") ? moment.faces : [], tokens, moment.sent);
  const emotion = settings.get("readEmotions") ? moment.emotion : null;
  if (at - barsShownS > BARS_EVERY_S) {
    barsShownS = at;
    bars.show(emotion);
  }
  timeline.add(at, emotion);
  faceWords.add(at, moment);
  listening.hear(moment.hears, at);
  showHint();
  calibrating.take(moment.guide);
});

link.addEventListener("problem", ({ detail }) => {
  figures.problems += 1;
  if (detail.code === "not_kept") calibrating.note(detail.message);
  console.warn("the server could not do it:", detail.message);
});

link.addEventListener("state", ({ detail }) => {
  serverState = detail;
  if (detail.state !== "open") showNothing();
  calibrating.enter(document.body.dataset.phase === "live" && detail.state === "open");
  showServer();
  showSign();
  showHint();
});

function sendSettings() {
  link.sendSettings(settings.get("readEmotions"), settings.get("mirror"));
}

// ---------------------------------------------------------------- what the person sees

/** What the server offers, according to its hello and its /health. */
function introduce({ expressions, drops_tokens: dropsTokens, listener, words }) {
  bars.name(expressions);
  timeline.name(expressions);
  looks.offer(dropsTokens);
  listening.offer(listener);
  faceWords.offer(words, document.querySelectorAll("[data-setting=showWords]"));
  showWords();
}

/** Forget the last results. */
function showNothing() {
  overlay.clear();
  looks.clear();
  bars.show(null);
}

function showWords() {
  const on = faceWords.offered && settings.get("showWords") && !document.body.classList.contains("avatar-only");
  faceWords.show(on);
  link.sendWords(on);
}

function showSign() {
  const live = document.body.dataset.phase === "live" && link.state === "open";
  $("sign").hidden = !(live && settings.get("readEmotions"));
}

function showHint() {
  const live = document.body.dataset.phase === "live" && link.state === "open" && lastMoment;
  const alone = live && nowS() - faceSeenS > NO_FACE_S;
  if ($("hint").hidden === !alone) return;
  $("hint").hidden = !alone;
  $("hint").textContent = alone ? "No face in view. Come into the picture, with light on your face." : "";
  if (alone) bars.show(null);
}

function showServer() {
  const words = document.body.dataset.phase === "live" ? serverWords(serverState, epochMs()) : null;
  document.body.dataset.server = serverState.state;
  $("banner").hidden = !words;
  $("read-server").textContent = STATE_NAMES[serverState.state];
  if (!words) return;
  // The live region's title does not contain the countdown, so that it is not read aloud every second.
  if ($("banner-title").textContent !== words.title) $("banner-title").textContent = words.title;
  $("banner-text").textContent = words.text;
  $("retry").textContent = words.retry === "reload" ? "Reload" : "Try now";
  $("retry").onclick = words.retry === "reload" ? () => location.reload() : () => link.connect();
}

function showFigures() {
  figures.show();
  faceWords.showFigures(nowS());
  if (serverState.state === "waiting") showServer();
}

function applySettings() {
  const view = (name) => settings.get(name);
  document.body.classList.toggle("mirrored", view("mirror"));
  document.body.classList.toggle("emotions-off", !view("readEmotions"));
  $("avatar-card").dataset.background = query.get("background") ?? view("background");
  link.setPicture(view("frameWidth"), view("quality"));
  if (!looks.on) looks.clear();
  if (!looks.on && !view("showLandmarks")) overlay.clear();
  if (!view("readEmotions")) {
    bars.show(null);
    timeline.clear();
  }
  showWords();
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
  settings.bind(document);
  settings.addEventListener("change", ({ detail: { name } }) => {
    applySettings();
    if (name === "readEmotions" || name === "mirror") sendSettings();
    if (name === "camera" && capture.stream) startCamera();
  });
}

async function loadAbout() {
  const response = await fetch("health");
  const found = await response.json();
  if (!response.ok) throw new Error(found.detail);
  introduce(found);
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
  publishStats();
  connectControls();
  applySettings();
  enterPhase("notice");
  loadAbout().catch((error) => console.warn("the server did not say what it offers:", error.message));
  avatar.load("assets/puppet.json").catch((error) => {
    $("avatar-problem").textContent = `The avatar could not be loaded: ${error.message}. Reload the page.`;
    $("avatar-problem").hidden = false;
  });
  window.setInterval(showFigures, 250);
  requestAnimationFrame(drawScreen);
}

main();
