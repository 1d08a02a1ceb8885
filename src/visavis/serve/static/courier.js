// The courier, a worker that encodes pictures and holds the connection to the server. Thus
// drawing the page never delays it, and the avatar of a hidden page keeps moving for its viewers.

import { Connection } from "./socket.js";

const MAX_IN_FLIGHT = 2;

let connection = null;
let reader = null;
let canvas = null;
let encoding = 0;
let lastTimeS = 0;
let intervalMs = 0; // between pictures, as the server wishes
let nextAtMs = 0;
const picture = { width: 640, quality: 0.7 };

function wanted() {
  if (connection?.state === "idle") connection.connect(); // the server had closed the silent connection
  if (performance.now() < nextAtMs) return false;
  return connection?.state === "open" && connection.inFlight + encoding < MAX_IN_FLIGHT;
}

/** Encode and send one VideoFrame or ImageBitmap, and close it. */
async function take(image) {
  if (!wanted()) {
    image.close();
    return;
  }
  nextAtMs = Math.max(nextAtMs + intervalMs, performance.now());
  // Times must increase at any resolution of the clock.
  const timeS = Math.max(performance.now() / 1000, lastTimeS + 0.001);
  lastTimeS = timeS;
  encoding += 1;
  try {
    const { jpeg, width, height } = await encode(image);
    if (connection?.state === "open") connection.sendFrame(jpeg, timeS, { width, height });
  } catch (error) {
    console.warn("a frame could not be sent:", error.message);
  } finally {
    encoding -= 1;
  }
}

async function encode(image) {
  const [fullWidth, fullHeight] = [image.displayWidth ?? image.width, image.displayHeight ?? image.height];
  const scale = Math.min(1, picture.width / fullWidth);
  const width = Math.max(2, Math.round(fullWidth * scale));
  const height = Math.max(2, Math.round(fullHeight * scale));
  canvas ??= new OffscreenCanvas(width, height);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  context.drawImage(image, 0, 0, width, height);
  image.close();
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: picture.quality });
  return { jpeg: await blob.arrayBuffer(), width, height };
}

async function readAll(stream) {
  const mine = stream.getReader();
  reader = mine;
  for (;;) {
    const { value, done } = await mine.read();
    if (done) return;
    if (mine !== reader) value.close();
    else await take(value);
  }
}

const orders = {
  connect({ url, settings, faceTokens, listen }) {
    connection ??= watched(new Connection(url));
    connection.settings = settings;
    connection.faceTokens = faceTokens;
    connection.listen = listen;
    connection.connect();
  },
  disconnect() {
    reader = null;
    connection?.disconnect();
    connection = null;
  },
  settings({ settings }) {
    connection?.sendSettings(settings);
  },
  faceTokens({ on }) {
    connection?.sendFaceTokens(on);
  },
  listen({ wish }) {
    connection?.sendListen(wish);
  },
  sound({ pcm, rateHz, atMs }) {
    // On the same clock as the pictures' times.
    connection?.sendSound(pcm, rateHz, Math.max(0, (atMs - performance.timeOrigin) / 1000));
  },
  tell({ wish }) {
    connection?.tell(wish);
  },
  picture({ width, quality }) {
    Object.assign(picture, { width, quality });
  },
  stream({ stream }) {
    readAll(stream).catch((error) => console.warn("the camera's stream broke off:", error.message));
  },
  image({ image }) {
    take(image);
  },
};

/** Send pictures as often as the server wishes; at full pace, as often as the camera gives them. */
function setPace({ fps, why }) {
  intervalMs = why === "full" ? 0 : 1000 / fps;
  nextAtMs = Math.min(nextAtMs, performance.now() + intervalMs);
}

function watched(made) {
  for (const type of ["hello", "moment", "settings", "profile", "record", "pace", "problem", "state"]) {
    made.addEventListener(type, ({ detail }) => {
      if (made === connection) self.postMessage({ type, detail });
    });
  }
  made.addEventListener("pace", ({ detail }) => setPace(detail));
  made.addEventListener("hello", () => setPace({ why: "full" }));
  return made;
}

self.onmessage = ({ data }) => orders[data.order](data);
