// Pictures from numbers on canvases: images, heat maps, profiles of one row.

import { scale, styled } from "./colours.js";

/** Fit a canvas's pixels to its size on the screen; gives its context in CSS pixels. */
export function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(w / width, 0, 0, h / height, 0, 0);
  context.clearRect(0, 0, width, height);
  context.imageSmoothingEnabled = false;
  return context;
}

function sheet(width, height, paint) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  paint(pixels.data);
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** An image of bytes, `HWC` with one channel or three; `veil(y, x)` tells how much of a pixel is hidden, 0…1. */
export function imageSheet(image_HWC, veil = () => 0) {
  const [height, width, channels] = [image_HWC.length, image_HWC[0].length, image_HWC[0][0].length];
  const cover = styled("--veil").split(/[ ,]+/).map(Number);
  return sheet(width, height, (data) => {
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i += 4) {
        const hidden = veil(y, x);
        for (let c = 0; c < 3; c++) {
          const byte = image_HWC[y][x][channels === 3 ? c : 0];
          data[i + c] = byte * (1 - hidden) + cover[c] * hidden;
        }
        data[i + 3] = 255;
      }
    }
  });
}

/** A heat map of `TN` numbers; `scaleOf(n)` gives the scale of a column. */
export function heatSheet(matrix_TN, scaleOf) {
  const columns = matrix_TN[0].length;
  const scales = Array.from({ length: columns }, (_, n) => scaleOf(n));
  return sheet(columns, matrix_TN.length, (data) => {
    let i = 0;
    for (const row_N of matrix_TN) {
      for (let n = 0; n < columns; n++, i += 4) {
        const at = 3 * scales[n].at(row_N[n]);
        data[i] = scales[n].colours[at];
        data[i + 1] = scales[n].colours[at + 1];
        data[i + 2] = scales[n].colours[at + 2];
        data[i + 3] = 255;
      }
    }
  });
}

/** A sheet over the whole of a canvas. More numbers than pixels are averaged, not dropped. */
export function spread(canvas, source, width, height) {
  const context = prepare(canvas, width, height);
  context.imageSmoothingEnabled = source.height > height * 1.5 || source.width > width * 1.5;
  context.drawImage(source, 0, 0, width, height);
  return context;
}

/** Bars of one row's numbers: from the bottom for shares, up and down from the middle for signed ones. */
export function profile(canvas, values_N, { kind, most = 1, width, height, strong = -1 }) {
  const context = prepare(canvas, width, height);
  const step = width / values_N.length;
  const gap = step > 8 ? 2 : step > 4 ? 1 : 0;
  const [ink, quiet, mark, pale] = [styled("--blue"), styled("--line"), styled("--orange"), styled("--pale")];
  const base = kind === "share" ? height - 1 : height / 2;
  context.fillStyle = quiet;
  context.fillRect(0, Math.round(base), width, 1);
  values_N.forEach((value, n) => {
    const size = (value / most) * (kind === "share" ? height - 2 : height / 2 - 1);
    context.fillStyle = value < 0 ? mark : strong < 0 || n === strong ? ink : pale;
    context.fillRect(n * step + gap / 2, size < 0 ? base : base - size, Math.max(0.6, step - gap), Math.abs(size));
  });
}
