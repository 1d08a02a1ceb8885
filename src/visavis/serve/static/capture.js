// The picture source: a camera or a video file, whose newest pictures go to the courier.

const FRAME_RATE = 30;

/** Why there is no picture: `reason` is denied | none | busy | insecure | lost | file | empty | pictureless | other. */
export class SourceError extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

const REASONS = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "none",
  OverconstrainedError: "none",
  NotReadableError: "busy",
  AbortError: "busy",
};

/** Emits "lost" when the camera disappears. */
export class Capture extends EventTarget {
  /** @param {HTMLVideoElement} video shows the source @param {Link} link takes its pictures */
  constructor(video, link) {
    super();
    this.video = video;
    this.link = link;
    this.run = 0;
  }

  async openCamera(deviceId, width) {
    this.stop();
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new SourceError("insecure", "the browser gives cameras to secure pages only");
    }
    const want = { width: { ideal: Math.max(width, 640) }, frameRate: { ideal: FRAME_RATE } };
    if (deviceId) want.deviceId = { ideal: deviceId };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: want, audio: false });
    } catch (error) {
      throw new SourceError(REASONS[error.name] ?? "other", error.message || error.name);
    }
    const [track] = this.stream.getVideoTracks();
    track.addEventListener("ended", () => {
      this.stop();
      this.dispatchEvent(new Event("lost"));
    });
    this.video.srcObject = this.stream;
    await this.play();
    // If the browser supports it, pictures bypass the page, which may be busy.
    if (window.MediaStreamTrackProcessor) {
      this.link.giveStream(new window.MediaStreamTrackProcessor({ track, maxBufferSize: 1 }).readable);
    } else this.next(this.run);
  }

  async openFile(file) {
    this.stop();
    if (!file.size) throw new SourceError("empty", "");
    this.fileUrl = URL.createObjectURL(file);
    this.video.src = this.fileUrl;
    this.video.loop = true;
    try {
      await this.play();
    } catch (error) {
      this.stop();
      throw new SourceError("file", error.message);
    }
    if (!this.video.videoWidth) throw new SourceError("pictureless", "");
    this.next(this.run);
  }

  async play() {
    this.video.muted = true;
    await this.video.play();
  }

  stop() {
    this.run += 1;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
    if (this.fileUrl) {
      this.video.removeAttribute("src");
      this.video.load();
      URL.revokeObjectURL(this.fileUrl);
      this.fileUrl = null;
    }
  }

  async cameras() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return devices.filter((device) => device.kind === "videoinput" && device.deviceId);
  }

  next(run) {
    const seen = () => {
      if (run !== this.run) return;
      this.take();
      this.next(run);
    };
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(seen);
    else window.setTimeout(seen, 1000 / FRAME_RATE);
  }

  async take() {
    if (!this.video.videoWidth) return;
    try {
      this.link.giveImage(await createImageBitmap(this.video));
    } catch (error) {
      console.warn("a frame could not be taken:", error.message); // the source ended between two frames
    }
  }
}
