// A VRM avatar: the person's own file, moved by face states, drawn with three-vrm.

import { valueOf } from "./retarget.js";

const MAX_BYTES = 100e6;
const RADIANS = Math.PI / 180;
const EYE_DEGREES = { across: 25, up: 15 };
// The head's turn is shared by the upper chest, the neck and the head.
const SPINE = { upperChest: 0.1, neck: 0.35, head: 0.55 };
const GLB = 0x46546c67; // "glTF"
const JSON_CHUNK = 0x4e4f534a;
// Hair moves in steps of this length, whatever the screen's rate: three-vrm's drag is per step, not per second
// (findings/three-vrm-springs-count-frames.sh).
const STEP_S = 1 / 60;

/** A problem with the file that the person can understand. */
export class VrmError extends Error {}

/**
 * Check a VRM file before anything is built from it; returns its JSON.
 * A file that refers to other files or servers is refused.
 */
export function checkVrm(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength > MAX_BYTES) throw new VrmError(`the file has ${Math.round(buffer.byteLength / 1e6)} MB; at most ${MAX_BYTES / 1e6} MB are read`);
  if (buffer.byteLength < 20 || view.getUint32(0, true) !== GLB) throw new VrmError("this is not a VRM file: it does not begin with glTF");
  if (view.getUint32(4, true) !== 2) throw new VrmError(`glTF version ${view.getUint32(4, true)}; VRM files have version 2`);
  const length = view.getUint32(12, true);
  const size = Math.max(view.getUint32(8, true), 20 + length);
  if (view.getUint32(16, true) !== JSON_CHUNK || size > buffer.byteLength) throw new VrmError("the VRM file is cut short or damaged");
  let json;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, 20, length)));
  } catch {
    throw new VrmError("the VRM file's description is damaged");
  }
  if (!json.extensions?.VRM && !json.extensions?.VRMC_vrm) throw new VrmError("this is a glTF file without VRM data; export it as VRM");
  const outside = [...(json.buffers ?? []), ...(json.images ?? [])].find(({ uri }) => uri && !uri.startsWith("data:"));
  if (outside) throw new VrmError("the VRM file refers to other files; export it as one file");
  return json;
}

/** three-vrm 3.5.5 turns eye bones up by the range for down: findings/three-vrm-eyes-up-and-down.sh. */
function exchangeEyeRanges(applier) {
  if (applier?.constructor.type !== "bone") return;
  const { rangeMapVerticalUp: up, rangeMapVerticalDown: down } = applier;
  Object.assign(applier, { rangeMapVerticalUp: down, rangeMapVerticalDown: up });
}

export class VrmAvatar {
  /** @param presets () => a promise of retarget rules for VRM's own presets, for models without ARKit's 52 shapes. */
  constructor(canvas, presets) {
    this.canvas = canvas;
    this.presets = presets;
    this.vrm = null;
  }

  /** Load a file (ArrayBuffer); the avatar before it stays if that fails. Raises a VrmError. */
  async load(buffer) {
    const json = checkVrm(buffer);
    const three = await import("./vendor/three-vrm.js");
    const loader = new three.GLTFLoader();
    loader.register((parser) => new three.VRMLoaderPlugin(parser));
    let vrm;
    try {
      vrm = (await loader.parseAsync(buffer, "")).userData.vrm;
    } catch (error) {
      throw new VrmError(`the VRM file cannot be read: ${error.message}`);
    }
    if (!vrm?.humanoid?.getNormalizedBoneNode("head")) throw new VrmError("the VRM file has no head bone");
    this.rules = Object.entries((await this.presets()).parameters);
    this.dispose();
    this.three = three;
    this.vrm = vrm;
    // Models of VRM 0 look the other way, and their bones turn the other way round two axes.
    this.old = !json.extensions.VRMC_vrm;
    three.VRMUtils.rotateVRM0(vrm);
    exchangeEyeRanges(vrm.lookAt?.applier);
    this.springs = vrm.springBoneManager;
    vrm.springBoneManager = undefined;
    this.dueS = 0;
    vrm.scene.traverse((part) => { part.frustumCulled = false; });
    const shapes = vrm.expressionManager?.expressionMap ?? {};
    this.shapes = new Map(Object.keys(shapes).map((name) => [name.toLowerCase(), name]));
    this.perfectSync = this.shapes.has("jawopen") && this.shapes.has("eyeblinkleft");
    this.build();
  }

  build() {
    const { Scene, PerspectiveCamera, DirectionalLight, AmbientLight, WebGLRenderer, Vector3 } = this.three;
    const { vrm } = this;
    this.renderer ??= new WebGLRenderer({ canvas: this.canvas, alpha: true, antialias: true, premultipliedAlpha: true });
    this.scene = new Scene();
    const light = new DirectionalLight(0xffffff, Math.PI);
    light.position.set(0.5, 1, 1);
    this.scene.add(light, new AmbientLight(0xffffff, 0.6), vrm.scene);
    vrm.scene.updateMatrixWorld(true);
    const head = vrm.humanoid.getNormalizedBoneNode("head").getWorldPosition(new Vector3());
    const hips = vrm.humanoid.getNormalizedBoneNode("hips")?.getWorldPosition(new Vector3()) ?? new Vector3();
    const tall = Math.max(0.2, head.y - hips.y);
    this.camera = new PerspectiveCamera(20, 1, 0.05, 50);
    this.camera.position.set(head.x, head.y + 0.05 * tall, head.z + 3.4 * tall);
    this.camera.lookAt(head.x, head.y, head.z);
    for (const [bone, side] of [["leftUpperArm", 1], ["rightUpperArm", -1]]) this.turn(bone, 0, 0, side * -70);
  }

  /** Turn a bone by degrees: up, to the screen's right, counterclockwise on the screen. */
  turn(bone, up, right, around) {
    const node = this.vrm.humanoid.getNormalizedBoneNode(bone);
    const side = this.old ? -1 : 1;
    node?.rotation.set(side * -up * RADIANS, right * RADIANS, side * around * RADIANS, "YXZ");
  }

  /**
   * Draw the avatar.
   * @param pose the avatar's pose, smoothed, for the head, the eyes and the breath.
   * @param weights blendshape -> 0..1; left and right are the avatar's own.
   */
  draw(pose, weights, elapsedS) {
    if (!this.vrm) return;
    const { vrm } = this;
    for (const [bone, share] of Object.entries(SPINE)) {
      this.turn(bone, share * pose.ParamAngleY, share * pose.ParamAngleX, share * -pose.ParamAngleZ);
    }
    this.turn("spine", 0.5 * pose.ParamBodyAngleY, 0.5 * pose.ParamBodyAngleX, -0.5 * pose.ParamBodyAngleZ);
    this.express(weights);
    vrm.update(elapsedS);
    this.swing(elapsedS);
    if (vrm.lookAt) vrm.lookAt.applier?.applyYawPitch(EYE_DEGREES.across * pose.ParamEyeBallX, -EYE_DEGREES.up * pose.ParamEyeBallY);
    this.fit();
    this.renderer.render(this.scene, this.camera);
  }

  swing(elapsedS) {
    this.dueS += elapsedS;
    const steps = Math.round(this.dueS / STEP_S);
    this.dueS -= steps * STEP_S;
    for (let step = 0; step < steps; step += 1) this.springs?.update(STEP_S);
  }

  express(weights) {
    const { expressionManager } = this.vrm;
    if (!expressionManager) return;
    const values = this.perfectSync ? Object.entries(weights) : this.rules.map(([name, rule]) => [name, valueOf(rule, weights)]);
    for (const [name, value] of values) {
      const known = this.shapes.get(name.toLowerCase());
      if (known) expressionManager.setValue(known, value);
    }
  }

  fit() {
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.renderer.setPixelRatio(scale);
      this.renderer.setSize(width, height, false);
      this.camera.aspect = width / height;
      this.camera.updateProjectionMatrix();
    }
  }

  /** Free the avatar's memory. */
  dispose() {
    if (this.vrm) this.three.VRMUtils.deepDispose(this.vrm.scene);
    this.vrm = null;
  }
}
