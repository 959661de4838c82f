// Resizes photos and labels exactly as Pillow 13 does, because the network was verified on images that Pillow resized.
"use strict";

const PRECISION_BITS = 22; // Pillow's weights are fixed-point numbers with this many fractional bits.
const HALF = 1 << (PRECISION_BITS - 1);
const BAND = 256; // Rows that are read at once, because a large photo does not fit into a canvas on every device.

/**
 * Reads a picture, and resizes it: `Image.resize(…, Image.Resampling.BILINEAR)`.
 *
 * @param {(top: number, rows: number) => Uint8ClampedArray} read RGBA pixels of some rows.
 * @param {{height: number, width: number}} from the size of the picture.
 * @param {{height: number, width: number}} to the target size.
 * @param {number} channels 3 for RGB, or 1 for grayscale, converted as `Image.convert("L")` does.
 * @returns {Uint8Array} (height, width, channels)
 */
function resizePhoto(read, from, to, channels) {
  const pixels = new Uint8Array(from.height * from.width * channels);
  for (let top = 0; top < from.height; top += BAND) {
    const band = read(top, Math.min(BAND, from.height - top));
    takeChannels(band, pixels.subarray(top * from.width * channels), channels);
  }
  const height = (source, width) => resizeHeight(source, from.height, to.height, width * channels);
  const width = (source, rows) => resizeWidth(source, from.width, to.width, rows, channels);
  // Pillow before 13 always resizes the width first. Its pixels may then differ by one level.
  const heightFirst = to.height < from.height && from.height - to.height > 2 * (from.width - to.width);
  return heightFirst ? width(height(pixels, from.width), to.height) : height(width(pixels, from.height), to.width);
}

function takeChannels(rgba, target, channels) {
  for (let p = 0, i = 0; p < rgba.length; p += 4) {
    if (channels === 1) {
      target[i++] = (rgba[p] * 19595 + rgba[p + 1] * 38470 + rgba[p + 2] * 7471 + 0x8000) >> 16;
    } else {
      target[i++] = rgba[p];
      target[i++] = rgba[p + 1];
      target[i++] = rgba[p + 2];
    }
  }
}

function resizeWidth(source, from, to, rows, channels) {
  if (from === to) return source;
  const {starts, counts, weights, size} = bilinearWeights(from, to);
  const target = new Uint8Array(rows * to * channels);
  for (let y = 0; y < rows; y++) {
    for (let c = 0; c < channels; c++) {
      const row = y * from * channels + c;
      for (let x = 0, i = y * to * channels + c; x < to; x++, i += channels) {
        let sum = HALF;
        let p = row + starts[x] * channels;
        for (let j = x * size, end = j + counts[x]; j < end; j++, p += channels) {
          sum = (sum + Math.imul(source[p], weights[j])) | 0;
        }
        target[i] = sum >> PRECISION_BITS;
      }
    }
  }
  return target;
}

function resizeHeight(source, from, to, length) {
  if (from === to) return source;
  const {starts, counts, weights, size} = bilinearWeights(from, to);
  const target = new Uint8Array(to * length);
  const sums = new Int32Array(length);
  for (let y = 0; y < to; y++) {
    sums.fill(HALF);
    for (let j = 0; j < counts[y]; j++) {
      const weight = weights[y * size + j];
      const row = (starts[y] + j) * length;
      for (let i = 0; i < length; i++) sums[i] += Math.imul(source[row + i], weight);
    }
    for (let i = 0; i < length; i++) target[y * length + i] = sums[i] >> PRECISION_BITS;
  }
  return target;
}

/** For each target pixel: the first source pixel of its weighted mean, the number of source pixels, and the weights. */
function bilinearWeights(from, to) {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const size = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(to);
  const counts = new Int32Array(to);
  const weights = new Int32Array(to * size);
  const exact = new Float64Array(size);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    starts[i] = Math.max(Math.trunc(center - support + 0.5), 0);
    counts[i] = Math.min(Math.trunc(center + support + 0.5), from) - starts[i];
    let sum = 0;
    for (let j = 0; j < counts[i]; j++) {
      exact[j] = Math.max(1 - Math.abs((j + starts[i] - center + 0.5) * (1 / support)), 0);
      sum += exact[j];
    }
    for (let j = 0; j < counts[i]; j++) {
      weights[i * size + j] = Math.trunc((exact[j] / sum) * (1 << PRECISION_BITS) + 0.5);
    }
  }
  return {starts, counts, weights, size};
}

/** For each target pixel, the source pixel that `Image.resize(…, Image.Resampling.NEAREST)` uses. */
function nearestPixels(from, to) {
  const step = from / to;
  const taken = new Int32Array(to);
  // Pillow adds up the steps, and thereby their rounding errors.
  for (let i = 0, x = step * 0.5; i < to; i++, x += step) taken[i] = Math.min(Math.trunc(x), from - 1);
  return taken;
}
