// A canvas over the picture that shows landmarks, face outlines and dropped tokens.

export class Overlay {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
  }

  clear() {
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** Draw faces, and the tokens of one of them or null, given in pixels of a picture of `width` x `height`. */
  draw(faces, tokens, { width, height }) {
    const { canvas, context } = this;
    // As sharp as the screen, with the picture's aspect ratio, so that object-fit places it exactly over the video.
    const fit = Math.max(canvas.clientWidth / width, canvas.clientHeight / height);
    const scale = fit * Math.min(window.devicePixelRatio || 1, 2);
    const wanted = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== wanted[0] || canvas.height !== wanted[1]) [canvas.width, canvas.height] = wanted;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    if (tokens) this.drawTokens(tokens, 1 / fit);
    faces.forEach((face, index) => {
      context.globalAlpha = index === 0 ? 1 : 0.35;
      this.drawCorners(face.box);
      this.drawDots(face);
    });
  }

  /** Darken the cells that were dropped; `thin` is the screen's pixel in the picture's. */
  drawTokens({ grid, cells, corners: [start, right, , down] }, thin) {
    const { context } = this;
    context.globalAlpha = 1; // the last drawing may have changed it
    const across = [0, 1].map((axis) => (right[axis] - start[axis]) / grid);
    const along = [0, 1].map((axis) => (down[axis] - start[axis]) / grid);
    context.save();
    context.transform(...across, ...along, ...start); // to cells: the crop is turned with the head
    context.beginPath();
    cells.forEach((kept, index) => {
      if (!kept) context.rect(index % grid, Math.floor(index / grid), 1, 1);
    });
    context.fillStyle = "rgba(10, 8, 18, 0.66)";
    context.fill();
    context.beginPath();
    context.rect(0, 0, grid, grid);
    context.restore(); // The path keeps its place, and the line has the same width everywhere.
    context.strokeStyle = "rgba(255, 255, 255, 0.7)";
    context.lineWidth = thin;
    context.stroke();
  }

  drawCorners([x0, y0, x1, y1]) {
    const { context } = this;
    const arm = 0.14 * Math.min(x1 - x0, y1 - y0);
    context.strokeStyle = "rgba(255, 255, 255, 0.85)";
    context.lineWidth = 2;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    for (const [x, y, dx, dy] of [[x0, y0, 1, 1], [x1, y0, -1, 1], [x1, y1, -1, -1], [x0, y1, 1, -1]]) {
      context.moveTo(x + dx * arm, y);
      context.lineTo(x, y);
      context.lineTo(x, y + dy * arm);
    }
    context.stroke();
  }

  drawDots({ box, landmarks }) {
    const { context } = this;
    const count = landmarks.length / 2;
    const radius = Math.max(0.7, Math.min(2.2, ((box[2] - box[0]) / Math.sqrt(count)) * 0.075));
    context.beginPath();
    for (let i = 0; i < landmarks.length; i += 2) {
      context.moveTo(landmarks[i] + radius, landmarks[i + 1]);
      context.arc(landmarks[i], landmarks[i + 1], radius, 0, 2 * Math.PI);
    }
    context.fillStyle = "rgba(120, 255, 226, 0.9)";
    context.fill();
  }
}
