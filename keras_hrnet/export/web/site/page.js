// The page: receives photos, lets the worker segment them, and shows the results.
/* global nearestPixels */
"use strict";

const MOST_PIXELS = 16e6; // The largest canvas that phones support.
const MOST_RUNS = 10;
const root = document.documentElement;
const get = (id) => document.getElementById(id);
const [photoCanvas, maskCanvas, video] = ["photo", "mask", "video"].map(get);

let network; // The contents of network.json.
let engine; // The worker: see `startEngine`.
let shown = null; // The displayed photo and its result.
let stream = null; // The camera, while it runs.
let ticket = 0; // The number of the last requested photo. Results of earlier photos are dropped.
const runs = [];
const hidden = new Set();

// Words

const milliseconds = (time) => (time < 9.95 ? time.toFixed(1) : Math.round(time).toLocaleString("en"));
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const percent = (share) => (share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function swatch(id) {
  const made = element("span", {className: "swatch"});
  made.style.backgroundColor = `rgb(${colorOf(id).join(" ")})`;
  return made;
}

const nameOf = (id) => network.metadata.class_names[id] ?? `class ${id}`;
const colorOf = (id) => network.metadata.colors[id] ?? [0, 0, 0];

function say(text) {
  get("status").textContent = text;
  get("error").hidden = true;
}

function fail(text) {
  get("error").textContent = text;
  get("error").hidden = false;
  get("status").textContent = "";
}

// The worker

/** Starts a worker that loads the network; `ask` gives it tasks. */
function startEngine(kind) {
  // A worker that is created from a blob inherits the page's policy, so that it cannot reach other hosts.
  const base = new URL(".", document.baseURI).href;
  const scripts = ["pillow.js", "engine.js", "worker.js"].map((name) => JSON.stringify(base + name)).join(", ");
  const source = `self.base = ${JSON.stringify(base)}; importScripts(${scripts});`;
  const address = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
  const worker = new Worker(address);
  const waiting = new Map();
  let next = 0;
  const stop = (reason) => {
    worker.terminate();
    URL.revokeObjectURL(address);
    for (const {reject} of waiting.values()) reject(reason);
    waiting.clear();
  };
  worker.addEventListener("message", ({data}) => {
    if (data.kind === "message") return addMessage(data.text);
    const {resolve, reject} = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error === undefined) resolve(data.answer);
    else reject(new Error(data.error));
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    stop(new Error(event.message || "The worker could not be loaded."));
  });
  const ask = (task, details, transferred = []) => new Promise((resolve, reject) => {
    const id = next++;
    waiting.set(id, {resolve, reject});
    worker.postMessage({...details, task, id}, transferred);
  });
  const ready = ask("load", {engine: kind, file: network.file, metadata: network.metadata});
  return {kind, ask, ready, stop};
}

class Replaced extends Error {}

async function useEngine(kind) {
  engine?.stop(new Replaced());
  const own = (engine = startEngine(kind));
  const size = megabytes(network.bytes + network.runtime_bytes[kind]);
  say(`Loading the network and ${network.runtime}, ${size}…`);
  get("busy").hidden = false;
  try {
    const {threads, seconds} = await own.ready;
    get("loaded").textContent = `${seconds.toFixed(1)} s`;
    if (kind === "wasm") get("threads").textContent = threadsNote(threads);
    say("Ready.");
    if (shown && !stream) await runAgain();
  } catch (error) {
    if (error instanceof Replaced || own !== engine) return;
    if (kind === "webgpu") {
      get("wasm").checked = true;
      await useEngine("wasm");
      fail(`WebGPU cannot be used here: ${error.message} The page runs on WebAssembly again.`);
    } else {
      fail(`The network could not be loaded: ${error.message}`);
    }
  } finally {
    if (own === engine) get("busy").hidden = true;
  }
}

function threadsNote(threads) {
  if (threads > 1) return `on the processor, ${threads} threads`;
  if (!self.crossOriginIsolated) return "on the processor, one thread, because the server does not isolate the page";
  return "on the processor, one thread";
}

// Photos

async function openPhoto(blob, name) {
  stopCamera();
  const own = ++ticket;
  say(`Reading ${name}…`);
  let bitmap;
  try {
    // Color profiles are ignored, as Pillow does.
    bitmap = await createImageBitmap(blob, {imageOrientation: "from-image", colorSpaceConversion: "none"});
  } catch {
    fail(`This browser cannot read ${name} as a picture. Choose a JPEG, PNG or WebP file.`);
    return;
  }
  if (own === ticket) await segment(bitmap, {name, blob}, own);
  else bitmap.close();
}

async function runAgain() {
  if (shown) await openPhoto(shown.blob, shown.name);
}

/** Lets the worker segment a picture, and shows the result unless another picture was requested in the meantime. */
async function segment(bitmap, source, own) {
  const size = {height: bitmap.height, width: bitmap.width};
  // A photo is shown immediately; a picture of the camera is shown together with its mask.
  const frame = stream ? await createImageBitmap(bitmap) : null;
  if (!stream) {
    drawPhoto(bitmap, size);
    say(`Segmenting ${source.name}…`);
  }
  const used = engine;
  try {
    await used.ready;
    const answer = await used.ask("segment", {bitmap}, [bitmap]);
    if (own !== ticket) return;
    if (frame) drawPhoto(frame, size);
    shown = {...source, ...answer, ...size};
    drawMask();
    showShares();
    showTimes(used.kind);
  } catch (error) {
    if (!(error instanceof Replaced) && own === ticket) fail(`${source.name} could not be segmented: ${error.message}`);
  } finally {
    frame?.close();
  }
}

function drawPhoto(bitmap, {height, width}) {
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (height * width)));
  const [shownHeight, shownWidth] = [height, width].map((length) => Math.max(1, Math.floor(length * scale)));
  for (const canvas of [photoCanvas, maskCanvas]) {
    // Setting the size clears a canvas. The mask is cleared too, because it belongs to the previous photo.
    if (canvas.height !== shownHeight) canvas.height = shownHeight;
    if (canvas.width !== shownWidth) canvas.width = shownWidth;
  }
  if (!stream) maskCanvas.getContext("2d").clearRect(0, 0, shownWidth, shownHeight);
  photoCanvas.getContext("2d").drawImage(bitmap, 0, 0, shownWidth, shownHeight);
  get("frame").style.setProperty("--ratio", width / height);
  get("frame").classList.add("filled");
}

function drawMask() {
  const {height, width} = maskCanvas;
  const [rows, columns] = [nearestPixels(shown.rows, height), nearestPixels(shown.columns, width)];
  const colors = new Uint32Array(shown.counts.length);
  for (let id = 0; id < colors.length; id++) {
    const [red, green, blue] = colorOf(id);
    colors[id] = hidden.has(id) ? 0 : ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let y = 0, i = 0; y < height; y++) {
    const row = rows[y] * shown.columns;
    for (let x = 0; x < width; x++, i++) pixels[i] = colors[shown.labels[row + columns[x]]];
  }
  maskCanvas.getContext("2d").putImageData(image, 0, 0);
}

function labelAt(event) {
  const box = maskCanvas.getBoundingClientRect();
  const y = Math.floor(((event.clientY - box.top) / box.height) * shown.rows);
  const x = Math.floor(((event.clientX - box.left) / box.width) * shown.columns);
  if (y < 0 || x < 0 || y >= shown.rows || x >= shown.columns) return null;
  return shown.labels[y * shown.columns + x];
}

async function savePicture() {
  const canvas = element("canvas", {width: photoCanvas.width, height: photoCanvas.height});
  const context = canvas.getContext("2d");
  context.drawImage(photoCanvas, 0, 0);
  context.globalAlpha = get("opacity").value / 100;
  context.drawImage(maskCanvas, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const link = element("a", {
    href: URL.createObjectURL(blob),
    download: `${shown.name.replace(/\.[^.]*$/, "")}_segmented.png`,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Results

const rows = new Map();

function showShares() {
  const total = shown.height * shown.width;
  const found = [...shown.counts.keys()].filter((id) => shown.counts[id] > 0);
  found.sort((a, b) => shown.counts[b] - shown.counts[a]);
  for (const id of found) {
    const row = rows.get(id) ?? makeRow(id);
    const share = shown.counts[id] / total;
    row.share.textContent = percent(share);
    row.bar.style.width = `${100 * share}%`;
  }
  const list = get("legend");
  const items = found.map((id) => rows.get(id).item);
  if (items.length !== list.children.length || items.some((item, i) => item !== list.children[i])) {
    const focused = document.activeElement;
    list.replaceChildren(...items);
    if (focused !== document.activeElement && list.contains(focused)) focused.focus();
  }
  const missing = network.metadata.class_names.length - found.length;
  get("missing").textContent = missing ? `${missing} of ${network.metadata.class_names.length} classes are not found.` : "";
  showAllButton();
}

function makeRow(id) {
  const [share, bar] = [element("span", {className: "share"}), element("span", {className: "length"})];
  bar.style.backgroundColor = `rgb(${colorOf(id).join(" ")})`;
  const button = element(
    "button", {type: "button", ariaPressed: "true"},
    swatch(id), element("span", {className: "name", textContent: nameOf(id)}), share,
    element("span", {className: "bar"}, bar),
  );
  button.addEventListener("click", () => {
    if (!hidden.delete(id)) hidden.add(id);
    button.ariaPressed = String(!hidden.has(id));
    showAllButton();
    drawMask();
  });
  rows.set(id, {item: element("li", {}, button), button, share, bar});
  return rows.get(id);
}

function showAllButton() {
  get("show-all").hidden = !hidden.size;
}

function showTimes(kind) {
  const {times} = shown;
  for (const part of ["network", "resize", "total"]) {
    const isLong = times[part] >= 1000;
    get(`time-${part}`).textContent = isLong ? (times[part] / 1000).toFixed(2) : milliseconds(times[part]);
    get(`unit-${part}`).textContent = isLong ? "s" : "ms";
  }
  for (const id of ["again", "save"]) get(id).disabled = Boolean(stream);
  if (stream) return;
  const mostly = [...rows.keys()].filter((id) => shown.counts[id] > 0).sort((a, b) => shown.counts[b] - shown.counts[a]);
  say(`${shown.name}: ${milliseconds(times.total)} ms, mostly ${mostly.slice(0, 3).map(nameOf).join(", ")}.`);
  runs.unshift({number: (runs[0]?.number ?? 0) + 1, name: shown.name, kind, times});
  runs.length = Math.min(runs.length, MOST_RUNS);
  const cells = ({times: run}) => ["resize", "network", "total"].map((part) => element("td", {textContent: milliseconds(run[part])}));
  get("runs").replaceChildren(...runs.map((run) => element(
    "tr", {},
    element("th", {scope: "row"},
      element("span", {className: "file", textContent: `${run.number}. ${run.name}`, title: run.name}),
      element("span", {className: "note", textContent: run.kind === "wasm" ? "WebAssembly" : "WebGPU"})),
    ...cells(run),
  )));
  get("runs-table").hidden = false;
}

function addMessage(text) {
  get("messages").append(element("li", {textContent: text}));
  get("messages-box").hidden = false;
}

// The camera

async function startCamera() {
  if (!navigator.mediaDevices?.getUserMedia) {
    fail("Browsers allow the camera only on pages that are served over https or from this device.");
    return;
  }
  const before = ticket;
  get("camera").disabled = true; // Until the user has answered the browser's request for permission.
  try {
    const asked = navigator.mediaDevices.getUserMedia({video: {facingMode: "environment"}, audio: false});
    const given = await asked.finally(() => (get("camera").disabled = false));
    await runCamera(given);
  } catch (error) {
    if (ticket > before + 1) return; // The camera was stopped before it started.
    stopCamera();
    fail(`The camera cannot be used: ${error.message || error.name}.`);
  }
}

async function runCamera(used) {
  const own = ++ticket;
  stream = used;
  video.srcObject = used;
  get("camera").textContent = "Stop the camera";
  say("The camera is running. Its pictures stay in this page.");
  await video.play();
  while (stream === used && own === ticket) {
    const start = performance.now();
    await segment(await createImageBitmap(video), {name: "camera.png", blob: null}, own);
    await new Promise(requestAnimationFrame);
    if (stream !== used) break;
    get("rate").textContent = `${(1000 / (performance.now() - start)).toFixed(1)} pictures per second`;
    if (!get("error").hidden) stopCamera();
  }
}

function stopCamera() {
  if (!stream) return;
  for (const track of stream.getTracks()) track.stop();
  stream = null;
  ticket++;
  video.srcObject = null;
  get("camera").textContent = "Use the camera";
  get("rate").textContent = "";
  get("save").disabled = !shown;
  if (get("error").hidden) say("The camera is off.");
  if (!shown?.blob) photoCanvas.toBlob((blob) => {
    if (shown && blob) Object.assign(shown, {blob});
    get("again").disabled = !shown;
  });
}

// The page

function takeFiles(files) {
  const file = [...files].find(({type}) => type.startsWith("image/")) ?? files[0];
  if (file) openPhoto(file, file.name || "photo.png");
}

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function nameTheme() {
  get("theme").textContent = isDark() ? "Light colors" : "Dark colors";
}

function showOpacity() {
  maskCanvas.style.opacity = get("opacity").value / 100;
  get("opacity-value").textContent = `${get("opacity").value} %`;
}

function listen() {
  get("choose").addEventListener("click", () => get("file").click());
  get("file").addEventListener("change", ({target}) => {
    takeFiles(target.files);
    target.value = ""; // So that the same file can be chosen again.
  });
  get("camera").addEventListener("click", () => (stream ? stopCamera() : startCamera()));
  get("again").addEventListener("click", runAgain);
  get("save").addEventListener("click", savePicture);
  get("opacity").addEventListener("input", showOpacity);
  get("show-all").addEventListener("click", () => {
    hidden.clear();
    for (const {button} of rows.values()) button.ariaPressed = "true";
    showAllButton();
    drawMask();
    get("legend").querySelector("button")?.focus();
  });
  get("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);
  for (const radio of document.querySelectorAll("[name=engine]")) {
    radio.addEventListener("change", () => useEngine(radio.value));
  }
  for (const kind of ["dragenter", "dragover"]) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      root.classList.add("dragging");
    });
  }
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) root.classList.remove("dragging");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    root.classList.remove("dragging");
    takeFiles(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => takeFiles(event.clipboardData.files));
  get("frame").addEventListener("pointermove", (event) => {
    const label = shown ? labelAt(event) : null;
    get("under").hidden = label === null;
    if (label !== null) get("under").replaceChildren(swatch(label), nameOf(label));
  });
  get("frame").addEventListener("pointerleave", () => (get("under").hidden = true));
}

function describe() {
  const {metadata} = network;
  const [, height, width] = metadata.input.shape;
  get("facts").textContent = `${metadata.class_names.length} classes · ${metadata.precision} · ${height} × ${width} pixels`;
  get("frame").style.setProperty("--ratio", width / height);
  const facts = {
    Network: metadata.source.model,
    File: `${network.file}, ${megabytes(network.bytes)}, ${metadata.precision}`,
    "SHA-256 of its weights": metadata.source.sha256,
    "Photos are resized to": `${height} × ${width} pixels, as Pillow does`,
    Runtime: `${network.runtime}, ${megabytes(network.runtime_bytes.wasm)}`,
    "Written by": `keras_hrnet ${metadata.keras_hrnet}`,
  };
  const pairs = Object.entries(facts).map(([term, fact]) => [element("dt", {textContent: term}), element("dd", {textContent: fact})]);
  get("about").prepend(...pairs.flat());
  if (!navigator.gpu) {
    get("webgpu").disabled = true;
    get("webgpu-note").textContent = "Not supported by this browser.";
  }
  get("arithmetic").hidden = !["int8", "int16x8", "mixed", "dynamic"].includes(metadata.precision);
}

async function start() {
  nameTheme();
  showOpacity();
  listen();
  const response = await fetch("network.json");
  if (!response.ok) throw new Error(`the server returned status ${response.status} for network.json`);
  network = await response.json();
  describe();
  for (const id of ["choose", "camera"]) get(id).disabled = false;
  await useEngine("wasm");
}

get("needs-server").hidden = true;
start().catch((error) => fail(`The page could not be started: ${error.message}.`));
