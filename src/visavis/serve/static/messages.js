// The page's messages for all states: what happened, and what to do.

export const CAMERA_PROBLEMS = {
  denied: {
    title: "The camera is blocked",
    text: "The browser did not allow this page to use the camera. Allow it in the address bar (the camera or lock"
      + " sign), and check that your system lets the browser use the camera. Then try again.",
  },
  none: {
    title: "No camera found",
    text: "This device reports no camera. Plug one in, or switch it on, and try again. A video file works too.",
  },
  busy: {
    title: "The camera is in use",
    text: "Another program seems to hold the camera. Close video calls and other camera programs, then try again.",
  },
  insecure: {
    title: "The camera needs a secure address",
    text: "Browsers give cameras only to pages on this computer (http://localhost) or on https. Open the page that"
      + " way, or choose a video file.",
  },
  lost: {
    title: "The camera disappeared",
    text: "The camera was unplugged, switched off, or taken by the system. Connect it and start again.",
  },
  file: {
    title: "This video cannot be played",
    text: "The browser does not know its format. MP4 (H.264) and WebM files usually work.",
  },
  empty: {
    title: "This video cannot be played",
    text: "The file is empty. Choose another one.",
  },
  pictureless: {
    title: "This video cannot be played",
    text: "The file has no picture, only sound. Choose another one.",
  },
  other: {
    title: "The camera did not start",
    text: "Something unexpected happened. Try again, choose another camera in the settings, or use a video file.",
  },
};

/** Texts for the start and the end of a guided calibration; the server sends the text of each step. */
export const CALIBRATION = {
  running: "Calibration",
  done: "Calibrated",
  refused: "Not calibrated",
  begins: "Five short steps, about 20 seconds.",
  early: "Start the camera first.",
  broken: "The picture or the server went away. Start again when they are back.",
  kept: "Remembered on this computer, also for the next time.",
  forgotten: "Forgotten. The avatar learns your face again.",
};

/** Hints over the picture. */
export const HINTS = {
  alone: "No face in view. Come into the picture, with light on your face.",
  busy: "The server is busy: the avatar follows more slowly.",
};

/** The hint for answers that show no face, and for a busy server; empty if all is well. */
export function hintFor({ alone, busy }) {
  if (busy) return HINTS.busy;
  return alone ? HINTS.alone : "";
}

/** The banner's text for a connection state: {title, text, retry}, or null if there is no problem. */
export function serverMessage({ state, code, reason, retryAtMs }, nowMs) {
  if (state === "refused" && code === 4401) {
    return { title: "The server asks for its token.", text: `${capital(reason)}.`, retry: "reload" };
  }
  if (state === "refused") {
    return { title: "The server ended the connection.", text: `${capital(reason)}. Reload the page.`, retry: "reload" };
  }
  if (state !== "waiting") return null;
  const seconds = Math.max(0, Math.ceil((retryAtMs - nowMs) / 1000));
  const again = seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again now.";
  if (code === 4429) return { title: "The server is full.", text: `${capital(reason)}. ${again}`, retry: "connect" };
  if (code === 1012) return { title: "The server is restarting.", text: again, retry: "connect" };
  if (code === 1011) return { title: "The server has a problem.", text: `${capital(reason)}. ${again}`, retry: "connect" };
  return { title: "Server gone – reconnecting.", text: again, retry: "connect" };
}

function capital(text = "") {
  const trimmed = text.replace(/[.\s]+$/, "");
  return trimmed ? trimmed[0].toUpperCase() + trimmed.slice(1) : "No reason was given";
}

/** Where the frames go, in plain words. */
export function whereFramesGo(location) {
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  return here
    ? `the visavis server on this computer (${location.host}) and nowhere else`
    : `the visavis server at ${location.host}, over your network, and nowhere else`;
}
