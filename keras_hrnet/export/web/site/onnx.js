// Runs an ONNX file with ONNX Runtime Web.
"use strict";

const NOTICES = /\[I:onnxruntime|\[W:onnxruntime/;

/**
 * Loads ONNX Runtime Web, and prepares a network.
 *
 * @param {string} engine "wasm" or "webgpu".
 * @param {string} runtime the address of the folder of ONNX Runtime Web.
 * @param {Promise<Uint8Array>} bytes the file.
 * @returns {Promise<{threads: number, run: Function}>} the number of threads, and a function from the values and the
 *     shape of an input to those of the output.
 */
async function openNetwork(engine, runtime, bytes) {
  if (engine === "webgpu" && !("Suspending" in WebAssembly)) {
    throw new Error("This browser does not support JSPI, which ONNX Runtime Web needs for it.");
  }
  const ort = await import(`${runtime}ort.${engine}.js`);
  const threads = engine === "wasm" && self.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = {mjs: `${runtime}ort-${engine}.js`, wasm: `${runtime}ort-${engine}.wasm`};
  const session = await ort.InferenceSession.create(await bytes, {executionProviders: [engine]});
  return {threads, run: (input, shape) => runSession(ort, session, input, shape)};
}

async function runSession(ort, session, input, inputShape) {
  const tensor = new ort.Tensor(input instanceof Uint8Array ? "uint8" : "float32", input, inputShape);
  const output = (await session.run({[session.inputNames[0]]: tensor}))[session.outputNames[0]];
  const {data, dims} = output;
  output.dispose();
  return {values: data, shape: dims};
}
