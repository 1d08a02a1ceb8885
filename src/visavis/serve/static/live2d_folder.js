// The files of a person's Live2D model, found and checked before Cubism Core sees any of them.
// visavis/cubism/folder.py checks the same for models that the server gives.

const ENDING = ".model3.json";
const MAX_JSON_BYTES = 1 << 22;
const MAX_MOC_BYTES = 1 << 28;
const MAX_PIXELS = 1 << 27; // eight textures of 4096 x 4096
const MOC_VERSIONS = [1, 6];
const MOC_HEAD_BYTES = 704;

/** A problem with the model that the person can understand. */
export class Live2dError extends Error {}

/**
 * Read a model.
 * @param files Map of path -> Blob: the folder as the person chose it, or the server's copy.
 * @returns {name, moc: ArrayBuffer, textures: [Blob], physics, pose}
 */
export async function readModel(files) {
  const models = [...files.keys()].filter((path) => path.toLowerCase().endsWith(ENDING) || path === ENDING.slice(1));
  if (models.length !== 1) throw new Live2dError(`the folder has ${models.length} files that end in ${ENDING}; choose the folder of one Cubism 3 to 5 model`);
  const [path] = models;
  const { Version, FileReferences: names } = await json(files.get(path), path);
  if (Version !== 3 || typeof names?.Moc !== "string" || !Array.isArray(names.Textures) || !names.Textures.length) throw new Live2dError(`${path}: expected Version 3 with FileReferences, Moc and Textures`);
  const find = (name) => {
    const file = files.get(inside(path, name));
    if (!file) throw new Live2dError(`${path}: names ${JSON.stringify(name)}, which is not in the folder`);
    return file;
  };
  const textures = names.Textures.map(find);
  await checkPixels(textures, names.Textures);
  return {
    name: path.split("/").at(-1).slice(0, -ENDING.length),
    moc: await readMoc(find(names.Moc), names.Moc),
    textures,
    physics: names.Physics ? physicsOf(await json(find(names.Physics), names.Physics), names.Physics) : null,
    pose: names.Pose ? poseOf(await json(find(names.Pose), names.Pose), names.Pose) : null,
  };
}

/** The path of a file that a file of the folder names; it cannot lead out of the folder. */
function inside(path, name) {
  const parts = path.split("/").slice(0, -1);
  for (const part of String(name).replaceAll("\\", "/").split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}

async function json(file, name) {
  if (file.size > MAX_JSON_BYTES) throw new Live2dError(`${name}: has more than ${MAX_JSON_BYTES >> 20} MiB`);
  try {
    const found = JSON.parse(await file.text());
    if (found && typeof found === "object") return found;
  } catch { /* told below */ }
  throw new Live2dError(`${name}: is damaged: expected a JSON object`);
}

async function readMoc(file, name) {
  if (file.size > MAX_MOC_BYTES) throw new Live2dError(`${name}: has more than ${MAX_MOC_BYTES >> 20} MiB`);
  const data = await file.arrayBuffer();
  const head = new Uint8Array(data, 0, Math.min(6, data.byteLength));
  if (String.fromCharCode(...head.subarray(0, 4)) !== "MOC3") throw new Live2dError(`${name}: is no .moc3`);
  if (data.byteLength < MOC_HEAD_BYTES) throw new Live2dError(`${name}: is cut off; copy the model again`);
  if (head[4] < MOC_VERSIONS[0] || head[4] > MOC_VERSIONS[1]) throw new Live2dError(`${name}: a .moc3 of version ${head[4]}; known are ${MOC_VERSIONS.join(" to ")}`);
  return data;
}

async function checkPixels(files, names) {
  let pixels = 0;
  for (const [i, file] of files.entries()) {
    const head = new DataView(await file.slice(0, 24).arrayBuffer());
    if (head.byteLength < 24 || head.getUint32(0) !== 0x89504e47) throw new Live2dError(`${names[i]}: is no PNG; a model's textures are PNG files`);
    pixels += head.getUint32(16) * head.getUint32(20);
  }
  if (!(pixels > 0 && pixels <= MAX_PIXELS)) throw new Live2dError(`the textures have ${pixels} pixels together; expected 1 to ${MAX_PIXELS}`);
}

const isNumber = (value) => Number.isFinite(value) && Math.abs(value) <= 1e9;
const isRange = (range) => ["Minimum", "Default", "Maximum"].every((key) => isNumber(range?.[key]));
const isTarget = (target) => typeof target?.Id === "string";
const isAxis = (type) => ["X", "Y", "Angle"].includes(type);

function physicsOf(found, name) {
  const right = Array.isArray(found.PhysicsSettings) && found.PhysicsSettings.every(({ Input, Output, Vertices, Normalization }) => (
    isRange(Normalization?.Position) && isRange(Normalization?.Angle)
    && Array.isArray(Vertices) && Vertices.every((point) => ["Mobility", "Delay", "Acceleration", "Radius"].every((key) => isNumber(point?.[key])))
    && Array.isArray(Input) && Input.every((input) => isTarget(input?.Source) && isNumber(input.Weight) && isAxis(input.Type))
    && Array.isArray(Output) && Output.every((output) => isTarget(output?.Destination) && isNumber(output.VertexIndex) && isNumber(output.Scale) && isNumber(output.Weight) && isAxis(output.Type))
  ));
  const fps = found.Meta?.Fps ?? 0;
  if (!right || !(fps === 0 || (fps >= 1 && fps <= 240))) throw new Live2dError(`${name}: is damaged: expected the physics of a Cubism model`);
  return { PhysicsSettings: found.PhysicsSettings, fps };
}

function poseOf(found, name) {
  const groups = found.Groups;
  if (!Array.isArray(groups) || !groups.every((group) => Array.isArray(group) && group.every((part) => typeof part?.Id === "string" && (part.Link == null || Array.isArray(part.Link))))) throw new Live2dError(`${name}: is damaged: expected the Groups of a Cubism model's pose`);
  return groups;
}

/** The files below what was dropped or chosen: Map of path -> File. */
export async function filesOf(entries, most = 4000) {
  const found = new Map();
  const visit = async (entry) => {
    if (found.size > most) throw new Live2dError(`the folder has more than ${most} files; choose the folder of one model`);
    if (entry.isFile) {
      found.set(entry.fullPath.slice(1), await new Promise((resolve, reject) => { entry.file(resolve, reject); }));
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const batch = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
      if (!batch.length) return;
      for (const inner of batch) await visit(inner);
    }
  };
  for (const entry of entries) await visit(entry);
  return found;
}
