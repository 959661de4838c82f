// Runs a `.tflite` file with LiteRT.js.
"use strict";

// LiteRT.js also warns that the browser provides no neural processor.
const NOTICES = /^(INFO|VERBOSE|I\d{4}\b)|npu_registry/;

/**
 * Loads LiteRT.js, and compiles a network.
 *
 * @param {string} engine "wasm" or "webgpu".
 * @param {string} runtime the address of the folder of LiteRT.js.
 * @param {Promise<Uint8Array>} bytes the file.
 * @returns {Promise<{threads: number, run: Function}>} the number of threads, and a function from the values and the
 *     shape of an input to those of the output.
 */
async function openNetwork(engine, runtime, bytes) {
  // LiteRT.js would derive these addresses from that of the worker, which is not a file.
  self.Module = {
    locateFile: (name) => `${runtime}${name}`,
    mainScriptUrlOrBlob: `${runtime}litert_wasm_threaded_internal.js`,
  };
  if (engine === "wasm") hideGpu();
  const litert = await import(`${runtime}litert.js`);
  const supports = async (feature) => await litert.supportsFeature("relaxedSimd") && await litert.supportsFeature(feature);
  const hasThreads = engine === "wasm" && self.crossOriginIsolated && await supports("threads");
  await litert.loadLiteRt(runtime, {threads: hasThreads, jspi: engine === "webgpu" && await supports("jspi")});
  const model = await litert.loadAndCompile(await bytes, {accelerator: engine});
  if (model.options.accelerator !== engine) throw new Error("WebGPU does not support all operators of this network.");
  const threads = hasThreads ? litert.getGlobalLiteRt().liteRtWasm.getThreadCount() : 1;
  return {threads, run: (input, shape) => runModel(litert, model, input, shape)};
}

async function runModel(litert, model, input, inputShape) {
  const tensor = new litert.Tensor(input, inputShape);
  const [output] = await model.run([tensor]);
  const values = await output.data();
  const shape = [...output.type.layout.dimensions];
  output.delete();
  tensor.delete();
  return {values, shape};
}

/** Hides the GPU from LiteRT.js, which would otherwise start it, or warn about it, before it runs on the CPU. */
function hideGpu() {
  const adapter = {limits: {}, features: new Set(), requestDevice: async () => null};
  Object.defineProperty(navigator, "gpu", {value: {requestAdapter: async () => adapter}, configurable: true});
}
