// Runs the network on a thread of its own, so that the page stays responsive. The page sets `base`, its own folder.
/* global base, resizePhoto, nearestPixels, BAND, NOTICES, openNetwork */
"use strict";

let network; // The metadata of the file.
let run; // Runs the network: see `openNetwork` in engine.js.

// Runtimes write to the console, even notices as errors. The page shows the other messages.
for (const level of ["log", "info", "warn", "error"]) {
  console[level] = (...words) => {
    const text = String(words[0]).includes("%c") ? String(words[0]).replaceAll("%c", "") : words.join(" ");
    if (!NOTICES.test(text)) postMessage({kind: "message", text});
  };
}

const TASKS = {load, segment};

addEventListener("message", async ({data}) => {
  try {
    const [answer, transferred] = await TASKS[data.task](data);
    postMessage({kind: "answer", id: data.id, answer}, transferred);
  } catch (error) {
    postMessage({kind: "answer", id: data.id, error: error?.message || String(error)});
  }
});

/** Loads the runtime and the file. */
async function load({engine, file, metadata}) {
  const start = performance.now();
  network = metadata;
  const bytes = fetched(`${base}${file}`);
  bytes.catch(() => {}); // It is awaited by `openNetwork`, where the error is thrown.
  const opened = await openNetwork(engine, `${base}runtime/`, bytes);
  run = opened.run;
  return [{threads: opened.threads, seconds: (performance.now() - start) / 1000}, []];
}

async function fetched(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`The server returned status ${response.status} for ${address}.`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Returns the label of each pixel of the network's output, and the number of the photo's pixels of each class. */
async function segment({bitmap, keepsAnswer}) {
  const start = performance.now();
  const [, height, width, channels] = network.input.shape;
  const photo = {height: bitmap.height, width: bitmap.width};
  const pixels = resizePhoto(reader(bitmap), photo, {height, width}, channels);
  bitmap.close();
  const resized = performance.now();
  const input = network.input.dtype === "float32" ? Float32Array.from(pixels) : pixels;
  const {values, shape} = await run(input, [1, height, width, channels]);
  const [, rows, columns, numClasses] = shape;
  const ran = performance.now();
  const labels = numClasses === undefined ? Uint16Array.from(values) : largest(values, rows * columns, numClasses);
  const result = {
    labels,
    rows,
    columns,
    counts: countLabels(labels, rows, columns, photo),
    times: {resize: resized - start, network: ran - resized, total: performance.now() - start},
    ...(keepsAnswer ? {values, pixels} : {}),
  };
  return [result, [labels.buffer]];
}

/** Reads rows of a picture as RGBA. */
function reader(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, Math.min(BAND, bitmap.height));
  const context = canvas.getContext("2d", {willReadFrequently: true});
  return (top, rows) => {
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, -top);
    return context.getImageData(0, 0, bitmap.width, rows).data;
  };
}

function largest(values, length, numClasses) {
  const labels = new Uint16Array(length);
  for (let i = 0, p = 0; i < length; i++, p += numClasses) {
    let best = 0;
    for (let c = 1; c < numClasses; c++) if (values[p + c] > values[p + best]) best = c;
    labels[i] = best;
  }
  return labels;
}

function countLabels(labels, rows, columns, photo) {
  const counts = new Float64Array(Math.max(network.class_names.length, 1 + labels.reduce((a, b) => Math.max(a, b), 0)));
  const [perRow, perColumn] = [repeats(rows, photo.height), repeats(columns, photo.width)];
  for (let y = 0, i = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++, i++) counts[labels[i]] += perRow[y] * perColumn[x];
  }
  return counts;
}

function repeats(from, to) {
  const found = new Int32Array(from);
  for (const i of nearestPixels(from, to)) found[i]++;
  return found;
}
