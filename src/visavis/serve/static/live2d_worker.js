// Draws a Live2D model in a worker of its own. Cubism Core, which the person brings, runs only here: this
// worker's own security policy (serve/app.py) lets it run that file, and reach no server.
//
// The page sends {core, moc, textures, physics, pose, ranges} once, then {values, elapsedS, width, height}
// for every picture. The worker answers {parameters: [ids]} when the model is ready, {picture} for every picture, or
// {problem: text}.

"use strict";

importScripts("../static/live2d_physics.js", "../static/live2d_model.js");

// As visavis/cubism/model.py: the face's share of the picture's width.
const FACE_SHARE = 0.26;
const ZOOM = [1, 20];
// Bits of Cubism Core's flags.
const [ADDITIVE, MULTIPLICATIVE, DOUBLE_SIDED, INVERTED_MASK] = [1, 2, 4, 8];
const VISIBLE = 1;

const VERTEX = `#version 300 es
in vec2 corner, uv;
uniform vec4 view;
out vec2 at;
void main() {
  at = vec2(uv.x, 1.0 - uv.y);
  gl_Position = vec4(corner * view.xy + view.zw, 0.0, 1.0);
}`;
// All colors are multiplied by alpha. masked: 0 no mask, 1 inside of it, -1 outside of it.
const FRAGMENT = `#version 300 es
precision mediump float;
uniform sampler2D picture, mask;
uniform vec3 multiplied, screened;
uniform float opacity, masked;
in vec2 at;
out vec4 color;
void main() {
  color = texture(picture, at);
  color.rgb *= multiplied;
  color.rgb += screened * (color.a - color.rgb);
  color *= opacity;
  float covered = texelFetch(mask, ivec2(gl_FragCoord.xy), 0).a;
  if (masked != 0.0) color *= masked > 0.0 ? covered : 1.0 - covered;
}`;

class Painter {
  constructor(canvas, model, pictures) {
    const gl = canvas.getContext("webgl2", { alpha: true, premultipliedAlpha: true, antialias: false });
    if (!gl) throw new Error("this browser has no WebGL 2");
    Object.assign(this, { gl, canvas, model });
    this.program = linked(gl);
    this.uniforms = Object.fromEntries(["view", "picture", "mask", "multiplied", "screened", "opacity", "masked"].map((name) => [name, gl.getUniformLocation(this.program, name)]));
    this.pictures = pictures.map((picture) => texture(gl, picture));
    const { drawables } = model.core;
    this.meshes = drawables.vertexPositions.map((place, i) => mesh(gl, this.program, place, drawables.vertexUvs[i], drawables.indices[i]));
    this.mask = { texture: gl.createTexture(), frame: gl.createFramebuffer() };
    const { CanvasWidth, CanvasHeight, PixelsPerUnit } = model.core.canvasinfo;
    // Where no face is found, the whole of the model's canvas is shown.
    this.whole = Math.max(CanvasWidth, CanvasHeight) / PixelsPerUnit;
    this.face = model.face();
    gl.useProgram(this.program);
    gl.uniform1i(this.uniforms.mask, 1);
    gl.enable(gl.BLEND);
  }

  fit(width, height) {
    const { canvas, gl } = this;
    if (canvas.width === width && canvas.height === height && this.fitted) return;
    this.fitted = true;
    [canvas.width, canvas.height] = [width, height];
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.mask.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    for (const name of ["TEXTURE_MIN_FILTER", "TEXTURE_MAG_FILTER"]) gl.texParameteri(gl.TEXTURE_2D, gl[name], gl.NEAREST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.mask.frame);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.mask.texture, 0);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, width, height);
    const { x, y, width: wide } = this.face ?? { x: 0, y: 0, width: this.whole };
    const fitting = 2 / this.whole;
    const zoom = this.face ? Math.min(Math.max((2 * FACE_SHARE) / (wide * fitting), ZOOM[0]), ZOOM[1]) : 1;
    // The face keeps its share of the shorter side, whatever the shape of the canvas.
    const side = Math.min(width, height);
    const [across, up] = [(fitting * zoom * side) / width, (fitting * zoom * side) / height];
    gl.useProgram(this.program);
    gl.uniform4f(this.uniforms.view, across, up, -x * across, -y * up);
  }

  draw(width, height) {
    const { gl } = this;
    const { drawables } = this.model.core;
    this.fit(width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    this.clear();
    const orders = this.model.orders;
    const drawn = [...orders.keys()].sort((a, b) => orders[a] - orders[b]);
    let masks = "";
    this.placed = new Set();
    for (const i of drawn) {
      if (!(drawables.dynamicFlags[i] & VISIBLE) || drawables.opacities[i] <= 0) continue;
      const wanted = [...drawables.masks[i]].join();
      if (wanted && wanted !== masks) {
        masks = wanted;
        this.drawMask(drawables.masks[i]);
      }
      this.blend(drawables.constantFlags[i]);
      this.drawMesh(i, drawables.opacities[i], wanted ? (drawables.constantFlags[i] & INVERTED_MASK ? -1 : 1) : 0);
    }
    drawables.resetDynamicFlags();
  }

  drawMask(numbers) {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.mask.frame);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, null); // It must not be read while it is drawn.
    this.clear();
    this.blend(0);
    for (const i of numbers) if (this.meshes[i]) this.drawMesh(i, 1, 0);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.mask.texture);
  }

  clear() {
    this.gl.clearColor(0, 0, 0, 0);
    this.gl.clear(this.gl.COLOR_BUFFER_BIT);
  }

  blend(flags) {
    const { gl } = this;
    if (flags & ADDITIVE) gl.blendFuncSeparate(gl.ONE, gl.ONE, gl.ZERO, gl.ONE);
    else if (flags & MULTIPLICATIVE) gl.blendFuncSeparate(gl.DST_COLOR, gl.ONE_MINUS_SRC_ALPHA, gl.ZERO, gl.ONE);
    else gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  drawMesh(i, opacity, masked) {
    const { gl, uniforms } = this;
    const { drawables } = this.model.core;
    const { array, corners, count } = this.meshes[i];
    gl.bindVertexArray(array);
    if (!this.placed.has(i)) {
      this.placed.add(i);
      gl.bindBuffer(gl.ARRAY_BUFFER, corners);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, drawables.vertexPositions[i]);
    }
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.pictures[drawables.textureIndices[i]] ?? null);
    const color = (colors, rest) => (colors ? colors.subarray(4 * i, 4 * i + 3) : rest);
    gl.uniform3fv(uniforms.multiplied, color(drawables.multiplyColors, [1, 1, 1]));
    gl.uniform3fv(uniforms.screened, color(drawables.screenColors, [0, 0, 0]));
    gl.uniform1f(uniforms.opacity, opacity);
    gl.uniform1f(uniforms.masked, masked);
    if (drawables.constantFlags[i] & DOUBLE_SIDED) gl.disable(gl.CULL_FACE);
    else gl.enable(gl.CULL_FACE);
    gl.drawElements(gl.TRIANGLES, count, gl.UNSIGNED_SHORT, 0);
  }
}

function linked(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`this browser cannot draw it: ${gl.getProgramInfoLog(program)}`);
  return program;
}

function texture(gl, picture) {
  const most = gl.getParameter(gl.MAX_TEXTURE_SIZE);
  if (Math.max(picture.width, picture.height) > most) throw new Error(`a texture has ${picture.width} x ${picture.height} pixels; this browser draws at most ${most} a side`);
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
  gl.generateMipmap(gl.TEXTURE_2D);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  picture.close();
  return made;
}

function mesh(gl, program, place, uv, indices) {
  const array = gl.createVertexArray();
  gl.bindVertexArray(array);
  const buffer = (kind, data, use) => {
    const made = gl.createBuffer();
    gl.bindBuffer(kind, made);
    gl.bufferData(kind, data, use);
    return made;
  };
  const attribute = (name) => {
    const at = gl.getAttribLocation(program, name);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, 2, gl.FLOAT, false, 0, 0);
  };
  buffer(gl.ARRAY_BUFFER, uv, gl.STATIC_DRAW);
  attribute("uv");
  const corners = buffer(gl.ARRAY_BUFFER, place, gl.DYNAMIC_DRAW);
  attribute("corner");
  buffer(gl.ELEMENT_ARRAY_BUFFER, indices, gl.STATIC_DRAW);
  return { array, corners, count: indices.length };
}

/** Cubism Core, once it has started. */
async function coreOf(text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    importScripts(url);
  } catch (error) {
    throw new Error(`the file of Cubism Core cannot be run: ${error.message}`);
  } finally {
    URL.revokeObjectURL(url);
  }
  const core = self.Live2DCubismCore;
  if (!core?.Moc || !core.Model) throw new Error("the file is not Cubism Core for the web; choose live2dcubismcore.min.js");
  // It starts by itself, but not at once.
  for (let i = 0; i < 100; i += 1) {
    try {
      if (core.Version.csmGetVersion()) return core;
    } catch { /* not yet */ }
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  throw new Error("Cubism Core does not start");
}

let painter = null;

async function begin({ core, textures, ...model }) {
  const running = await coreOf(core);
  const pictures = await Promise.all(textures.map((file) => createImageBitmap(file, { premultiplyAlpha: "premultiply", colorSpaceConversion: "none" }).catch(() => { throw new Error("a texture is a damaged picture"); })));
  const made = new Model(running, model);
  painter = new Painter(new OffscreenCanvas(1, 1), made, pictures);
  postMessage({ parameters: [...made.index.keys()] });
}

self.onmessage = ({ data }) => {
  if (data.core) {
    begin(data).catch((error) => postMessage({ problem: error.message }));
    return;
  }
  if (!painter) return;
  painter.model.set(data.pose, data.values, data.elapsedS);
  painter.draw(data.width, data.height);
  const picture = painter.canvas.transferToImageBitmap();
  postMessage({ picture }, [picture]);
};
