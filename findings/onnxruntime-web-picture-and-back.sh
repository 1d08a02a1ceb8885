#!/usr/bin/env bash
# ONNX Runtime Web's toImageData does not undo its fromImage: a face of -1 to 1 comes back white, one in BGR with blue lips.
#
# Versions:  onnxruntime-common 1.30.0 (the tensors of onnxruntime-web and onnxruntime-node), @napi-rs/canvas 1.1.1 (for the
#            canvas that a browser has); Node 20 or newer with npm.
# Behaviour: Tensor.fromImage() with norm = {mean: 127.5, bias: -127.5} gives -1 to 1, and toImageData() with the same norm gives
#            255 for each value of each pixel. With norm = {mean: 255, bias: 0}, which is the default, the picture comes back. A
#            tensor that was made with tensorFormat "BGR" comes back with red and blue exchanged by format "BGR", as by "RGB";
#            "BGR" is accepted, "RBG" refused.
# Source:    norm has one description for both ways: "normalization parameters when preprocessing the image as model input".
#            tensor-factory-impl.ts divides, (pixel + bias) / mean; tensor-conversion-impl.ts has (value - bias) * mean, which is
#            the inverse for a bias of 0 only. Its ImageFormat has BGR, and so has its check, but no branch places the planes.
# For users: give toImageData {mean, bias: bias / mean} for a network that draws faces in -1 to 1, and exchange red and blue
#            yourself. Our page runs no network.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit onnxruntime-common@1.30.0 @napi-rs/canvas@1.1.1 >/dev/null
cat >try.mjs <<'JS'
import { ImageData, createCanvas } from "@napi-rs/canvas";
import { Tensor } from "onnxruntime-common";

// What a browser has under these names.
Object.assign(globalThis, { ImageData, HTMLCanvasElement: createCanvas(1, 1).constructor });
globalThis.document = { createElement: () => createCanvas(1, 1) };

const colors = [[224, 172, 140, 255], [190, 60, 70, 255], [0, 0, 0, 255], [250, 250, 250, 255]]; // Skin, lips, pupil, tooth.
const face = new ImageData(new Uint8ClampedArray(colors.flat()), 2, 2);
const pixels = (image) => [0, 4, 8, 12].map((k) => Array.from(image.data.slice(k, k + 3)));
const near = (a, b) => a.flat().every((value, k) => Math.abs(value - b.flat()[k]) <= 1);

async function thereAndBack(there, back, expected) {
  const tensor = await Tensor.fromImage(face, { ...there }); // It writes into its options.
  const found = pixels(tensor.toImageData({ format: "RGB", ...back }));
  const range = `${Math.min(...tensor.data).toFixed(2)} to ${Math.max(...tensor.data).toFixed(2)}`;
  console.log(`${JSON.stringify(there)}, ${range}; back with ${JSON.stringify(back)}: ${found.join("  ")}`);
  if (!near(found, expected)) throw new Error(`expected ${expected.join("  ")}`);
}

const rgb = pixels(face);
const bgr = rgb.map(([r, g, b]) => [b, g, r]);
const white = rgb.map(() => [255, 255, 255]);
console.log(`the picture: ${rgb.join("  ")}`);
await thereAndBack({ norm: { mean: 255, bias: 0 } }, { norm: { mean: 255, bias: 0 } }, rgb);
await thereAndBack({ norm: { mean: 127.5, bias: -127.5 } }, { norm: { mean: 127.5, bias: -127.5 } }, white);
await thereAndBack({ norm: { mean: 127.5, bias: -127.5 } }, { norm: { mean: 127.5, bias: -1 } }, rgb);
await thereAndBack({ tensorFormat: "BGR" }, { format: "BGR" }, bgr);
JS
node try.mjs || { echo "FAILED, the behaviour has changed or could not be tried"; exit 1; }
